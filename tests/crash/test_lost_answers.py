"""One in three writes takes effect, but its answer never comes: still everything happens exactly once."""

import unittest

from crash_world import CrashTest
from demo_api import DemoApi

ORDERS = 30
FEW = 4  # passes


class LostAnswers(CrashTest):
    def setUp(self):
        super().setUp()
        self.api = DemoApi(self)
        self.keys = [f"o{n}" for n in range(ORDERS)]
        self.write_items(self.keys)

    def struck(self):
        return sum(rule["struck"] for rule in self.api.request("GET", "/faults"))

    def finish_in_a_few_passes(self, job):
        """Each run must tell the truth: 0 only when all is done."""
        for passes in range(1, FEW + 1):
            result = self.run_job(job, deadline=120)
            self.assertIn(result.status, (0, 1), result.err)
            if result.status == 0:
                return passes
            self.assertNotIn("parked 1", result.err, "nobody said that a person should decide")
        return self.fail(f"still not done after {FEW} passes: {result.err}")

    def lose_answers(self, fault, keyed, attempts=5):
        self.api.fault(fault, every=3)
        self.finish_in_a_few_passes(self.shop_job(self.api.url, keyed=keyed, timeout="1s", attempts=attempts))
        self.assertGreaterEqual(self.struck(), ORDERS * 2 // 3, "too few answers were lost for this to mean anything")
        self.assert_exactly_once(self.api, ORDERS)
        self.assertEqual(set(self.pair_states().values()), {"done"})

    def test_with_keys_everything_is_done_exactly_once(self):
        self.lose_answers("hang", keyed=True)
        self.assertGreaterEqual(self.api.ledger()["totals"]["replayed"], ORDERS // 2, "a call sent again must be under its key")

    def test_without_keys_a_probe_makes_it_exactly_once(self):
        self.lose_answers("hang", keyed=False)

    def test_so_it_is_when_only_one_attempt_is_made_in_a_pass(self):
        self.lose_answers("hang", keyed=False, attempts=1)

    def test_a_connection_closed_reset_or_answered_500_after_the_effect_is_a_lost_answer_too(self):
        for fault in ("drop", "reset", "500-after"):
            for keyed in (True, False):
                with self.subTest(fault=fault, keyed=keyed):
                    self.state = self.root / f"state.{fault}.{keyed}"
                    self.api.no_faults()
                    self.api.request("DELETE", "/ledger")
                    self.lose_answers(fault, keyed)

    def test_the_fault_does_duplicate_where_the_author_gives_a_wrong_word(self):
        # The oracle's own test: "idempotent" is a lie here, and the ledger must show it.
        job = self.shop_job(self.api.url)
        text = self.job_text(job)
        for phase in (text["steps"][0]["first"], text["steps"][0]["second"]):
            del phase["idempotencyKey"]
            phase.update(idempotent=True, timeout="1s")
        self.api.fault("drop", every=3)
        self.run_job(self.write_job(text), deadline=120)
        self.assertGreater(self.api.ledger()["totals"]["duplicates"], 0)


if __name__ == "__main__":
    unittest.main()

"""When an item is tried again: after an outage, not before its server wants it, at once if a person names it, whatever the clock says."""

import json
import signal
import sqlite3
import threading
import unittest

from doubtful_jobs import DoubtTest
from told_api import Api


class NobodyAnswers(DoubtTest):
    def test_a_pass_ends_early_among_those_that_are_in_doubt_too(self):
        api = Api(self, lambda number, _: 500)
        job = self.job(self.phase(api.url, retry={"maxAttempts": 1}))
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "i{n}"}}\n' for n in range(8)))
        self.assertIn("8 half done", self.run_job(job).err)
        api.stop()
        result = self.run_job(job)
        self.assertEqual(result.err.count("is in doubt: "), 5, result.err)
        self.assertIn("the last 5 items found nobody to talk to", result.err)
        self.assertIn("8 half done, 3 of them not looked at", result.err)
        # Whoever names one, a new one or the last of those, wants that one tried.
        for key, said in (("i7", "i7: pay first is in doubt: "), ("new", "new: pay first did not take effect: ")):
            (self.root / "items.ndjson").write_text("".join(f'{{"id": "i{n}"}}\n' for n in range(8)) + '{"id": "new"}\n')
            result = self.run_job(job, "--only", key)
            self.assertEqual((result.status, said in result.err), (1, True), result.err)
            self.assertEqual(result.err.count("is in doubt: "), 5, result.err)
            self.assertIn("left 0 in", result.err)

    def test_what_was_not_begun_is_counted_as_left(self):
        api = Api(self, lambda number, _: 500)
        job = self.job(self.phase(api.url, retry={"maxAttempts": 1}))
        for items in (5, 9):
            (self.root / "items.ndjson").write_text("".join(f'{{"id": "i{n}"}}\n' for n in range(items)))
            result = self.run_job(job)
            api.stop() if items == 5 else self.assertIn("left 4 in", result.err)


class OneIsNamed(DoubtTest):
    def test_only_that_one_is_tried_before_its_time(self):
        api = Api(self, lambda number, _: 500)
        job = self.job(self.phase(api.url, retry={"maxAttempts": 1}))
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n{"id": "i2"}\n')
        for _ in range(4):
            self.assertIn("2 half done", self.run_job(job).err)
        self.assertEqual(len(api.calls), 6, "the fourth time both wait")
        self.assertEqual(self.run_job(job, "--only", "i2").status, 1)
        self.assertEqual([json.loads(call["body"])["order"] for call in api.calls[6:]], ["i2"])


class TheServerWantsToBeLeftAlone(DoubtTest):
    def test_an_item_waits_in_later_passes_too_as_long_as_its_last_answer_asked_for(self):
        for status in (429, 503):
            with self.subTest(status=status):
                self.state = self.root / f"state-{status}"
                api = Api(self, lambda number, _, status=status: (status, "Retry-After", "600") if number == 1 else 201)
                job = self.job(self.phase(api.url))
                self.assertIn("did not take effect", self.run_job(job).err)
                waiting = self.run_job(job)
                self.assertEqual(waiting.status, 1, waiting.err)
                self.assertEqual(len(api.calls), 1, "it was left alone")
                self.assertIn("1 not tried again yet (--only i1 does it now)", waiting.err)
                self.assertEqual(self.run_job(job, "--only", "i1").status, 0, "a person wants it now")
                self.assertEqual(len(api.calls), 2)

    def test_half_a_pair_waits_as_well(self):
        api = Api(self, lambda number, _: (429, "Retry-After", "600") if number == 2 else 201)
        job = self.job(self.phase(f"{api.url}/first"), self.phase(f"{api.url}/second"))
        for _ in range(2):
            result = self.run_job(job)
            self.assertEqual(result.status, 1)
            self.assertNotIn("settled first", result.err)
            self.assertEqual([call["call"] for call in api.calls], ["POST /first", "POST /second"])
        self.assertEqual(self.run_job(job, "--only", "i1").status, 0)
        self.assertEqual(len({call["key"] for call in api.calls}), 2)

    def test_one_that_waits_is_not_told_anew_when_a_stop_comes_before_its_turn(self):
        asked, let_go = threading.Event(), threading.Event()
        self.addCleanup(let_go.set)

        def answer(number, _):
            if number == 5:
                asked.set()
                let_go.wait(20)
            return {2: 500, 4: (429, "Retry-After", "600")}.get(number, 201)

        api = Api(self, answer)
        job = self.job(self.phase(f"{api.url}/first"), self.phase(f"{api.url}/second", retry={"maxAttempts": 1}))
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n{"id": "i2"}\n')
        self.assertIn("2 half done", self.run_job(job).err)
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        self.assertTrue(asked.wait(20))
        run.send(signal.SIGTERM)
        run.says("signal received")
        let_go.set()
        self.assertEqual(run.wait(), 1)
        self.assertIn("1 not tried again yet (--only i2 does it now)", run.err())
        self.assertNotIn("warning: done", run.err(), "nothing of it is new")


class TheClockWasWrong(DoubtTest):
    def test_a_time_further_ahead_than_any_back_off_is_waited_for_by_nobody(self):
        api = Api(self, lambda number, _: 201 if number > 3 else 429)
        job = self.job(self.phase(api.url, retry={"maxAttempts": 1}))
        for _ in range(3):
            self.assertIn("did not take effect", self.run_job(job).err)
        self.assertNotIn("did not take effect", self.run_job(job).err, "it waits")
        with sqlite3.connect(self.state / "pay.sqlite3") as database:
            database.execute("UPDATE pairs SET not_before_ms = not_before_ms + 86400000 * 365")
        self.assertEqual(self.run_job(job).status, 0)


if __name__ == "__main__":
    unittest.main()

"""Items of which a request cannot be made: nothing is begun for them, and they cost no more than others that fail."""

import json
import signal
import sqlite3
import unittest

from item_jobs import ItemTest
from support import wait_until

class PoisonItemTest(ItemTest):
    def job(self, items, first=None, second=None, **more):
        """Each command leaves its name and the item in done.log; `first` and `second` are more members of the phases."""
        self.write("items.ndjson", "".join(json.dumps(item) + "\n" for item in items))
        note = ["sh", "-c", 'echo "$1-$2" >>done.log; echo r-$2', "note"]
        one = {**self.command(*note, "first", "{$inputs.id}", in_doubt=("park",)), "outputs": {"rid": "$stdout"}, **(first or {})}
        two = {**self.command(*note, "second", "{$inputs.id}"), **(second or {})}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), **more,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                               "steps": [{"step": "pay", "first": one, "second": two}]})


class NothingIsBegun(PoisonItemTest):
    def env(self, value):
        """What makes a command of this environment."""
        return {"command": {"argv": ["sh", "-c", "echo later >>done.log"], "env": {"X": value}}, "timeout": "20s", "inDoubt": ["park"]}

    def probe(self, value):
        return {"command": {"argv": ["true"], "env": {"X": value}}, "applied": "$exitStatus == 0", "timeout": "20s", "outputs": {"rid": "$stdout"}}

    def test_when_a_later_phase_or_a_probe_cannot_be_made_of_the_item_the_first_is_not_begun_either(self):
        for place, phases in (("second: env X", {"second": self.env("$inputs.nope")}),
                              ("second: env X", {"second": self.env("{$steps.pay.first.outputs.rid} {$inputs.nope}")}),
                              ("compensate: env X", {"first": {"compensate": self.env("$inputs.nope")}}),
                              ("probe of first: env X", {"first": {"probe": self.probe("$inputs.nope"), "inDoubt": ["probe", "park"]}}),
                              ("probe of second: env X", {"second": {"probe": self.probe("$inputs.nope"), "inDoubt": ["probe", "park"], "outputs": {"rid": "$stdout"}}})):
            with self.subTest(place=place, phases=phases):
                self.state = self.root / f"state{id(phases)}"
                (self.root / "done.log").unlink(missing_ok=True)
                job = self.job([{"id": "a"}, {"id": "b", "nope": "x"}], **phases)
                dry = self.run_job(job, "--dry-run")
                self.assertEqual(dry.status, 1, dry.err)
                self.assertEqual(dry.err, f"lockstep: a: pay would not be begun, a request cannot be made of this item: {place}: $inputs.nope is missing\n")
                self.assertEqual([line for line in dry.out.splitlines() if line.startswith("#")], ["# a", "# b"])
                self.assertEqual(len(dry.out.splitlines()), 4, f"both requests of b, none of a: {dry.out}")
                result = self.run_job(job)
                self.assertEqual(result.status, 1, result.err)
                self.assertIn(f"a: pay was not begun, a request cannot be made of this item: {place}: $inputs.nope is missing", result.err)
                self.assertEqual(self.noted()[0], "first-b", "of the other item nothing is missing")
                self.assertIn("done 1, failed 1, parked 0", result.err)

    def test_an_outputs_absence_stays_the_second_phases_own_affair(self):
        result = self.run_job(self.job([{"id": "a"}], second={"command": ["sh", "-c", "echo $1 >>done.log", "sh", "{$steps.pay.first.outputs.rid}"]}))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.noted(), ["first-a", "r-a"])


class ItCostsLittle(PoisonItemTest):
    POISON = {"second": {"command": ["sh", "-c", "echo $1 >>done.log", "sh", "{$inputs.more}"]}}
    TOLD = "a: pay was not begun"

    def pair(self):
        with sqlite3.connect(self.state / "pay.sqlite3") as database:
            return database.execute("SELECT state, pair_attempts, parked_from, reason FROM pairs WHERE item_key = 'a'").fetchone()

    def test_it_is_tried_ever_less_often_and_then_parked_where_status_shows_it(self):
        job = self.job([{"id": "a"}], maxPairAttempts=4, **self.POISON)
        for passes in range(1, 4):
            self.assertIn(self.TOLD, self.run_job(job).err)
            self.assertEqual(self.pair()[:2], ("pending", passes))
        waiting = self.run_job(job)
        self.assertEqual(waiting.status, 1)
        self.assertNotIn(self.TOLD, waiting.err, "it waits now")
        self.assertIn("done 0, failed 1, parked 0", waiting.err)
        self.assertIn(self.TOLD, self.run_job(job, "--only", "a").err)
        self.assertIn("a: pay is parked", self.run_job(job, "--only", "a").err)
        self.assertEqual(self.pair()[:3], ("parked", 4, "pending"))
        status = self.lockstep("status", "--state-dir", self.state, job).out
        self.assertIn("parked in its first phase", status)
        self.assertIn("second: argument 4: $inputs.more is missing", " ".join(status.split()))
        self.assertEqual(self.noted(), [])

    def test_once_a_request_can_be_made_of_it_it_goes_through(self):
        poison = [{"id": "a"}]
        for what, mended in (("the item", lambda: self.job([{"id": "a", "more": "m"}], **self.POISON)), ("the job file", lambda: self.job(poison))):
            with self.subTest(mended=what):
                (self.root / "done.log").unlink(missing_ok=True)
                self.state = self.root / what.replace(" ", "-")
                self.assertEqual(self.run_job(self.job(poison, **self.POISON)).status, 1)
                result = self.run_job(mended())
                self.assertEqual(result.status, 0, result.err)
                self.assertEqual(self.noted(), ["first-a", "m" if what == "the item" else "second-a"])
                self.assertEqual(self.pair()[0], "done")

    def parked(self):
        job = self.job([{"id": "a"}], maxPairAttempts=1, **self.POISON)
        for _ in range(2):
            self.run_job(job)
        self.assertEqual(self.pair()[0], "parked")
        again = self.lockstep("resolve", "--state-dir", self.state, job, "a", "--again")
        self.assertEqual(again.status, 0, again.err)
        self.assertEqual(self.pair()[:2], ("pending", 0))

    def test_a_person_who_mended_the_job_file_has_it_tried_again_though_its_source_lists_it_no_longer(self):
        self.parked()
        result = self.run_job(self.job([]))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.noted(), ["first-a", "second-a"])

    def test_a_person_who_mended_the_item_has_it_tried_at_once_as_its_source_lists_it_now(self):
        for options in ((), ("--only", "a"), ("--only", "b")):
            with self.subTest(options=options):
                self.state = self.root / f"state{''.join(options)}"
                (self.root / "done.log").unlink(missing_ok=True)
                self.parked()
                job = self.job([{"id": "b", "more": "b"}, {"id": "a", "more": "m"}], **self.POISON)
                result = self.run_job(job, *options)
                self.assertEqual(result.status, 0, result.err)
                self.assertNotIn(self.TOLD, result.err)
                self.assertEqual(self.pair()[0], "done")
                expected = {"a": ["first-a", "m"], "b": ["first-b", "b", "first-a", "m"]}
                self.assertEqual(self.noted(), expected[options[1] if options else "b"])

    def test_an_item_that_is_still_poison_in_its_source_is_told_of_and_comes_again_like_others(self):
        self.parked()
        job = self.job([{"id": "a"}], maxPairAttempts=1, **self.POISON)
        self.assertIn(self.TOLD, self.run_job(job).err)
        self.assertIn("a: pay is parked", self.run_job(job).err)

    def test_when_a_stop_comes_before_an_item_that_its_source_lists_no_longer_it_is_left_for_the_next_pass(self):
        self.parked()
        held = {"command": ["sh", "-c", 'echo $1 >>done.log; while [ -e hold ]; do sleep 0.01; done', "note", "{$inputs.id}"]}
        job = self.job([{"id": "b"}], first=held)
        (self.root / "hold").touch()
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(self.noted, "b in hand")
        run.send(signal.SIGTERM)
        (self.root / "hold").unlink()
        self.assertEqual(run.wait(), 75, run.err())
        self.assertIn("done 1, failed 0, parked 0, left 1", run.err())
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.noted(), ["b", "second-b", "a", "second-a"])

    def test_a_parked_item_that_a_person_wants_tried_again_is_what_its_source_lists_now(self):
        answers = self.write("answer", "3")
        first = {**self.command("sh", "-c", 'echo "$1-$2" >>done.log; exit $(cat answer)', "note", "{$inputs.id}", "{$inputs.v}"), "notAppliedStatus": [9]}
        step = {"step": "pay", "first": first}

        def job(v):
            self.write("items.ndjson", json.dumps({"id": "a", "v": v}))
            return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step],
                                   "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}})
        self.assertIn("parked 1", self.run_job(job("old")).err)
        self.assertEqual(self.lockstep("resolve", "--state-dir", self.state, job("new"), "a", "--again").status, 0)
        answers.write_text("0")
        self.assertEqual(self.run_job(job("new")).status, 0)
        self.assertEqual(self.noted(), ["a-old", "a-new"])

if __name__ == "__main__":
    unittest.main()

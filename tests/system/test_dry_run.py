"""`run --dry-run`: what a run would do now, in the order in which it would do it, and nothing else."""

import json
import shutil
import unittest

from recovery_jobs import RecoveryTest
from support import wait_until
from told_api import Api

# first.sh KEY: leaves a line, puts out a number.
FIRST = '#!/bin/sh\necho "first $1" >>effects.log\necho "number-of-$1"\n'
SECOND = '#!/bin/sh\n[ ! -e not-applied ] || exit 9\necho "second $1" >>effects.log\n'


class DryRunTest(RecoveryTest):
    def setUp(self):
        super().setUp()
        for name, text in (("first.sh", FIRST), ("second.sh", SECOND)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

    def pay_job(self, *items, **more):
        self.list_items(*items)
        step = {"step": "pay", "first": self.command("./first.sh", "{$inputs.id}", outputs={"number": "$stdout"}),
                "second": self.command("./second.sh", "{$steps.pay.first.outputs.number}", notAppliedStatus=[9])}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step],
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    def list_items(self, *items):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "{key}"}}\n' for key in items))

    def dry(self, job, *options, status=0):
        result = self.run_job(job, "--dry-run", *options)
        self.assertEqual(result.status, status, result.err)
        # Of a command what it is, and no environment or directory.
        return [line if line.startswith("#") else line[line.index("./"):] for line in result.out.splitlines()]

    def left_half_done(self, *items, **more):
        """The second phase is turned away."""
        job = self.pay_job(*items, **more)
        (self.root / "not-applied").touch()
        self.assertEqual(self.run_job(job).status, 1)
        (self.root / "not-applied").unlink()
        return job


class WhatEarlierPassesLeft(DryRunTest):
    def test_half_a_pair_is_gone_on_with_first_by_the_very_command_although_its_source_lists_it_no_longer(self):
        job = self.left_half_done("i1")
        self.list_items("i2")
        self.assertEqual(self.dry(job), ["# i1", "# pay: second-not-applied, gone on with first", "./second.sh number-of-i1",
                                         "# i2", "./first.sh i2", "./second.sh '{$steps.pay.first.outputs.number}'"])
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second number-of-i1", "first i2", "second number-of-i2"])
        self.list_items("i1", "i2")
        self.assertEqual(self.dry(job), ["# 2 done before"])

    def test_it_ends_under_the_definition_and_the_run_that_it_began_with(self):
        self.list_items("i1")
        words = {"first": self.command("./first.sh", "{$run.id}"), "second": self.command("./second.sh", "{$params.to}", "{$run.id}", notAppliedStatus=[9])}
        spec = {"lockstep": 1, "job": "pay", "lock": str(self.lock), "params": {"to": "north"}, "steps": [{"step": "pay", **words}],
                "items": {"ndjson": "items.ndjson", "key": "{$params.to}/{$inputs.id}"}}
        job = self.write_job(spec)
        (self.root / "not-applied").touch()
        self.assertEqual(self.run_job(job).status, 1)
        self.write_job({**spec, "params": {"to": "south"}})
        self.list_items()
        run = self.effects()[0].split()[1]
        self.assertEqual(self.dry(job)[2:], [f"./second.sh north {run}"])

    def test_one_that_is_asked_for_is_shown_as_its_source_lists_it_or_as_it_was(self):
        job = self.pay_job("i1", "i2")
        self.assertEqual(self.run_job(job).status, 0)
        for key in ("i1", "i2"):
            self.assertEqual(self.lockstep("resolve", job, key, "--again", "--state-dir", self.state).status, 0)
        self.list_items("i2")
        both = ["# i2", "./first.sh i2", "./second.sh '{$steps.pay.first.outputs.number}'",
                "# i1", "./first.sh i1", "./second.sh '{$steps.pay.first.outputs.number}'"]
        self.assertEqual(self.dry(job), both)
        self.assertEqual(self.dry(job, "--only", "i2"), both, "a run goes through both, too")
        self.assertEqual(self.run_job(job, "--only", "i2").status, 0)
        self.assertEqual(self.effects()[4:], ["first i2", "second number-of-i2", "first i1", "second number-of-i1"])

    def test_of_an_item_what_is_open_comes_before_a_step_that_is_asked_for(self):
        ask = {"command": ["sh", "-c", "exit 7"], "applied": "$exitStatus == 0", "absent": "$exitStatus == 1", "timeout": "20s"}
        self.list_items("i1")
        steps = [{"step": "a", "first": self.command("./first.sh", "{$inputs.id}")},
                 {"step": "b", "first": self.command("./second.sh", "{$inputs.id}", in_doubt=["probe"], probe=ask)}]
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": steps,
                              "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}})
        (self.root / "not-applied").touch()
        self.assertIn("half done", self.run_job(job).err)
        self.assertEqual(self.lockstep("resolve", job, "i1", "--step", "a", "--again", "--state-dir", self.state).status, 0)
        self.assertEqual(self.dry(job), ["# i1", "# b: first-begun, settled first, by the request that is journalled"])
        self.run_job(job)
        self.assertEqual(self.effects(), ["first i1"])
        self.assertEqual(self.lockstep("resolve", job, "i1", "--step", "b", "--applied", "--state-dir", self.state).status, 0)
        self.assertEqual(self.dry(job), ["# i1", "./first.sh i1", "# b: done before"])
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1"] * 2)

    def test_a_decision_that_waits_is_applied_first(self):
        job = self.pay_job("i1")
        self.assertEqual(self.run_job(job).status, 0)
        held = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(self.lock.exists, "the lock held")
        self.assertIn("recorded", self.lockstep("resolve", job, "i1", "--again", "--state-dir", self.state).out)
        shown = self.dry(job)
        self.assertRegex(shown[0], r"^# i1, pay: \S+ decided again: now pending$")
        self.assertEqual(shown[1:3], ["# i1", "./first.sh i1"])
        self.kill_everything()
        held.wait()

    def test_what_waits_is_not_shown_as_if_it_were_sent(self):
        api = Api(self, lambda number, _: (429, "Retry-After", "600"))
        http = {"http": {"method": "POST", "url": api.url, "body": {"id": "{$inputs.id}"}}, "idempotencyKey": {}, "timeout": "20s",
                "retry": {"maxAttempts": 1}}
        self.list_items("i1")
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [{"step": "pay", "first": http}],
                              "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, "maxPairAttempts": 1})
        self.assertEqual(self.run_job(job).status, 1)
        waiting = self.run_job(job, "--dry-run").out
        self.assertRegex(waiting, r"\A# i1\n# pay: first-not-applied, not tried again before \S+.* \(--only i1 does it now\)\n\Z")
        named = self.run_job(job, "--dry-run", "--only", "i1").out
        self.assertEqual(named, "# i1\n# pay: first-not-applied, tried in 1 pass: it would be parked (maxPairAttempts)\n")
        self.assertIn("parked 1", self.run_job(job, "--only", "i1").err)
        self.assertEqual(self.run_job(job, "--dry-run").out, "# i1\n# pay: parked, it waits for a person\n")
        self.assertEqual(len(api.calls), 1)


class WhatARunRefuses(DryRunTest):
    def test_the_journal_of_another_job(self):
        job = self.pay_job("i1")
        self.assertEqual(self.run_job(job).status, 0)
        shutil.copy(self.state / "pay.sqlite3", self.state / "other.sqlite3")
        spec = json.loads(job.read_text())
        other = self.write_job({**spec, "job": "other"})
        run = self.run_job(other)
        dry = self.run_job(other, "--dry-run")
        self.assertEqual((run.status, dry.status, dry.out), (74, 74, ""))
        self.assertIn("it is the journal of the job pay, not of other", dry.err)
        self.assertEqual(self.lockstep("resolve", other, "i1", "--again", "--state-dir", self.state).status, 74)

    def test_a_record_that_is_no_item_is_of_no_matter_where_another_is_named(self):
        job = self.pay_job("i1")
        (self.root / "items.ndjson").write_text('no JSON\n{"id": "i1"}\n')
        self.dry(job, status=1)
        self.dry(job, "--only", "i1")
        self.assertEqual(self.run_job(job, "--only", "i1").status, 0)


if __name__ == "__main__":
    unittest.main()

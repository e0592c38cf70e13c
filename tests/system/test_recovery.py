"""What a run that was killed leaves half done, the next one puts right first."""

import json
import shutil
import signal
import sqlite3
import unittest

from processes import command_line_of
from recovery_jobs import ASK, RecoveryTest
from support import wait_until


class KilledInThePair(RecoveryTest):
    def test_whatever_moment_it_was_a_probe_leads_to_exactly_one_of_each(self):
        for name in ("first", "second"):
            for mode in ("before", "after"):
                with self.subTest(killed_in=name, effect=mode):
                    shutil.rmtree(self.state, ignore_errors=True)
                    (self.root / "effects.log").unlink(missing_ok=True)
                    job = self.job()
                    self.kill_in(name, mode, job)
                    # Without the next run, the pair is half done or its fate unknown.
                    self.assertNotEqual(self.effects(), ["first i1", "second i1"] if name == "first" else [])
                    result = self.run_job(job)
                    self.assertEqual(result.status, 0, result.err)
                    self.assertEqual(self.effects(), ["first i1", "second i1"])
                    self.assertIn("done 1, failed 0", result.err)
                    self.assertIn("1 of an earlier run settled", result.err)
                    self.assertEqual(self.state_of("i1"), "done")
                    self.assert_nothing_left()

    def test_settling_that_is_killed_itself_is_settled_by_the_next_pass(self):
        job = self.job()
        self.kill_in("first", "before", job)
        self.kill_in("first", "after", job)
        self.kill_in("second", "before", job)
        self.kill_in("second", "after", job)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second i1"])

    def test_a_run_that_loses_its_lock_between_the_phases_tells_that_the_pair_is_half_done(self):
        first = self.command("sh", "-c", 'echo first >>effects.log; [ -e kept ] || rm -r "$1"; touch kept', "sh", str(self.lock))
        job = self.job(("i1", "i2"), [{"step": "pay", "first": first, "second": self.command("sh", "-c", "echo second >>effects.log")}])
        lost = self.run_job(job)
        self.assertEqual(lost.status, 73, lost.err)
        self.assertRegex(lost.err, r"done 0, failed 0, parked 0, left 1 in [\d.]+s; 1 half done\n")
        settled = self.run_job(job)
        self.assertEqual(settled.status, 0, settled.err)
        self.assertIn("done 2", settled.err)
        self.assertEqual(self.effects(), ["first", "second"] * 2)

    def test_a_pair_that_may_only_be_parked_waits_for_a_person_and_blocks_nobody(self):
        job = self.job(items=("i1", "i2"), steps=[{"step": "pay", "first": self.effect("first", ["park"])}])
        self.kill_in("first", "before", job)
        for _ in range(2):
            result = self.run_job(job)
            self.assertEqual(result.status, 1, result.err)
            self.assertIn("parked 1", result.err)
        self.assertEqual(self.effects(), ["first i2"])
        self.assertEqual(self.state_of("i1"), "parked")

    def test_it_is_asked_for_and_ends_by_the_run_and_date_that_it_began_with(self):
        ask = {"command": ["grep", "-qx", "first {$run.id} {$run.date}", "effects.log"], "applied": "$exitStatus == 0",
               "absent": "$exitStatus == 1", "settle": "10ms", "timeout": "20s"}
        script = 'echo "$*" >>effects.log; test "$(cat "$1.mode")" != after || { touch "$1.reached"; exec sleep 60; }'
        words = ("/bin/sh", "-c", script, "sh")
        job = self.job(steps=[{"step": "pay",
                               "first": self.command(*words, "first", "{$run.id}", "{$run.date}", in_doubt=["probe"], probe=ask),
                               "second": self.command(*words, "second", "{$run.id}", "{$run.date}")}])
        self.kill_in("first", "after", job)
        [sent] = self.effects()
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), [sent, sent.replace("first", "second")])
        # What is begun goes by its own, as ever.
        (self.root / "items.ndjson").write_text('{"id": "i2"}\n')
        self.kill_in("first", "after", job)
        yesterday = "2001-02-03"
        with sqlite3.connect(self.state / "pay.sqlite3") as database:
            database.execute("UPDATE pairs SET run_date = ? WHERE item_key = 'i2'", (yesterday,))
        text = (self.root / "effects.log").read_text()
        (self.root / "effects.log").write_text(text[:-len("2026-12-01\n")] + yesterday + "\n")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual([line.split()[-1] for line in self.effects()[2:]], [yesterday, yesterday])
        self.assertNotEqual(self.effects()[2].split()[1], sent.split()[1])

    def test_it_ends_under_the_definition_that_it_began_with(self):
        job = self.job(params={"to": "north"}, steps=[{
            "step": "pay", "first": self.effect("first"),
            "second": self.command("/bin/sh", "-c", 'echo "second to $1" >>effects.log', "sh", "{$params.to}", in_doubt=["park"])}],
            items=("i1",))
        self.write_job(dict(json.loads(job.read_text()), items={"ndjson": "items.ndjson", "key": "{$params.to}/{$inputs.id}"}))
        self.kill_in("first", "after", job)
        changed = json.loads(job.read_text())
        changed["params"] = {"to": "south"}
        self.write_job(changed)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("under the definition that it began with", result.err)
        self.assertEqual([line for line in self.effects() if line.startswith("second")], ["second to north", "second to south"])

    def test_an_item_between_two_steps_is_finished_though_its_source_has_forgotten_it(self):
        job = self.job(steps=[{"step": "one", "first": self.effect("first")}, {"step": "two", "first": self.effect("second")}])
        self.kill_in("second", "before", job)
        with self.journal() as database:  # as if killed a moment earlier: between the two
            database.execute("DELETE FROM pairs WHERE step = 'two'")
            self.assertEqual(database.execute("SELECT unfinished FROM pairs").fetchall(), [(1,)])
        (self.root / "items.ndjson").write_text("")
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.effects(), ["first i1", "second i1"])
        with self.journal() as database:
            self.assertEqual(database.execute("SELECT DISTINCT unfinished FROM pairs").fetchall(), [(0,)])

    def stop_once_asked(self, job, status):
        """A run that is told to stop while a program waits, once it has made the file `asked`, for the file `go`."""
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "asked").exists, "the program that waits")
        process.send(signal.SIGTERM)
        process.says("SIGTERM")
        (self.root / "go").touch()
        self.assertEqual(process.wait(), status, process.err())
        return process

    def ended_because(self, job):
        return json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out)["passes"][0]["endedBecause"]

    def test_a_stop_while_settling_ends_after_the_pair_in_hand(self):
        job = self.job(items=("i1", "i2"), maxConcurrency=2)
        self.mode("second", "before")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: sum("sleep" in command_line_of(pid) for pid in self.my_processes()) == 2, "both at work")
        self.kill_everything()
        self.mode("second", None)
        slow = "#!/bin/sh\ntouch asked\nwhile [ ! -e go ]; do sleep 0.01; done\n" + ASK.split("\n", 1)[1]
        (self.root / "ask.sh").write_text(slow)
        told = self.command("touch", "told")
        del told["inDoubt"]
        job = self.job(items=("i1", "i2", "i3", "i4"), maxConcurrency=1, onFailure=told)
        process = self.stop_once_asked(job, 75)
        self.assertRegex(process.err(), r"done 1, failed 0, parked 0, left 2 in \S+; 1 of an earlier run settled; 1 half done, 1 of them not looked at")
        self.assertEqual(self.ended_because(job), "stopped with work left")
        self.assertFalse((self.root / "told").exists(), "a stop is told to nobody")
        self.assertEqual([line.split()[0] for line in self.effects()[2:]], ["second"], "the pair in hand, and no other")
        self.assertEqual(self.run_job(self.job(items=("i1", "i2"))).status, 0)
        self.assertEqual(sorted(self.effects()), ["first i1", "first i2", "second i1", "second i2"])

    def test_a_stop_is_told_as_what_ended_a_pass_of_which_an_item_failed_too(self):
        (self.root / "effect.sh").write_text(
            '#!/bin/sh\n[ "$LOCKSTEP_ITEM_KEY" != i1 ] || exit 3\ntouch asked\nwhile [ ! -e go ]; do sleep 0.01; done\n')
        job = self.job(items=("i1", "i2", "i3"))
        self.assertIn("done 1, failed 1, parked 0, left 1", self.stop_once_asked(job, 1).err())
        self.assertEqual(self.ended_because(job), "stopped with work left")

    def test_one_that_is_parked_stays_told_as_parked_where_a_stop_comes_before_its_turn(self):
        (self.root / "park.sh").write_text('#!/bin/sh\ntest "$2" != i2 || exit 1\nexec ./effect.sh "$1"\n')
        (self.root / "park.sh").chmod(0o755)
        first = self.command("./park.sh", "first", "{$inputs.id}")
        job = self.job(items=("i1", "i2"), steps=[{"step": "pay", "first": first, "second": self.effect("second")}])
        self.mode("second", "not-applied")
        self.assertIn("parked 1, left 0", self.run_job(job).err)
        (self.root / "effect.sh").write_text("#!/bin/sh\ntouch asked\nwhile [ ! -e go ]; do sleep 0.01; done\n")
        process = self.stop_once_asked(job, 1)
        self.assertIn("done 1, failed 0, parked 1, left 0", process.err())
        self.assertNotIn("half done", process.err())


class TriedAgain(RecoveryTest):
    def test_a_second_that_never_takes_effect_is_compensated_when_the_attempts_are_used_up(self):
        steps = [{"step": "pay", "first": self.effect("first", compensate=self.command("./effect.sh", "undo")),
                  "second": self.effect("second")}]
        job = self.job(steps=steps, maxPairAttempts=2)
        self.mode("second", "not-applied")
        self.assertEqual(self.run_job(job).status, 1)
        self.assertEqual(self.effects(), ["first i1"])
        self.assertEqual(self.run_job(job).status, 1)
        self.assertEqual(self.effects(), ["first i1", "undo i1"])
        self.assertEqual(self.state_of("i1"), "compensated")

    def test_one_that_fails_again_and_again_is_tried_ever_less_often_and_then_parked(self):
        job = self.job(steps=[{"step": "pay", "first": self.effect("first")}], maxPairAttempts=4)
        self.mode("first", "refused")
        for _ in range(3):
            self.assertIn("first refused", self.run_job(job).err)
        result = self.run_job(job)
        self.assertEqual(result.status, 1)
        self.assertNotIn("first refused", result.err, "it waits now")
        self.assertIn("first refused", self.run_job(job, "--only", "i1").err)
        self.assertIn("parked", self.run_job(job, "--only", "i1").err)
        self.assertEqual(self.state_of("i1"), "parked")


if __name__ == "__main__":
    unittest.main()

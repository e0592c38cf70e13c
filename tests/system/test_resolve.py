"""`lockstep status`, `history` and `resolve`: what waits for a person, and what the person decides."""

import getpass
import json
import os
import re
import signal
import sqlite3
import subprocess
import unittest

from demo_api import DemoApi
from old_journals import make_older
from processes import command_line_of, kill
from support import LOCKSTEP, SystemTest, wait_until

# effect.sh NAME: leaves a line in effects.log, as an API call would, with the key that it was called under.
EFFECT = """#!/bin/sh
case $(cat "$1.mode" 2>/dev/null) in
  hang) touch "$1.reached"; exec sleep 60 ;;
  refused) exit 3 ;;
esac
echo "$1 $2" >>effects.log
echo "$LOCKSTEP_IDEMPOTENCY_KEY" >>"keys.$1"
echo "id-of-$2"
"""
NAMES = ("first", "second", "undo")


class ResolveTest(SystemTest):
    def setUp(self):
        super().setUp()
        (self.root / "effect.sh").write_text(EFFECT)
        (self.root / "effect.sh").chmod(0o755)

    def effect(self, name, *words, **more):
        return self.command("./effect.sh", name, *(words or ("{$inputs.id}",)), refusedStatus=[3], **more)

    def job(self, items=("i1",), compensate=True, second=True, **more):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "{key}"}}\n' for key in items))
        step = {"step": "pay", "first": self.effect("first", outputs={"rid": "$stdout"})}
        if second:
            step["second"] = self.effect("second", "{$steps.pay.first.outputs.rid}")
            if compensate:
                step["first"]["compensate"] = self.effect("undo", "{$steps.pay.first.outputs.rid}")
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step],
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    @staticmethod
    def mend(job, change):
        spec = json.loads(job.read_text())
        change(spec["steps"][0])
        job.write_text(json.dumps(spec))

    def mode(self, name, mode):
        path = self.root / f"{name}.mode"
        path.write_text(mode) if mode else path.unlink()

    def park_in(self, name, job):
        """Everything is killed while the effect is at work; the next run cannot know what became of it, and parks the pair."""
        if name == "undo":
            self.mode("second", "refused")
        self.mode(name, "hang")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / f"{name}.reached").exists, f"{name} at work")
        self.kill_everything()
        for each in NAMES:
            if (self.root / f"{each}.mode").exists():
                self.mode(each, None)
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("parked 1", result.err)

    def status(self, job="pay", expected=0):
        result = self.lockstep("status", job, "--state-dir", self.state, "--json", "--lock", self.lock)
        if expected is not None:
            self.assertEqual(result.status, expected, result.err)
        return json.loads(result.out)

    def resolve(self, job, *words):
        return self.lockstep("resolve", job, *words, "--state-dir", self.state)

    def decided(self, job, *words):
        result = self.resolve(job, *words)
        self.assertEqual(result.status, 0, result.err)
        return result.out.strip()

    def effects(self):
        path = self.root / "effects.log"
        return path.read_text().splitlines() if path.exists() else []

    def keys(self, name):
        return (self.root / f"keys.{name}").read_text().split()


class Status(ResolveTest):
    def test_a_parked_pair_is_shown_with_all_that_is_needed_to_decide(self):
        job = self.job()
        self.park_in("first", job)
        status = self.status(job, expected=1)
        [pair] = status["parked"]
        self.assertEqual((pair["item"], pair["step"], pair["state"], pair["phase"], pair["parkedFrom"]),
                         ("i1", "pay", "parked", "first", "first-begun"))
        self.assertIn("./effect.sh first i1", pair["request"])
        self.assertEqual(pair["possible"], ["applied", "not-applied", "again"])
        self.assertEqual(pair["outputsToState"], ["rid"])
        self.assertGreaterEqual(pair["ageMs"], 0)
        self.assertEqual(status["lock"]["state"], "free")
        self.assertIsNone(status["lastSuccess"])
        shown = self.lockstep("status", job, "--state-dir", self.state)
        self.assertEqual(shown.status, 1)
        self.assertIn("i1, pay: parked in its first phase", shown.out)
        self.assertIn(f"lockstep resolve pay i1 --state-dir {self.state} --step pay --applied --output rid=…", shown.out)
        self.assert_nothing_left()

    def test_the_line_that_settles_a_pair_does_so_when_it_is_pasted_whatever_the_key(self):
        job = self.job(items=("-a\\tb'c",))
        self.park_in("first", job)
        shown = self.lockstep("status", job, "--state-dir", self.state)
        line, = re.findall(r"settle it:   lockstep (.*)", shown.out)
        command = re.sub(r"--applied.*--again", "--again", line)
        pasted = subprocess.run(["bash", "-c", f"'{LOCKSTEP}' {command}"], capture_output=True, text=True, env=self.environment())
        self.assertEqual(pasted.returncode, 0, f"{line}: {pasted.stderr}")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(len(self.effects()), 2)

    def test_a_secret_in_the_request_is_not_shown(self):
        api = DemoApi(self)
        api.fault("hang")
        token = "tok-9f1c77e2-secret"
        job = self.write_job({
            "lockstep": 1, "job": "pay", "lock": str(self.lock), "key": "one", "secrets": {"token": {"env": "TOKEN"}},
            "steps": [{"step": "pay", "first": {
                "http": {"method": "POST", "url": f"{api.url}/reservations", "body": {"order": "o1", "qty": 1},
                         "headers": {"Authorization": "Bearer {$secrets.token}"}},
                "timeout": "300ms", "inDoubt": ["park"]}}]})
        result = self.lockstep("run", job, "--state-dir", self.state, env=self.environment(TOKEN=token))
        self.assertEqual(result.status, 1, result.err)
        for options in ((), ("--json",)):
            shown = self.lockstep("status", job, "--state-dir", self.state, *options, env=self.environment(TOKEN=token))
            self.assertEqual(shown.status, 1, shown.err)
            self.assertIn("curl -X POST", shown.out)
            self.assertIn("***", shown.out)
            self.assertNotIn(token, shown.out + shown.err)

    def test_it_tells_who_holds_the_lock_and_what_is_in_hand_without_disturbing_the_run(self):
        job = self.job()
        self.mode("first", "hang")
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "first.reached").exists, "first at work")
        status = wait_until(lambda: (found := self.status(job))["open"] and found["lock"]["phase"] and found, "the pair in hand")
        self.assertEqual(status["lock"]["state"], "held")
        self.assertEqual(status["lock"]["pid"], process.pid)
        self.assertEqual(status["lock"]["phase"], "i1, first")
        self.assertIsNone(status["lock"]["stoppingSince"])
        self.assertEqual([pair["state"] for pair in status["open"]], ["first-begun"])
        process.send(signal.SIGTERM)
        stopping = wait_until(lambda: (lock := self.status(job)["lock"])["stoppingSince"] and lock, "the stop in the record")
        self.assertIn(f"pid {os.getpid()}", stopping["stoppingBy"])

    def test_by_name_and_of_all_jobs(self):
        job = self.job(second=False)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.status("pay")["donePairs"], 1)
        self.assertEqual(self.status("pay")["lastSuccess"]["done"], 1)
        result = self.lockstep("status", "--state-dir", self.state, "--json")
        self.assertEqual((result.status, [each["job"] for each in json.loads(result.out)]), (0, ["pay"]), result.err)
        unknown = self.status("never-ran", expected=66)
        self.assertFalse(unknown["hasJournal"])
        self.assertEqual(sorted(path.name for path in self.state.glob("never*")), [])
        self.assertEqual(self.lockstep("status", "no such name").status, 64)
        self.assertEqual(self.lockstep("status", self.root / "nowhere.json").status, 66)

    def test_a_lock_left_behind_is_told_from_one_that_is_held(self):
        job = self.job()
        self.mode("first", "hang")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "first.reached").exists, "first at work")
        self.kill_everything()
        # A killed process may be closing its descriptors still.
        wait_until(lambda: self.status(job)["lock"]["state"] == "left-behind", "the lock seen as left behind")
        self.assertTrue(self.lock.exists(), "looking must not tidy up")


class Resolve(ResolveTest):
    def test_applied_goes_on_with_the_outputs_that_the_person_gives(self):
        job = self.job()
        self.park_in("first", job)
        self.assertEqual(self.decided(job, "i1", "--applied", "--output", "rid=r-17"),
                         "applied: now first-done; the next pass goes on with it")
        self.assert_nothing_left()
        self.assertEqual(self.status(job)["open"][0]["state"], "first-done")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["second r-17"])

    def test_not_applied_tries_the_phase_again_under_the_same_key(self):
        job = self.job()
        self.park_in("first", job)
        self.decided("pay", "i1", "--not-applied", "--lock", self.lock)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second id-of-i1"])

    def test_in_the_second_phase(self):
        for words, effects, run in ((("--applied",), ["first i1"], 0),
                                    (("--not-applied",), ["first i1", "second id-of-i1"], 0),
                                    (("--again",), ["first i1", "second id-of-i1"], 0),
                                    (("--compensate",), ["first i1", "undo id-of-i1"], 1)):
            with self.subTest(decision=words[0]):
                self.state = self.root / f"state{words[0]}"
                for old in self.root.glob("*.log"):
                    old.unlink()
                for name in NAMES:
                    (self.root / f"{name}.reached").unlink(missing_ok=True)
                job = self.job()
                self.park_in("second", job)
                self.decided(job, "i1", *words)
                result = self.run_job(job)
                self.assertEqual(result.status, run, result.err)
                self.assertEqual(self.effects(), effects)
                self.assertEqual(self.status(job)["parked"], [])

    def test_a_compensation_that_a_person_has_made(self):
        job = self.job()
        self.park_in("undo", job)
        self.assertEqual(self.decided(job, "i1", "--applied"), "applied: now compensated")
        self.assertEqual(self.effects(), ["first i1"])
        self.assertEqual(self.status(job)["open"], [])

    def test_again_carries_out_a_finished_item_anew_under_another_key_though_its_source_has_forgotten_it(self):
        job = self.job()
        self.assertEqual(self.run_job(job).status, 0)
        (self.root / "items.ndjson").write_text("")
        self.assertEqual(self.decided(job, "i1", "--again"),
                         "applied: now pending; the next pass begins it anew, under a new key")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second id-of-i1"] * 2)
        self.assertEqual(len(set(self.keys("first"))), 2)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(len(self.effects()), 4)

    def test_again_carries_out_a_done_item_as_its_source_lists_it_now(self):
        job = self.job(second=False)
        spec = json.loads(job.read_text())
        spec["steps"][0]["first"] = self.effect("first", "{$inputs.id}-{$inputs.n}")
        job.write_text(json.dumps(spec))
        (self.root / "items.ndjson").write_text('{"id": "i1", "n": 1}\n')
        self.assertEqual(self.run_job(job).status, 0)
        (self.root / "items.ndjson").write_text('{"id": "i1", "n": 2}\n')
        self.decided(job, "i1", "--again")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1-1", "first i1-2"])

    def test_what_makes_no_sense_is_refused_with_what_would(self):
        job = self.job(items=("i1", "i2"), compensate=False)
        self.park_in("second", job)
        for words, said in ((("i1", "--compensate"), "no compensate is declared"),
                            (("i1", "--applied", "--output", "x=1"), 'no output "x"'),
                            (("i1", "--applied", "--output", "x=1", "--output", "x=2"), "--output x is given twice"),
                            (("i1", "--applied", "--output", os.fsdecode(b"rid=caf\xe9")), r"rid=caf\xe9: the value is not UTF-8"),
                            (("i2", "--applied"), "possible: --again"),
                            (("i3", "--again"), "no item with this key"),
                            (("i1", "--again", "--step", "ship"), "no step ship"),
                            (("i1",), "Exactly 1 option from [--applied"),
                            (("i1", "--again", "--applied"), "Exactly 1 option")):
            with self.subTest(words=words):
                result = self.resolve(job, *words)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn(said, result.err)
        self.assertEqual(self.status(job, expected=1)["decided"], [])
        never = self.resolve("never-ran", "i1", "--again")
        self.assertEqual(never.status, 64, never.err)
        self.assert_nothing_left()

    def test_missing_outputs_are_named(self):
        job = self.job()
        self.park_in("first", job)
        result = self.resolve(job, "i1", "--applied")
        self.assertEqual(result.status, 64)
        self.assertIn("missing: rid", result.err)

    def test_while_a_run_holds_the_lock_its_next_pass_applies_it(self):
        job = self.job(items=("i1",), every="50ms")
        self.park_in("first", job)
        (self.root / "items.ndjson").write_text('{"id": "i2"}\n')
        (self.root / "first.reached").unlink()
        self.mode("first", "hang")
        loop = self.start_lockstep("loop", job, "--state-dir", self.state)
        wait_until((self.root / "first.reached").exists, "the loop at work on i2")
        said = self.decided(job, "i1", "--applied", "--output", "rid=r-17")
        self.assertIn("recorded; the holder applies it at its next pass", said)
        self.assertIn(f"pid {loop.pid}", said)
        [waiting] = self.status(job, expected=1)["decided"]
        self.assertEqual((waiting["item"], waiting["decision"], waiting["applied"]), ("i1", "applied", None))
        text = self.lockstep("status", "pay", "--state-dir", self.state).out
        self.assertIn("decided:     applied by ", text)
        self.assertNotIn("settle it:", text)
        twice = self.resolve(job, "i1", "--not-applied")
        self.assertEqual(twice.status, 75, twice.err)
        # The pass in hand ends; the next one takes the decision up.
        self.mode("first", None)
        at_work = wait_until(lambda: [pid for pid in self.my_processes() if command_line_of(pid).startswith("sleep")],
                             "the command in its sleep")
        kill(at_work[0])
        wait_until(lambda: "second r-17" in self.effects(), "the second phase of i1")
        loop.send(signal.SIGTERM)
        loop.wait()
        history = json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out)
        [decision] = history["decisions"]
        self.assertEqual(decision["outcome"], "now first-done")
        self.assertTrue(decision["by"])

    def test_whoever_knows_what_became_of_a_pair_in_doubt_need_not_wait_until_its_rules_give_up(self):
        ask = {"command": ["sh", "-c", "exit 7"], "applied": "$exitStatus == 0", "absent": "$exitStatus == 1", "settle": "1ms",
               "timeout": "20s"}
        for verbs, effects in ((["--applied"], ["first i1"]), (["--park", "--not-applied"], ["first i1", "second id-of-i1"]),
                               (["--park", "--compensate"], ["first i1", "undo id-of-i1"])):
            with self.subTest(verbs=verbs):
                self.state = self.root / ("state" + verbs[-1])
                (self.root / "effects.log").unlink(missing_ok=True)
                job = self.job()
                self.mend(job, lambda step: step.update(second=self.effect(
                    "second", "{$steps.pay.first.outputs.rid}", in_doubt=["probe"], probe=ask)))
                self.mode("second", "hang")
                (self.root / "second.reached").unlink(missing_ok=True)
                self.start_lockstep("run", job, "--state-dir", self.state)
                wait_until((self.root / "second.reached").exists, "the second at work")
                self.kill_everything()
                self.mode("second", None)
                for _ in range(2):
                    self.assertEqual(self.run_job(job).status, 1)
                text = self.lockstep("status", job, "--state-dir", self.state).out
                self.assertIn("last answer: interrupted, its answer is not known; the probe: exit status 7: unclear\n", text)
                self.assertIn(" --step pay --applied | --park\n", text)
                refused = self.resolve(job, "i1", "--not-applied")
                self.assertEqual((refused.status, "possible: --applied --park" in refused.err), (64, True), refused.err)
                for verb in verbs:
                    self.assertIn("applied: now ", self.decided(job, "i1", verb))
                # Until the next pass nothing is called; then what follows from the decision, and nothing else.
                self.assertEqual(self.effects(), ["first i1"])
                self.run_job(job)
                self.assertEqual(self.effects(), effects)
                self.assertEqual(self.status(job, expected=None)["open"], [])

    def test_a_journal_of_an_older_version_is_left_to_the_daemon_of_that_version(self):
        job = self.job()
        self.park_in("first", job)
        make_older(self.state / "pay.sqlite3", 6)
        self.assertEqual(self.decided(job, "i1", "--not-applied"), "recorded; the next pass applies it: the journal is of an older lockstep")
        with sqlite3.connect(self.state / "pay.sqlite3") as journal:
            self.assertEqual(journal.execute("PRAGMA user_version").fetchone(), (6,))
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second id-of-i1"])

    def test_of_several_steps_the_one_is_meant_of_which_it_can_be_said(self):
        job = self.job()
        ask = {"command": ["sh", "-c", "exit 7"], "applied": "$exitStatus == 0", "absent": "$exitStatus == 1", "timeout": "20s"}
        spec = json.loads(job.read_text())
        spec["steps"] = [{"step": "one", "first": self.effect("first")},
                         {"step": "two", "first": self.effect("second", in_doubt=["probe"], probe=ask)}]
        job.write_text(json.dumps(spec))
        self.mode("second", "hang")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "second.reached").exists, "the second step at work")
        self.kill_everything()
        self.mode("second", None)
        self.assertIn("applied: now parked", self.decided(job, "i1", "--park"))
        # As if the step before were in doubt once more: now it can be said of both that they took effect, and of one that it is to be parked.
        with sqlite3.connect(self.state / "pay.sqlite3") as journal:
            journal.execute("UPDATE pairs SET state = 'first-begun', unfinished = 1 WHERE step = 'one'")
        both = self.resolve(job, "i1", "--applied")
        self.assertEqual((both.status, "which step? Give --step: one (first-begun), two (parked)" in both.err), (64, True), both.err)
        self.assertIn("applied: now parked", self.decided(job, "i1", "--park"))
        self.assertIn("applied: now done", self.decided(job, "i1", "--step", "one", "--applied"))
        self.assertIn("applied: now done", self.decided(job, "i1", "--applied"))
        unclear = self.resolve(job, "i1", "--again")
        self.assertEqual((unclear.status, "which step? Give --step: one (done), two (done)" in unclear.err), (64, True), unclear.err)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1"])

    def test_a_journal_of_an_older_version_is_brought_up_to_date_for_a_decision_that_that_cannot_hold(self):
        job = self.job()
        self.mode("second", "hang")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "second.reached").exists, "the second at work")
        self.kill_everything()
        self.mode("second", None)
        make_older(self.state / "pay.sqlite3", 7)
        held = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(self.lock.exists, "the lock held")
        self.assertIn("recorded; the holder applies it", self.decided(job, "i1", "--park"))
        self.assertEqual([one["decision"] for one in self.status(job)["decided"]], ["park"])
        self.kill_everything()
        held.wait()
        self.assertIn("root decided park: now parked", self.run_job(job).err.replace(getpass.getuser(), "root"))
        self.assertEqual(self.effects(), ["first i1"])

    def test_one_that_is_parked_while_it_is_in_hand_has_gone_on_when_that_has_ended(self):
        job = self.job()
        self.mode("second", "hang")
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "second.reached").exists, "the second at work")
        self.assertIn("recorded; the holder applies it", self.decided(job, "i1", "--park"))
        [at_work] = wait_until(lambda: [pid for pid in self.my_processes() if command_line_of(pid).startswith("sleep")],
                               "the command in its sleep")
        kill(at_work)
        self.assertEqual(run.wait(), 1, "in doubt, and so parked by its own rule")
        self.mode("second", None)
        later = self.run_job(job)
        self.assertIn("it has gone on since that was decided, and is parked now", later.err)
        self.assertEqual(self.effects(), ["first i1"])

    def test_what_was_decided_of_a_pair_in_a_retry_pause_comes_too_late_when_the_pair_has_gone_on(self):
        (self.root / "effect.sh").write_text(EFFECT.replace("  refused)", '  later) rm "$1.mode"; exit 4 ;;\n  refused)'))
        job = self.job()
        self.mend(job, lambda step: step.update(second=self.effect(
            "second", "{$steps.pay.first.outputs.rid}", notAppliedStatus=[4],
            retry={"maxAttempts": 2, "initialInterval": "5s", "jitter": "none"})))
        self.mode("second", "later")
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: any(each["state"] == "second-not-applied" for each in self.status(job, expected=None)["open"]),
                   "the pause before the next attempt")
        self.assertIn("recorded; the holder applies it", self.decided(job, "i1", "--again"))
        self.assertEqual(run.wait(), 0)
        later = self.run_job(job)
        self.assertEqual(later.status, 0, later.err)
        self.assertIn("it has gone on since that was decided, and is done now", later.err)
        self.assertEqual(self.effects(), ["first i1", "second id-of-i1"])
        history = json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out)
        self.assertIn("gone on since", history["decisions"][0]["outcome"])

    def test_who_decided_is_kept_with_who_he_was_before_sudo(self):
        job = self.job()
        self.park_in("first", job)
        result = self.lockstep("resolve", job, "i1", "--not-applied", "--state-dir", self.state,
                               env=self.environment(SUDO_USER="alice"))
        self.assertEqual(result.status, 0, result.err)
        shown = self.lockstep("history", job, "--state-dir", self.state)
        self.assertRegex(shown.out, r"\(alice by sudo\): i1, pay: not-applied: now first-not-applied")

    def test_the_job_file_may_be_gone(self):
        job = self.job()
        self.park_in("second", job)
        job.unlink()
        self.assertEqual(self.decided("pay", "i1", "--applied", "--lock", self.lock), "applied: now done")


class Several(ResolveTest):
    """After an outage a person does not want to decide two hundred times."""

    def park_many(self, first=(), second=(), **more):
        """Commands that end with a status that says nothing of what they did are in doubt, and these are parked."""
        effect = self.root / "effect.sh"
        effect.write_text(EFFECT.replace("refused)", "odd) case $2 in second-*|id-of-first-*) ;; *) exit 9 ;; esac ;;\n  "
                                         "odder) exit 9 ;;\n  refused)"))
        job = self.job(items=[*(f"second-{n}" for n in second), *(f"first-{n}" for n in first)], **more)
        if first:
            self.mode("first", "odd")
        self.mode("second", "odder")
        result = self.run_job(job)
        self.assertIn(f"parked {len(first) + len(second)}", result.err)
        for name in ("first", "second"):
            if (self.root / f"{name}.mode").exists():
                self.mode(name, None)
        (self.root / "effects.log").unlink(missing_ok=True)
        return job

    def test_all_that_is_parked_is_settled_by_one_decision(self):
        job = self.park_many(first=range(30), second=range(3))
        shown = self.lockstep("status", job, "--state-dir", self.state).out
        self.assertIn(f"lockstep resolve pay --all-parked [--phase second] --state-dir {self.state} --not-applied | --again", shown)
        said = self.decided(job, "--all-parked", "--not-applied").splitlines()
        self.assertEqual(len(said), 33)
        self.assertIn("first-7, pay: now first-not-applied; it is tried again when its item comes up again", said)
        self.assertIn("second-2, pay: now second-not-applied; the next pass goes on with it", said)
        self.assertEqual(self.status(job)["parked"], [])
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(len(self.effects()), 63)
        self.assertEqual(self.decided(job, "--all-parked", "--not-applied"), "nothing is parked")

    def test_those_of_one_phase_and_those_that_are_named(self):
        job = self.park_many(first=range(3), second=range(3))
        self.assertEqual(len(self.decided(job, "--all-parked", "--phase", "second", "--compensate").splitlines()), 3)
        self.assertEqual(len(self.decided(job, "first-0", "first-2", "first-0", "--again").splitlines()), 2)
        self.assertEqual([pair["item"] for pair in self.status(job, expected=1)["parked"]], ["first-1"])
        self.assertEqual(self.decided(job, "--all-parked", "--step", "ship", "--again"), "nothing is parked")

    def test_all_or_none(self):
        job = self.park_many(first=range(15), second=range(1))
        for words, said, count in ((("second-0", "first-0", "first-1", "--compensate"), "possible: --applied", 3),
                                   (("second-0", "nobody", "--compensate"), "nobody: no item with this key", 2),
                                   (("--all-parked", "--compensate"), "5 more are like these; nothing is recorded", 11)):
            with self.subTest(words=words):
                result = self.resolve(job, *words)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn(said, result.err)
                self.assertEqual(len(result.err.splitlines()), count)
                self.assertIn("nothing is recorded, of no item", result.err)
        status = self.status(job, expected=1)
        self.assertEqual((len(status["parked"]), status["decided"]), (16, []))

    def test_what_is_decided_already_is_passed_over_and_a_named_one_refused(self):
        job = self.park_many(first=range(3), second=())
        (self.root / "items.ndjson").write_text('{"id": "other"}\n')
        self.mode("first", "hang")
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "first.reached").exists, "the run at work")
        self.decided(job, "first-1", "--not-applied")
        twice = self.resolve(job, "first-1", "first-2", "--again")
        self.assertEqual(twice.status, 75, twice.err)
        for unknown in ("aaa", "zzz"):
            self.assertEqual(self.resolve(job, "first-1", unknown, "--again").status, 64, "it will make no sense later either")
        self.assertIn("2 recorded; the holder applies them at its next pass", self.decided(job, "--all-parked", "--again"))
        self.assertIn("nothing is parked that is not decided already", self.decided(job, "--all-parked", "--again"))
        decided = {line["item"]: line["decision"] for line in self.status(job, expected=1)["decided"]}
        self.assertEqual(decided, {"first-0": "again", "first-1": "not-applied", "first-2": "again"})
        self.kill_everything()
        self.assertIsNotNone(run.wait())

    def test_words_that_do_not_go_together(self):
        job = self.park_many(first=range(2))
        for words, said in ((("--again",), "which item? Give its KEY, several, or --all-parked"),
                            (("first-0", "--all-parked", "--again"), "key excludes --all-parked"),
                            (("first-0", "--phase", "first", "--again"), "--phase requires --all-parked"),
                            (("--all-parked", "--phase", "third", "--again"), '"third" is not first, second or compensate'),
                            (("first-0", "first-1", "--applied", "--output", "rid=1"), "--output is an answer of one item")):
            with self.subTest(words=words):
                result = self.resolve(job, *words)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn(said, result.err)
        self.assertEqual(len(self.status(job, expected=1)["parked"]), 2)


class Redefined(ResolveTest):
    """The mistake was in the job file, and is mended there."""

    def park_in_second(self):
        """A refusal that nothing undoes."""
        job = self.job(compensate=False)
        self.mode("second", "refused")
        self.assertIn("parked 1", self.run_job(job).err)
        self.mode("second", None)
        return job

    def other_second(self, job):
        self.mend(job, lambda step: step.update(second=self.effect("second", "mended-{$steps.pay.first.outputs.rid}")))

    def test_the_pair_goes_on_as_the_job_file_says_now_if_that_is_asked_for(self):
        for words, effect in (((), "second id-of-i1"), (("--redefine",), "second mended-id-of-i1")):
            with self.subTest(words=words):
                self.state = self.root / f"state{len(words)}"
                (self.root / "effects.log").unlink(missing_ok=True)
                job = self.park_in_second()
                hint = "the job file has changed since: "
                self.assertNotIn(hint, self.lockstep("status", job, "--state-dir", self.state).out)
                self.other_second(job)
                self.assertIn(hint, self.lockstep("status", job, "--state-dir", self.state).out)
                self.decided(job, "i1", "--not-applied", *words)
                self.assertEqual(self.run_job(job).status, 0)
                self.assertEqual(self.effects(), ["first i1", effect])
        self.assertIn("not-applied (redefined)", self.lockstep("history", job, "--state-dir", self.state).out)
        history = json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out)
        self.assertIs(history["decisions"][0]["redefined"], True)

    def test_an_open_pair_that_is_tried_again_and_again_as_it_began_is_tried_as_the_job_file_says_now(self):
        self.job()
        effect = self.root / "effect.sh"
        effect.write_text(EFFECT.replace("refused)", "later) exit 4 ;;\n  refused)"))
        later = self.effect("second", "{$steps.pay.first.outputs.rid}", notAppliedStatus=[4])
        job = self.job(maxPairAttempts=20)
        self.mend(job, lambda step: step.update(second=later))
        self.mode("second", "later")
        for _ in range(4):
            self.run_job(job)
        self.assertIn("not before", self.lockstep("status", job, "--state-dir", self.state).out, "it backs off")
        self.assertNotIn("settle it", self.lockstep("status", job, "--state-dir", self.state).out)
        self.mode("second", None)
        self.other_second(job)
        status = self.lockstep("status", job, "--state-dir", self.state)
        self.assertIn("settle it:   lockstep resolve pay i1", status.out)
        self.assertIn("--redefine goes on as it says now", status.out)
        self.assertIn("possible: --not-applied --again", self.resolve(job, "i1", "--applied").err)
        self.assertEqual(self.decided(job, "i1", "--not-applied", "--redefine"), "applied: now second-not-applied; the next pass goes on with it")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second mended-id-of-i1"])

    def test_an_undoing_that_the_job_file_lacked_is_made(self):
        job = self.park_in_second()
        self.mend(job, lambda step: step["first"].update(compensate=self.effect("undo", "{$steps.pay.first.outputs.rid}")))
        self.assertIn("no compensate is declared in the definition", self.resolve(job, "i1", "--compensate").err)
        self.decided(job, "i1", "--compensate", "--redefine")
        self.run_job(job)
        self.assertEqual(self.effects(), ["first i1", "undo id-of-i1"])

    def test_what_the_job_file_cannot_say_is_refused(self):
        job = self.park_in_second()
        text = job.read_text()
        by_name = self.resolve("pay", "i1", "--not-applied", "--redefine", "--lock", self.lock)
        self.assertEqual((by_name.status, "give its path as JOB" in by_name.err), (64, True), by_name.err)
        for change, said in ((lambda step: step.pop("second"), "is in its second phase, and the job file declares none"),
                             (lambda step: None, "no compensate is declared in the job file")):
            self.mend(job, change)
            result = self.resolve(job, "i1", "--compensate" if "compensate" in said else "--not-applied", "--redefine")
            self.assertEqual(result.status, 64, result.err)
            self.assertIn(said, result.err)
            job.write_text(text)
        job.write_text(text.replace('"pay"', '"other"').replace("steps.pay", "steps.other").replace('"job": "other"', '"job": "pay"'))
        gone = self.resolve(job, "i1", "--not-applied", "--redefine")
        self.assertEqual((gone.status, "the job file has no step pay" in gone.err), (64, True), gone.err)
        self.assertEqual(self.status(job, expected=1)["decided"], [])

    def test_outputs_that_the_first_phase_did_not_have_park_it_again(self):
        job = self.park_in_second()

        def another_output(step):
            step["first"]["outputs"] = {"number": "$stdout"}
            step["second"] = self.effect("second", "{$steps.pay.first.outputs.number}")

        self.mend(job, another_output)
        self.decided(job, "i1", "--not-applied", "--redefine")
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("steps.pay.first.outputs.number", result.err)
        self.assertEqual(self.effects(), ["first i1"])
        self.assertEqual(len(self.status(job, expected=1)["parked"]), 1)

    def test_the_holder_applies_it_and_a_journal_of_an_older_version_is_brought_up_to_date_for_it(self):
        job = self.park_in_second()
        make_older(self.state / "pay.sqlite3", 6)
        self.assertEqual(self.status(job, expected=1)["decided"], [])
        self.other_second(job)
        held = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(self.lock.exists, "the lock held")
        self.assertIn("recorded; the holder applies it", self.decided(job, "i1", "--not-applied", "--redefine"))
        self.assertIs(self.status(job, expected=1)["decided"][0]["redefined"], True)
        self.kill_everything()
        held.wait()
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.effects(), ["first i1", "second mended-id-of-i1"])


class Recorded(ResolveTest):
    def test_a_decision_that_is_recorded_is_0_even_if_it_cannot_be_applied_at_once(self):
        job = self.job()
        self.park_in("first", job)
        mark = self.state / "pay.run"
        mark.unlink()
        mark.mkdir()
        result = self.resolve(job, "i1", "--again")
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("recorded, but not applied yet", result.out)
        self.assertIn(str(mark), result.err)
        mark.rmdir()
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(len(self.effects()), 2)


class History(ResolveTest):
    def history(self):
        result = self.lockstep("history", "pay", "--state-dir", self.state, "--json")
        return json.loads(result.out) if result.status == 0 else {"passes": []}

    def test_passes_are_told_newest_first_with_what_they_did(self):
        job = self.job(items=("i1", "i2"), second=False)
        self.assertEqual(self.run_job(job, "--only", "i1").status, 0)
        self.mode("first", "refused")
        self.assertEqual(self.run_job(job).status, 1)
        shown = self.lockstep("history", job, "--state-dir", self.state, "--json")
        self.assertEqual(shown.status, 0, shown.err)
        passes = json.loads(shown.out)["passes"]
        self.assertEqual([(each["done"], each["failed"]) for each in passes], [(0, 1), (1, 0)])
        self.assertEqual(passes[0]["skipped"], 1)
        self.assertEqual(passes[0]["command"], "run")
        ends = [each["endedBecause"] for each in passes]
        self.assertEqual(ends, ["gone through all items", "only the item that was named"])
        self.assertNotEqual(passes[0]["run"], passes[1]["run"])
        limited = json.loads(self.lockstep("history", "pay", "--state-dir", self.state, "--json", "--limit", "1").out)
        self.assertEqual(limited["passes"], passes[:1])
        text = self.lockstep("history", "pay", "--state-dir", self.state).out
        self.assertEqual([f"run {each['run']} pass 1" in line for each, line in zip(passes, text.splitlines())], [True, True])

    def test_a_run_that_was_killed_is_told(self):
        job = self.job(second=False)
        self.mode("first", "hang")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "first.reached").exists, "the first phase")
        self.kill_everything()
        [killed] = json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out)["unended"]
        self.assertEqual(killed["command"], "run")
        self.assertIn(f"run {killed['run']} pass 1: run on ", self.lockstep("history", "pay", "--state-dir", self.state).out)

    def test_a_later_pass_of_a_loop_that_was_killed_is_told(self):
        job = self.job(second=False, every="10ms")
        loop = self.start_lockstep("loop", job, "--state-dir", self.state)
        wait_until(lambda: len(self.history()["passes"]) >= 2, "two passes")
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n{"id": "i2"}\n')
        self.mode("first", "hang")
        wait_until((self.root / "first.reached").exists, "a later pass at work on i2")
        self.kill_everything()
        self.assertIsNotNone(loop.wait())
        history = self.history()
        [killed] = history["unended"]
        self.assertEqual((killed["command"], killed["run"]), ("loop", history["passes"][0]["run"]))
        self.assertEqual(killed["pass"], history["passes"][0]["pass"] + 1)
        self.assertGreaterEqual(killed["begun"], history["passes"][0]["ended"])
        self.mode("first", None)
        self.run_job(job)
        self.assertEqual(len(self.history()["unended"]), 1)
        make_older(self.state / "pay.sqlite3", 6)
        self.assertEqual(self.history()["unended"], [], "an older journal does not say it")

    def test_the_status_tells_of_what_failed_with_its_last_answer_until_it_is_done(self):
        job = self.job(items=("i1", "i2"), second=False)
        self.mode("first", "refused")
        self.assertEqual(self.run_job(job).status, 1)
        status = self.status(job)
        self.assertEqual((status["failedPairs"], sorted(pair["item"] for pair in status["failed"])), (2, ["i1", "i2"]))
        self.assertEqual({pair["state"] for pair in status["failed"]}, {"first-refused"})
        self.assertIn("exit status 3", status["failed"][0]["lastAnswer"])
        text = self.lockstep("status", "pay", "--state-dir", self.state).out
        self.assertRegex(text, r"(?m)^  failed, tried again by a pass that lists them: 2$")
        self.mode("first", None)
        self.assertEqual(self.run_job(job, "--only", "i1").status, 0)
        self.assertEqual([pair["item"] for pair in self.status(job)["failed"]], ["i2"])
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.status(job)["failedPairs"], 0)

    def test_a_job_that_never_ran_has_none(self):
        result = self.lockstep("history", "never-ran", "--state-dir", self.state)
        self.assertEqual(result.status, 74, result.err)
        self.assertFalse(self.state.exists())

    def test_a_name_that_nothing_is_known_of_is_no_job_whose_state_is_well(self):
        status = self.lockstep("status", "never-ran", "--state-dir", self.state)
        self.assertEqual(status.status, 66, status.err)
        self.assertIn("it never ran with this state directory", status.out)
        self.assertEqual(self.lockstep("status", "never-ran", "--state-dir", self.state, "--json").status, 66)
        self.assertEqual(self.lockstep("status", self.job(), "--state-dir", self.state).status, 0)
        self.assertFalse(self.state.exists())


if __name__ == "__main__":
    unittest.main()

"""What a run that was killed leaves half done, the next one puts right first."""

import json
import os
import shutil
import signal
import sqlite3
import unittest

from demo_api import DemoApi
from processes import command_line_of, is_alive
from told_api import Api
from support import SystemTest, wait_until

# effect.sh NAME MODE: leaves a line in effects.log, as an API call would; MODE says how far it gets this time.
EFFECT = """#!/bin/sh
case $(cat "$1.mode" 2>/dev/null) in
  before) touch "$1.reached"; exec sleep 60 ;;
  after) echo "$1 $LOCKSTEP_ITEM_KEY" >>effects.log; touch "$1.reached"; exec sleep 60 ;;
  not-applied) exit 9 ;;
  refused) exit 3 ;;
esac
echo "$1 $LOCKSTEP_ITEM_KEY" >>effects.log
"""
# ask.sh NAME: whether that line is there.
ASK = """#!/bin/sh
grep -qx "$1 $2" effects.log 2>/dev/null && echo '{"applied": true}' || echo '{"applied": false}'
"""


class RecoveryTest(SystemTest):
    def setUp(self):
        super().setUp()
        for name, text in (("effect.sh", EFFECT), ("ask.sh", ASK)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

    def effect(self, name, in_doubt=("probe", "park"), **more):
        phase = self.command("./effect.sh", name, timeout="50s", in_doubt=in_doubt, notAppliedStatus=[9], refusedStatus=[3])
        if "probe" in in_doubt:
            phase["probe"] = {"command": ["./ask.sh", name, "{$inputs.id}"], "applied": "$stdout#/applied == true",
                              "absent": "$stdout#/applied == false", "settle": "10ms", "timeout": "20s"}
        phase.update(more)
        return phase

    def job(self, items=("i1",), steps=None, **more):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "{key}"}}\n' for key in items))
        steps = steps or [{"step": "pay", "first": self.effect("first"), "second": self.effect("second")}]
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": steps,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    def mode(self, name, mode):
        path = self.root / f"{name}.mode"
        path.write_text(mode) if mode else path.unlink()

    def kill_in(self, name, mode, job):
        """Front, guardian and command are killed while effect `name` is at work."""
        self.mode(name, mode)
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / f"{name}.reached").exists, f"{name} at work")
        self.kill_everything()
        self.mode(name, None)
        (self.root / f"{name}.reached").unlink()

    def effects(self):
        path = self.root / "effects.log"
        return path.read_text().splitlines() if path.exists() else []

    def journal(self):
        return sqlite3.connect(self.state / "pay.sqlite3")

    def state_of(self, item, step="pay"):
        with self.journal() as database:
            return database.execute("SELECT state FROM pairs WHERE item_key = ? AND step = ?", (item, step)).fetchone()[0]


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

    def test_a_stop_while_settling_ends_after_the_pair_in_hand(self):
        job = self.job(items=("i1", "i2"), maxConcurrency=2)
        self.mode("second", "before")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: sum("sleep" in command_line_of(pid) for pid in self.my_processes()) == 2, "both at work")
        self.kill_everything()
        self.mode("second", None)
        slow = "#!/bin/sh\ntouch asked\nwhile [ ! -e go ]; do sleep 0.01; done\n" + ASK.split("\n", 1)[1]
        (self.root / "ask.sh").write_text(slow)
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "asked").exists, "the probe")
        process.send(signal.SIGTERM)
        process.says("SIGTERM")
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 1, process.err())
        self.assertEqual([line.split()[0] for line in self.effects()[2:]], ["second"], "the pair in hand, and no other")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(sorted(self.effects()), ["first i1", "first i2", "second i1", "second i2"])


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


class WhatTheRulesSay(RecoveryTest):
    def age(self, column, hours):
        """As if the clock had gone on."""
        with self.journal() as database:
            database.execute(f"UPDATE pairs SET {column} = {column} - {hours * 3_600_000}")

    def one_effect(self, in_doubt, **more):
        return self.job(steps=[{"step": "pay", "first": self.effect("first", in_doubt, **more)}])

    def test_what_is_not_there_yet_may_still_come_until_settle_is_over(self):
        for came in (False, True):
            with self.subTest(the_call_took_effect_late=came):
                shutil.rmtree(self.state, ignore_errors=True)
                (self.root / "effects.log").unlink(missing_ok=True)
                job = self.one_effect(["probe"])
                text = json.loads(job.read_text())
                text["steps"][0]["first"]["probe"]["settle"] = "1h"
                self.write_job(text)
                self.kill_in("first", "before", job)
                result = self.run_job(job)
                self.assertEqual(result.status, 1, result.err)
                self.assertIn("in doubt", result.err)
                self.assertEqual((self.effects(), self.state_of("i1")), ([], "first-begun"))
                if came:
                    (self.root / "effects.log").write_text("first i1\n")
                else:
                    self.age("changed_ms", 2)
                self.assertEqual(self.run_job(job).status, 0)
                self.assertEqual((self.effects(), self.state_of("i1")), (["first i1"], "done"))

    def test_a_probe_that_tells_nothing_is_asked_again_until_park_after(self):
        job = self.one_effect(["probe"])
        (self.root / "ask.sh").write_text("#!/bin/sh\nexit 1\n")
        self.kill_in("first", "after", job)
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertRegex(result.err, "is in doubt: .*; the probe: .*exit status 1")
        self.assertEqual(self.state_of("i1"), "first-begun")
        self.age("phase_begun_ms", 25)
        result = self.run_job(job)
        self.assertIn("parked 1", result.err)
        self.assertEqual((self.effects(), self.state_of("i1")), (["first i1"], "parked"))

    def test_what_kills_its_run_again_and_again_is_not_sent_for_ever(self):
        job = self.one_effect(["resend"], idempotent=True)
        text = json.loads(job.read_text())
        self.write_job(dict(text, maxPairAttempts=2))
        self.kill_in("first", "after", job)
        self.kill_in("first", "after", job)
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("parked 1", result.err)
        self.assertEqual(self.effects(), ["first i1"] * 2)

    def test_a_kill_in_the_pause_before_another_attempt_leaves_nothing_in_doubt(self):
        for name in ("first", "second"):
            with self.subTest(phase=name):
                shutil.rmtree(self.state, ignore_errors=True)
                (self.root / "effects.log").unlink(missing_ok=True)
                pause = {"retry": {"maxAttempts": 3, "initialInterval": "60s", "maxInterval": "60s", "jitter": "none"}, "deadline": "300s"}
                job = self.job(steps=[{"step": "pay", "first": self.effect("first", ["park"], **pause),
                                       "second": self.effect("second", ["park"], **pause)}])
                self.mode(name, "not-applied")
                process = self.start_lockstep("run", job, "--state-dir", self.state)
                process.says("again in")
                wait_until(lambda: self.state_of("i1") == f"{name}-not-applied", "what is certain to be journalled")
                self.kill_everything()
                self.mode(name, None)
                result = self.run_job(job)
                self.assertEqual(result.status, 0, result.err)
                self.assertEqual(self.effects(), ["first i1", "second i1"])

    def test_after_a_refusal_it_is_tried_under_another_key_which_a_kill_does_not_change(self):
        (self.root / "effect.sh").write_text('#!/bin/sh\necho "$LOCKSTEP_IDEMPOTENCY_KEY" >>keys.log\n' + EFFECT.split("\n", 1)[1])
        job = self.one_effect(["resend"], idempotencyKey={})
        self.mode("first", "refused")
        self.assertEqual(self.run_job(job).status, 1)
        self.kill_in("first", "before", job)
        self.assertEqual(self.run_job(job).status, 0)
        keys = (self.root / "keys.log").read_text().split()
        self.assertEqual(len(keys), 3)
        self.assertNotEqual(keys[0], keys[1])
        self.assertEqual(keys[1], keys[2])

    # ---- under a key --------------------------------------------------------------------------------------------------------------

    def killed_in_a_call(self, answer, **more):
        """The first call is never answered, and everything is killed. Returns the API and the job."""
        api = Api(self, lambda number, _: None if number == 1 else answer(number))
        job = self.job(steps=[{"step": "pay", "first": {
            "http": {"method": "POST", "url": api.url, "body": {"order": "$inputs.id"},
                     "headers": {"Authorization": "Bearer {$secrets.token}"}},
            "idempotencyKey": {}, "timeout": "20s", "deadline": "60s",
            "retry": {"maxAttempts": 5, "initialInterval": "10ms", "maxInterval": "20ms"}, **more}}],
            secrets={"token": {"file": "token"}})
        (self.root / "token").write_text("old")
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: api.calls, "the call")
        self.kill_everything()
        return api, job

    def test_what_is_still_at_work_there_is_waited_for(self):
        api, job = self.killed_in_a_call(lambda number: 409 if number < 4 else 201)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(len(api.calls), 4)
        self.assertEqual(len({(call["key"], call["body"]) for call in api.calls}), 1, "the same request under the same key")

    def test_a_key_that_is_known_for_another_request_is_for_a_person(self):
        api, job = self.killed_in_a_call(lambda number: 422)
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("parked 1", result.err)
        self.assertEqual(len(api.calls), 2)

    def test_the_journalled_request_is_sent_with_the_secret_of_today(self):
        api, job = self.killed_in_a_call(lambda number: 201)
        (self.root / "token").write_text("new")
        (self.root / "items.ndjson").write_text("")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual([call["token"] for call in api.calls], ["Bearer old", "Bearer new"])
        self.assertEqual(api.calls[0]["body"], api.calls[1]["body"])


class AnApi(RecoveryTest):
    def shop_job(self, api, orders=12, **first):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "o{n}"}}\n' for n in range(1, orders + 1)))
        keyed = {"idempotencyKey": {}, "timeout": "10s", "deadline": "30s", "retry": {"maxAttempts": 6, "initialInterval": "20ms"}}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "maxConcurrency": 2,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, "steps": [{
                                   "step": "pay",
                                   "first": {"http": {"method": "POST", "url": f"{api.url}/reservations", "body": {"order": "$inputs.id"}},
                                             "outputs": {"rid": "$response.body#/id"}, **keyed, **first},
                                   "second": {"http": {"method": "POST", "url": f"{api.url}/captures",
                                                       "body": {"reservation": "$steps.pay.first.outputs.rid"}}, **keyed}}]})

    def kill_everything_after(self, api, job, orders):
        api.fault("hang", path="/reservations", orders=["o12"])  # so that the run is at work still, however late the kill
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: api.ledger()["totals"]["reserved"] >= orders, "the first orders")
        guardian = process.guardian()
        for pid in (process.pid, guardian):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not process.running() and not is_alive(guardian), "the end of both")
        api.no_faults()

    def assert_exactly_once(self, api, orders=12):
        totals = api.ledger()["totals"]
        self.assertEqual((totals["reserved"], totals["captured"], totals["halfPairs"], totals["duplicates"]), (orders, orders, 0, 0), totals)

    def test_after_a_kill_of_everything_the_next_run_finishes_all_exactly_once(self):
        api = DemoApi(self, "--delay", "60")
        job = self.shop_job(api)
        self.kill_everything_after(api, job, 3)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assert_exactly_once(api)

    def test_with_the_journal_lost_the_keys_still_keep_it_to_one_of_each(self):
        api = DemoApi(self, "--delay", "20")
        job = self.shop_job(api)
        self.kill_everything_after(api, job, 5)
        shutil.rmtree(self.state)
        self.assertEqual(self.run_job(job).status, 0)
        self.assert_exactly_once(api)

    def test_once_the_api_may_have_forgotten_the_key_it_is_not_sent_again(self):
        api = DemoApi(self)
        api.fault("hang")
        job = self.shop_job(api, orders=1, idempotencyKey={"retention": "1ms"}, timeout="60s", deadline="60s")
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: (self.state / "pay.sqlite3").exists() and self.begun(), "the first phase")
        guardian = process.guardian()
        for pid in (guardian, process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not process.running() and not is_alive(guardian), "the end of both")
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("parked 1", result.err)
        self.assertEqual(api.ledger()["totals"]["duplicates"], 0)

    def begun(self):
        try:
            with self.journal() as database:
                return database.execute("SELECT count(*) FROM pairs WHERE state = 'first-begun'").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    def test_a_pass_ends_early_where_nobody_answers_and_counts_it_against_no_item(self):
        api = DemoApi(self)
        job = self.shop_job(api, orders=40, retry={"maxAttempts": 1})
        api.stop()
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("nobody to talk to", result.err)
        self.assertIn("left 3", result.err)
        with self.journal() as database:
            self.assertEqual(database.execute("SELECT max(pair_attempts) FROM pairs").fetchone()[0], 0)


if __name__ == "__main__":
    unittest.main()

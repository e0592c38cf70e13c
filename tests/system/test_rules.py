"""What the rules of a job file make of an answer that was lost, of a refusal, and of time that goes by."""

import json
import os
import shutil
import signal
import sqlite3
import unittest

from demo_api import DemoApi
from processes import is_alive
from recovery_jobs import EFFECT, RecoveryTest
from support import wait_until
from told_api import Api


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

    def test_a_probe_has_no_more_time_than_its_phase(self):
        job = self.one_effect(["probe", "park"], timeout="1s", deadline="1s")
        self.kill_in("first", "after", job)
        ask = (self.root / "ask.sh").read_text()
        (self.root / "ask.sh").write_text("#!/bin/sh\nexec sleep 60\n")
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertRegex(result.err, "is in doubt: .*; the probe: no end within (1s|[0-9]{1,3}ms)")  # its own timeout is 20s
        self.assertEqual(self.state_of("i1"), "first-begun")
        (self.root / "ask.sh").write_text(ask)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual((self.effects(), self.state_of("i1")), (["first i1"], "done"))

    def test_a_probe_that_never_ends_in_time_is_parked_after_a_while(self):
        job = self.one_effect(["probe", "park"], timeout="1s", deadline="1s")
        self.kill_in("first", "after", job)
        (self.root / "ask.sh").write_text("#!/bin/sh\nexec sleep 60\n")
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
        self.assertIn("not sent again: the API remembers its key for 1ms (retention), and that is over", result.err)
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

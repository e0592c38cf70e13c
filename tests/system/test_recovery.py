"""What a run that was killed leaves half done, the next one puts right first."""

import json
import os
import shutil
import signal
import sqlite3
import unittest

from support import DemoApi, SystemTest, command_line_of, is_alive, kill, wait_until

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

    def run_job(self, job, *options):
        return self.lockstep("run", job, "--state-dir", self.state, *options)

    def mode(self, name, mode):
        path = self.root / f"{name}.mode"
        path.write_text(mode) if mode else path.unlink()

    def kill_everything(self):
        """Killed, dead, and their descriptors closed."""
        for pid in self.my_processes():
            kill(pid, signal.SIGKILL)

        def gone():
            self.reap()
            return not self.my_processes()
        wait_until(gone, "the end of every process")

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


class AnApi(RecoveryTest):
    def shop_job(self, api, orders=12, **first):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "o{n}"}}\n' for n in range(1, orders + 1)))
        keyed = {"idempotencyKey": {}, "timeout": "2s", "deadline": "10s", "retry": {"maxAttempts": 6, "initialInterval": "20ms"}}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "maxConcurrency": 2,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, "steps": [{
                                   "step": "pay",
                                   "first": {"http": {"method": "POST", "url": f"{api.url}/reservations", "body": {"order": "$inputs.id"}},
                                             "outputs": {"rid": "$response.body#/id"}, **keyed, **first},
                                   "second": {"http": {"method": "POST", "url": f"{api.url}/captures",
                                                       "body": {"reservation": "$steps.pay.first.outputs.rid"}}, **keyed}}]})

    def kill_everything_after(self, api, job, orders):
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: api.ledger()["totals"]["reserved"] >= orders, "the first orders")
        guardian = process.guardian()
        for pid in (process.pid, guardian):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not process.running() and not is_alive(guardian), "the end of both")

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
        api = DemoApi(self, "--delay", "200")
        job = self.shop_job(api, orders=1, idempotencyKey={"retention": "1ms"})
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

"""Random sequences of crash, stop, lost answer, refusal, job edits and decisions of people, against an API that remembers everything.

Each schedule prints its seed when it fails; LOCKSTEP_SEED=N repeats the series that begins with that one, and
LOCKSTEP_SCHEDULES=1 only that one. Moments within a call are exact; those of the clock repeat only roughly.
"""

import collections
import os
import random
import shutil
import signal
import threading
import time
import unittest

from crash_world import FULL, VICTIMS, CrashTest, kill_one_of, seed_of_this_run
from processes import kill
from support import wait_for_moment
from truthful_person import TruthfulPerson
from world_api import MOMENTS, Fault, WorldApi

SCHEDULES = int(os.environ.get("LOCKSTEP_SCHEDULES", "1000" if FULL else "60"))

# An effect of a command: a line in a file, after a moment in which it can be killed.
TELL = '#!/bin/sh\necho "$1" >>told.log\n'
ASK = '#!/bin/sh\ngrep -qx "$1" told.log 2>/dev/null && echo \'{"applied": true}\' || echo \'{"applied": false}\'\n'

# What may befall a write: its weight, and whether only the two posts of a pair can be refused without a person.
LOST = [Fault(lost="close"), Fault(lost="reset"), Fault(status=500), Fault(lost="close", applied=False),
        Fault(status=500, applied=False)]
NOT_APPLIED = [Fault(status=429, applied=False), Fault(status=503, applied=False)]


class Schedule:
    """One random life of a job. Everything that is decided is decided by the seed, a call's fate by its name."""

    def __init__(self, test, seed):
        self.test, self.seed = test, seed
        self.dice = random.Random(seed)
        self.keyed = self.dice.random() < 0.5
        self.by_command = self.dice.random() < 0.25
        self.keys = [f"o{n}" for n in range(self.dice.randint(2, 5))]
        self.version, self.timeout, self.concurrency = 1, "1s", self.dice.randint(1, 3)
        self.troubled = True
        self.round = 0
        self.story = []
        self.looks = collections.Counter()
        self.api = WorldApi(self.keyed)
        self.api.treat, self.api.look_fails = self.treat, self.look_fails
        self.person = TruthfulPerson(test, self.write_job(), self.dice, self.took_effect, self.outputs)

    # ---- faults ---------------------------------------------------------------------------------------------------------------

    def treat(self, call):
        dice = random.Random(f"{self.seed}/{self.round}/{call.kind}/{call.order}/{call.nth}")
        chance = dice.random()
        if not self.troubled or chance > 0.3:
            return Fault()
        if chance < 0.01:
            return Fault(lost="hang")
        if chance < 0.15:
            return dice.choice(LOST)
        if chance < 0.22 or call.kind == "release":
            return dice.choice(NOT_APPLIED)
        return Fault(status=400, applied=False)

    def look_fails(self, what, order):
        self.looks[what, order] += 1
        dice = random.Random(f"{self.seed}/{self.round}/{what}/{order}/{self.looks[what, order]}")
        return self.troubled and dice.random() < 0.05

    # ---- the job ----------------------------------------------------------------------------------------------------------------

    def write_job(self):
        url = self.api.url
        common = {"timeout": self.timeout, "deadline": "5s",
                  "retry": {"maxAttempts": 2, "initialInterval": "5ms", "maxInterval": "10ms"}}

        def post(path, body, outputs=None):
            phase = {"http": {"method": "POST", "url": f"{url}/{path}", "body": body}, **common}
            if outputs:
                phase["outputs"] = {"rid": "$response.body#/id"}
            if self.keyed:
                return dict(phase, idempotencyKey={}, inDoubt=["resend"])
            return dict(phase, inDoubt=["probe"], probe={
                "http": {"method": "GET", "url": f"{url}/{path}", "query": {"order": "$inputs.id"}}, "timeout": "5s",
                "applied": "$response.body#/0 != null", "settle": "5ms",
                **({"outputs": {"rid": "$response.body#/0/id"}} if outputs else {})})

        text = f"v{self.version}"
        first = post("reservations", {"order": "$inputs.id", "text": text}, outputs=True)
        first["compensate"] = {"http": {"method": "DELETE", "url": f"{url}/reservations/{{$steps.ship.first.outputs.rid}}"},
                               "success": "$statusCode == 204 || $statusCode == 404", **common}
        tell = post("notices", {"order": "$inputs.id", "text": text})
        if self.by_command:
            tell = self.test.command("./tell.sh", "{$inputs.id}", in_doubt=["probe"], timeout="10s", probe={
                "command": ["./ask.sh", "{$inputs.id}"], "timeout": "10s", "settle": "5ms", "applied": "$stdout#/applied == true",
                "absent": "$stdout#/applied == false"})
            tell["command"].append(text)
        return self.test.write_job({
            "lockstep": 1, "job": "shop", "lock": str(self.test.lock), "maxConcurrency": self.concurrency, "maxPairAttempts": 1000,
            "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
            "steps": [{"step": "ship", "first": first,
                       "second": post("captures", {"reservation": "$steps.ship.first.outputs.rid", "text": text})},
                      {"step": "tell", "first": tell}]})

    def edit(self):
        what = self.dice.choice(("timeout", "definition", "concurrency"))
        self.story.append(f"edit {what}")
        if what == "timeout":
            self.timeout = self.dice.choice(("800ms", "1s", "1200ms"))
        elif what == "definition":
            self.version += 1
        else:
            self.concurrency = self.dice.randint(1, 3)

    # ---- one round ----------------------------------------------------------------------------------------------------------------

    def live(self):
        """Some rounds with trouble of every kind, then as many without as it takes: never more than a few."""
        for self.round in range(1, self.dice.randint(3, 6) + 1):
            if self.dice.random() < 0.3:
                self.edit()
            self.trouble(self.dice.choice(("nothing", "crash", "crash", "crash", "stop", "decide", "decide")))
            if self.dice.random() < 0.3:
                self.decide_at_rest()
        self.troubled = False
        self.round += 1
        self.come_to_an_end()

    def trouble(self, what):
        done = threading.Event()
        process = None
        began = threading.Event()
        victim = self.dice.choice(VICTIMS) if what == "crash" else what

        def strike():
            began.wait(20)
            if what == "stop":
                kill(process.pid, signal.SIGTERM)
            elif what == "decide":
                self.person.decide(at_rest=False)
            else:
                kill_one_of(process.pid, victim)
            done.set()

        in_a_call = self.dice.random() < 0.7
        moment, number = self.dice.choice(MOMENTS), self.api.world.writes + self.dice.randint(1, 8)
        after = self.dice.random() ** 2 * 0.15
        self.story.append(what if what == "nothing" else
                          f"{victim} at write {number} {moment}" if in_a_call else f"{victim} after {after * 1000:.0f} ms")

        def at_moment(now, call):
            if not done.is_set() and now == moment and call.number == number:
                strike()
        if what != "nothing" and in_a_call:
            self.api.moment = at_moment
        process = self.test.start_job(self.write_job())
        began.set()
        if what != "nothing" and not in_a_call:
            wait_for_moment(time.monotonic() + after)
            strike()
        status = process.wait(60)
        self.api.moment = lambda now, call: None
        self.test.wait_for_the_dead()
        if not self.keyed:
            self.api.settle()  # without keys nobody can tell a call that comes too late from a second one
        self.story[-1] += f": {status}"
        self.judge(status, what, victim, done.is_set(), process)

    def judge(self, status, what, victim, struck, process):
        expected = {0, 1}
        if struck:
            expected |= {"stop": {75}, "decide": set(), "guardian": {70}, "front": {-signal.SIGKILL}}.get(victim, {-signal.SIGKILL, 70})
        if what == "stop" and struck:
            expected.add(-signal.SIGTERM)  # before it was ready to be asked
        self.test.assertIn(status, expected, self.tell(process))
        if status == 0:
            self.assert_everything_done(process)
        self.assert_journal_is_true(process)

    def decide_at_rest(self):
        """With keys a call may still be on its way, and is waited for here, too."""
        self.api.settle()
        self.person.decide(at_rest=True)

    def come_to_an_end(self):
        job = self.write_job()
        self.test.run_job(job, deadline=60)  # what was decided last
        for _ in range(2):  # what is parked the first time is decided the second
            self.decide_at_rest()
        # Who failed several times waits a while, unless it is named.
        if not self.run_some_times(job):
            for key in self.keys:
                self.run_some_times(job, "--only", key)
        result = self.test.run_job(job, deadline=60)
        self.story.append(f"last: {result.status}")
        self.test.assertEqual(result.status, 0, self.tell(result))
        self.assert_everything_done(result)
        self.assert_journal_is_true(result)
        self.test.assertEqual(set(self.test.pair_states().values()), {"done"}, self.tell(result))
        self.test.assertFalse(os.path.lexists(self.test.lock), self.tell(result))

    def run_some_times(self, job, *options):
        """What was refused is compensated in one pass and done in the next."""
        for _ in range(3):
            result = self.test.run_job(job, *options, deadline=60)
            self.story.append(f"{' '.join(options) or 'whole'}: {result.status}")
            self.test.assertIn(result.status, (0, 1), self.tell(result))
            if result.status == 0:
                return True
        return False

    # ---- what must be true ------------------------------------------------------------------------------------------------------------

    def told(self, key):
        if not self.by_command:
            return self.api.world.count(key)[2]
        path = self.test.root / "told.log"
        return path.read_text().split().count(key) if path.exists() else 0

    def took_effect(self, kind, key):
        reserved, captured, _ = self.api.world.count(key)
        return {"reserve": reserved > 0, "capture": captured > 0, "release": reserved == 0, "notice": self.told(key) > 0}[kind]

    def outputs(self, kind, key):
        return {"rid": self.api.world.look("reservations", key)[0]["id"]} if kind == "reserve" else {}

    def assert_everything_done(self, process):
        for key in self.keys:
            self.test.assertEqual((*self.api.world.count(key)[:2], self.told(key)), (1, 1, 1), f"{key} {self.tell(process)}")

    def assert_journal_is_true(self, process):
        """No state says more, or less, than what has happened."""
        self.test.assertEqual(self.api.world.problems, [], self.tell(process))
        wanted = {"done": (1, 1), "first-done": (1, 0), "second-not-applied": (1, 0), "second-refused": (1, 0), "pending": (0, 0),
                  "first-not-applied": (0, 0), "first-refused": (0, 0), "compensated": (0, 0), "compensate-not-applied": (1, 0)}
        for (key, step), state in self.test.pair_states().items():
            counts = self.api.world.count(key)
            where = f"{key}: {step} is {state} {self.tell(process)}"
            if (key, step) not in self.person.has_parked:
                self.test.assertNotEqual(state, "parked", where)
            if step == "tell":
                counts = (self.told(key),) * 2
            if state in wanted:
                self.test.assertEqual(counts[:2], wanted[state] if step == "ship" else (wanted[state][0],) * 2, where)
            self.test.assertTrue(0 <= counts[1] <= 1 and 0 <= counts[0] <= 1, where)

    def tell(self, process):
        err = process.err if isinstance(process.err, str) else process.err()
        return (f"\nLOCKSTEP_SEED={self.seed} {'with' if self.keyed else 'without'} keys{', by command' if self.by_command else ''}; "
                f"round {self.round}: {'; '.join(self.story)}\n{self.api.world.history}\n{err}")


class RandomSchedules(CrashTest):
    def test_whatever_comes_in_whatever_order_everything_is_done_exactly_once(self):
        begin = seed_of_this_run()
        for name, text in (("tell.sh", TELL), ("ask.sh", ASK)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)
        struck, said = collections.Counter(), collections.Counter()
        started = time.monotonic()
        for seed in range(begin, begin + SCHEDULES):
            with self.subTest(seed=seed):
                schedule = Schedule(self, seed)
                try:
                    self.write_items(schedule.keys)
                    schedule.live()
                finally:
                    schedule.api.close()
                    self.start_afresh()
                struck += collections.Counter(line.split(" ")[0] for line in schedule.story if " at write" in line or " after " in line)
                said += schedule.person.said
        kills = struck.total() - struck["stop"] - struck["decide"]
        print(f"\n{SCHEDULES} schedules from seed {begin}, {kills} kills and {struck['stop']} stops, decided {dict(said)}, "
              f"{time.monotonic() - started:.0f} s")

    def start_afresh(self):
        self.wait_for_the_dead()
        self.processes.clear()
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.lock, ignore_errors=True)
        (self.root / "told.log").unlink(missing_ok=True)
        for path in (*self.root.glob("out.*"), *self.root.glob("err.*")):
            path.unlink()


if __name__ == "__main__":
    unittest.main()

"""What the tests of recovery share: kills, what the journal says, the shop job, and what must be true in the end."""

import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from processes import guardian_of, kill  # noqa: E402  pylint: disable=wrong-import-position
from support import SystemTest, wait_until  # noqa: E402  pylint: disable=wrong-import-position

FULL = os.environ.get("LOCKSTEP_CRASH_FULL", "") not in ("", "0")
VICTIMS = ("guardian", "front", "both", "both, the front first")


def seed_of_this_run():
    """LOCKSTEP_SEED repeats a run; what depends on the scheduler does not repeat exactly."""
    given = os.environ.get("LOCKSTEP_SEED")
    return int(given) if given else random.randrange(1 << 32)


def kill_one_of(front, victim):
    """SIGKILL, by one of VICTIMS. Returns what was killed."""
    guardian = guardian_of(front)  # before the front is gone, for then nobody knows it
    wanted = {"guardian": [guardian], "front": [front], "both": [guardian, front]}.get(victim, [front, guardian])
    return [pid for pid in wanted if pid and kill(pid, signal.SIGKILL)]


class CrashTest(SystemTest):
    job_name = "shop"

    def run_job(self, job, *options, **more):
        return super().run_job(job, "--wait", "60s", *options, **more)

    def start_job(self, job, *options, **more):
        return self.start_lockstep("run", job, "--state-dir", self.state, "--wait", "60s", *options, **more)

    def wait_for_the_dead(self, *others):
        """Until nothing of lockstep's is left; `others` (servers) may stay."""
        stay = {process.pid for process in others}
        wait_until(lambda: self.reap() or not set(self.my_processes()) - stay, "the end of every process of lockstep's")

    def journal_rows(self, query, *values):
        """Reads a copy: whoever opens the journal of a killed run itself replays its WAL, which is for the next run to do."""
        with tempfile.TemporaryDirectory(dir=self.root) as place:
            for suffix in ("", "-wal"):
                source = self.state / f"{self.job_name}.sqlite3{suffix}"
                if source.exists():
                    shutil.copy(source, place)
            database = sqlite3.connect(f"{place}/{self.job_name}.sqlite3")
            try:
                return database.execute(query, values).fetchall()
            finally:
                database.close()

    def pair_states(self):
        """(item, step) → state."""
        if not (self.state / f"{self.job_name}.sqlite3").exists():
            return {}
        try:
            return {(item, step): state for item, step, state in self.journal_rows("SELECT item_key, step, state FROM pairs")}
        except sqlite3.OperationalError as problem:  # killed before it had made its tables
            if "no such table" in str(problem):
                return {}
            raise

    def write_items(self, keys, name="items.ndjson"):
        (self.root / name).write_text("".join(f'{{"id": "{key}"}}\n' for key in keys))

    def shop_job(self, url, keyed=True, concurrency=4, timeout="1s", deadline="20s", attempts=5, settle="50ms", **more):
        """Reserve, then capture. With keys an in-doubt call is sent again; without, the API is asked what became of it."""
        phase = {"timeout": timeout, "deadline": deadline,
                 "retry": {"maxAttempts": attempts, "initialInterval": "10ms", "maxInterval": "50ms"}}

        def in_doubt(path, outputs):
            if keyed:
                return {"idempotencyKey": {"retention": "24h"}, "inDoubt": ["resend"]}
            return {"inDoubt": ["probe"], "probe": {
                "http": {"method": "GET", "url": f"{url}/{path}", "query": {"order": "$inputs.id"}},
                "applied": "$response.body#/0/id != null", "settle": settle, "timeout": "10s", **outputs}}
        return self.write_job({
            "lockstep": 1, "job": self.job_name, "lock": str(self.lock), "maxConcurrency": concurrency, "maxPairAttempts": 1000,
            "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
            "steps": [{"step": "ship",
                       "first": {"http": {"method": "POST", "url": f"{url}/reservations", "body": {"order": "$inputs.id"}},
                                 "outputs": {"rid": "$response.body#/id"},
                                 **in_doubt("reservations", {"outputs": {"rid": "$response.body#/0/id"}}), **phase},
                       "second": {"http": {"method": "POST", "url": f"{url}/captures",
                                           "body": {"reservation": "$steps.ship.first.outputs.rid"}},
                                  **in_doubt("captures", {}), **phase}}],
            **more})

    def assert_exactly_once(self, api, orders, note=""):
        totals = api.ledger()["totals"]
        self.assertEqual({name: totals[name] for name in ("reserved", "captured", "halfPairs", "duplicates")},
                         {"reserved": orders, "captured": orders, "halfPairs": 0, "duplicates": 0}, f"{totals} {note}")

    def job_text(self, job):
        return json.loads(job.read_text())

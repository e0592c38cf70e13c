"""`lockstep status --metrics`, as Prometheus reads it."""

import re
import shutil
import signal
import subprocess
import time
import unittest

from support import SystemTest, wait_until

SAMPLE = re.compile(r'(lockstep_[a-z_]+)\{((?:[a-z_]+="[^"\\\n]*",?)+)\} (-?[0-9]+(?:\.[0-9]+)?)')


class Metrics(SystemTest):
    def job(self, name="shop", items=("done",), **more):
        path = self.root / f"{name}.ndjson"
        path.write_text("".join(f'{{"id": "{item}"}}\n' for item in items))
        return self.write_job({
            "lockstep": 1, "job": name, "lock": str(self.root / f"{name}.lock"), "items": {"ndjson": path.name, "key": "{$inputs.id}"},
            "steps": [{"step": "work", "first": self.command("sh", "-c", self.SCRIPT, "sh", "{$inputs.id}", refusedStatus=[3])}],
            **more}, name=f"{name}.json")

    SCRIPT = 'case $1 in done) ;; refused) exit 3 ;; hang) : >reached; exec sleep 60 ;; *) exit 9 ;; esac'

    def metrics(self, *words, expected=0):
        """{name: {labels: value}}; each metric stands together, behind its help and its type."""
        result = self.lockstep("status", *words, "--metrics", "--state-dir", self.state)
        self.assertEqual(result.status, expected, result.err)
        found = {}
        current = None
        for line in result.out.splitlines():
            if line.startswith("# HELP "):
                current = line.split()[2]
                self.assertNotIn(current, found)
                found[current] = {}
            elif line.startswith("# TYPE "):
                self.assertEqual(line, f"# TYPE {current} gauge")
            else:
                match = SAMPLE.fullmatch(line)
                self.assertTrue(match, line)
                self.assertEqual(match[1], current)
                self.assertNotIn(match[2], found[current])
                found[current][match[2]] = float(match[3])
        return found

    def test_what_is_done_failed_and_parked(self):
        before = time.time()
        self.assertEqual(self.run_job(self.job(items=("done", "refused", "odd"), expectEvery="1h")).status, 1)
        metrics = self.metrics()
        label = 'lockstep_job="shop"'
        self.assertEqual(metrics["lockstep_pairs"], {f'{label},state="done"': 1, f'{label},state="failed"': 1,
                                                     f'{label},state="open"': 0, f'{label},state="parked"': 1})
        self.assertEqual(metrics["lockstep_last_pass_items"][f'{label},result="parked"'], 1)
        self.assertAlmostEqual(metrics["lockstep_last_pass_timestamp_seconds"][label], before, delta=60)
        self.assertNotIn("lockstep_last_success_timestamp_seconds", metrics)
        self.assertEqual((metrics["lockstep_expected_every_seconds"][label], metrics["lockstep_overdue"][label]), (3600, 1))
        self.assertEqual(metrics["lockstep_lock_held"][label], 0)

    def test_several_jobs_and_one_alone(self):
        self.assertEqual(self.run_job(self.job("one")).status, 0)
        two = self.job("two")
        self.assertEqual(self.run_job(two).status, 0)
        self.assertEqual(set(self.metrics()["lockstep_last_success_timestamp_seconds"]), {'lockstep_job="one"', 'lockstep_job="two"'})
        for job in (two, "two"):
            self.assertEqual(set(self.metrics(job)["lockstep_pairs"]), {f'lockstep_job="two",state="{state}"'
                                                                       for state in ("done", "failed", "open", "parked")})
        self.assertEqual(self.metrics("tow", expected=66)["lockstep_lock_held"], {'lockstep_job="tow"': 0})

    def test_a_run_that_is_being_stopped(self):
        run = self.start_lockstep("run", self.job(items=("hang",)), "--state-dir", self.state)
        wait_until((self.root / "reached").exists, "the command at work")
        self.assertNotIn("lockstep_stop_requested_timestamp_seconds", self.metrics())
        run.send(signal.SIGTERM)
        since = wait_until(lambda: self.metrics().get("lockstep_stop_requested_timestamp_seconds"), "the stop in the record")
        self.assertAlmostEqual(since['lockstep_job="shop"'], time.time(), delta=60)
        self.assertEqual(self.metrics()["lockstep_lock_held"]['lockstep_job="shop"'], 1)
        self.assertEqual(self.metrics()["lockstep_pairs"]['lockstep_job="shop",state="open"'], 1)
        self.kill_everything()

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_nothing_to_say(self):
        self.run_job(self.job(items=("done", "odd"), expectEvery="1h"))
        said = self.lockstep("status", "--metrics", "--state-dir", self.state).out
        done = subprocess.run(["promtool", "check", "metrics"], input=said, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

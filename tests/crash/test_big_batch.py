"""A big batch, stopped and killed twenty times on its way: everything exactly once, memory flat, and a rerun starts at once."""

import random
import signal
import threading
import time
import unittest

from crash_world import FULL, VICTIMS, CrashTest, kill_one_of, seed_of_this_run
from demo_api import DemoApi
from processes import guardian_of
from support import wait_until

ITEMS = 100_000 if FULL else 10_000
INTERRUPTIONS = 20
IN_FLIGHT = 16
LONG = 900.0  # seconds


def peak_memory_of(pid):
    """VmHWM in kB, or 0."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


class Memory:
    """The highest peak of any guardian, looked at until each ends."""

    def __init__(self):
        self.peak = 0
        self.front = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.02):
            if self.front and (guardian := guardian_of(self.front)):
                self.peak = max(self.peak, peak_memory_of(guardian))

    def close(self):
        self.over.set()
        self.thread.join()


class BigBatch(CrashTest):
    def setUp(self):
        super().setUp()
        self.api = DemoApi(self)
        self.memory = Memory()
        self.addCleanup(self.memory.close)
        self.seed = seed_of_this_run()

    def effects(self):
        return self.api.request("GET", "/progress")["effects"]

    def start_watched(self, job):
        process = self.start_job(job)
        self.memory.front = process.pid
        return process

    def run_watched(self, job):
        begun = time.monotonic()
        process = self.start_watched(job)
        self.assertEqual(process.wait(LONG), 0, process.err())
        return time.monotonic() - begun

    def interrupt(self, job, goal, dice, number):
        """Runs until so much has happened, and something by this run, then a stop or a kill."""
        goal = max(goal, self.effects() + 1)
        process = self.start_watched(job)
        wait_until(lambda: self.effects() >= goal or not process.running(), f"{goal} effects", LONG)
        self.assertTrue(process.running(), f"seed {self.seed}: it ended by itself, {process.popen.returncode}, after {self.effects()} effects: {process.err()}")
        if number % 2:
            process.send(signal.SIGTERM)
            self.assertEqual(process.wait(60), 75, f"seed {self.seed}: {process.err()}")
        else:
            victim = dice.choice(VICTIMS)
            kill_one_of(process.pid, victim)
            self.assertIn(process.wait(60), (-signal.SIGKILL, 70), f"seed {self.seed}: {victim}: {process.err()}")
        self.wait_for_the_dead(self.api.process)

    def small_batch(self):
        """What a run over few items takes: the measure for flat."""
        self.write_items(f"small{n}" for n in range(500))
        self.run_watched(self.shop_job(self.api.url, concurrency=IN_FLIGHT))
        peak, self.memory.peak = self.memory.peak, 0
        self.api.request("DELETE", "/ledger")
        return peak

    def test_stopped_and_killed_twenty_times_all_is_done_exactly_once_in_little_memory(self):
        dice = random.Random(self.seed)
        small_peak = self.small_batch()
        keys = [f"o{n}" for n in range(ITEMS)]
        self.write_items(keys)
        job = self.shop_job(self.api.url, concurrency=IN_FLIGHT, timeout="10s", deadline="60s")
        # A strike that comes late on a busy machine finds the run at its last item, not gone.
        self.api.fault("before:5000", orders=[keys[-1]])
        begun = time.monotonic()
        for number in range(INTERRUPTIONS):
            self.interrupt(job, 2 * ITEMS * (number + 1) // (INTERRUPTIONS + 6), dice, number)
        self.api.no_faults()
        self.run_watched(job)
        took = time.monotonic() - begun
        self.assert_exactly_once(self.api, ITEMS, f"seed {self.seed}")
        replayed = self.api.request("GET", "/ledger?summary")["totals"]["replayed"]
        self.assertLessEqual(replayed, INTERRUPTIONS * IN_FLIGHT, "what was done was sent again")
        self.assertEqual(self.journal_rows("SELECT state, count(*) FROM pairs WHERE item_key LIKE 'o%' GROUP BY state"), [("done", ITEMS)])
        big_peak = self.memory.peak
        again = self.run_watched(job)
        first, last = self.seconds_until_the_effect(job, keys, 0), self.seconds_until_the_effect(job, keys, len(keys))
        self.assert_exactly_once(self.api, ITEMS + 2, f"seed {self.seed}")
        print(f"\n{ITEMS} items in {took:.1f} s with {INTERRUPTIONS} interruptions, {replayed} calls sent again; peak RSS "
              f"{big_peak / 1024:.1f} MB ({small_peak / 1024:.1f} MB for 500 items); all done: a run takes {again:.2f} s, a new first "
              f"item is begun after {first:.2f} s, a new last one after {last:.2f} s; seed {self.seed}")
        self.assertLess(big_peak, small_peak + 24 * 1024, "memory grows with the number of items")
        # Less than a second on a machine that has nothing else to do.
        self.assertLess(first, 5)

    def seconds_until_the_effect(self, job, keys, place):
        """Of one new item at a place among all that are done."""
        self.write_items([*keys[:place], f"new{place}", *keys[place:]])
        goal = self.effects() + 1
        begun = time.monotonic()
        process = self.start_watched(job)
        wait_until(lambda: self.effects() >= goal, "the new item", LONG)
        took = time.monotonic() - begun
        self.assertEqual(process.wait(LONG), 0, process.err())
        return took


if __name__ == "__main__":
    unittest.main()

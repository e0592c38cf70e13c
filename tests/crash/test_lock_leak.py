"""Eight contenders, two thousand sections, SIGKILL at random: no two inside at once, no lock left, nobody starved."""

import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from processes import children_of, is_alive, kill  # noqa: E402  pylint: disable=wrong-import-position
from strace import needs_strace, start_and_stop_after  # noqa: E402  pylint: disable=wrong-import-position
from support import LOCKSTEP, SystemTest, wait_until  # noqa: E402  pylint: disable=wrong-import-position

CONTENDERS = 8
SECTIONS = int(os.environ.get("LOCK_LEAK_SECTIONS", "2000"))

# The marker is the oracle: it knows nothing of lockstep. `set -C` makes the redirection O_EXCL.
SECTION = r"""set -C
if ! echo $$ >"$1/inside"; then echo overlap >>"$1/overlaps"; exit 9; fi 2>/dev/null
echo s >>"$1/sections"
rm "$1/inside"
"""


def leads_a_session(pid):
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


class LockLeak(SystemTest):
    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.guard = threading.Lock()
        self.counts = [0] * CONTENDERS
        self.longest_wait = 0.0
        self.outcomes = {}
        self.live = {}

    def sections(self):
        try:
            return os.path.getsize(self.root / "sections") // 2
        except FileNotFoundError:
            return 0

    def contend(self, number, script, guarded):
        while not self.stop.is_set():
            argv = [LOCKSTEP, "exec", "--wait", "forever", "--quiet", str(self.lock), "--"] if guarded else []
            begun = time.monotonic()
            pid = os.posix_spawn("/usr/bin/env", ["env", *argv, "sh", str(script), str(self.root)], self.environment(),
                                 file_actions=[(os.POSIX_SPAWN_OPEN, 2, str(self.root / "stderr"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)])
            with self.guard:
                self.live[number] = pid
            _, status = os.waitpid(pid, 0)
            with self.guard:
                del self.live[number]
                self.counts[number] += 1
                self.longest_wait = max(self.longest_wait, time.monotonic() - begun)
                code = os.waitstatus_to_exitcode(status)
                self.outcomes[code] = self.outcomes.get(code, 0) + 1

    def kill_somebody(self, dice):
        """A front, a guardian, or both; never the section itself, for its death says nothing about the lock."""
        with self.guard:
            fronts = list(self.live.values())
        if not fronts:
            return 0
        front = dice.choice(fronts)
        # A section whose guardian was killed is the front's child, too, but leads no session.
        guardians = [pid for pid in children_of(front) if leads_a_session(pid)]
        victims = dice.choice(([front], guardians, [front, *guardians]))
        with self.guard:  # so that the pid is still that of a child that nobody has reaped
            if front not in self.live.values():
                return 0
            return sum(kill(victim, signal.SIGKILL) for victim in victims)

    def contest(self, sections, guarded, kills):
        script = self.root / "section.sh"
        script.write_text(SECTION)
        threads = [threading.Thread(target=self.contend, args=(number, script, guarded)) for number in range(CONTENDERS)]
        for thread in threads:
            thread.start()
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        killed = 0
        end = time.monotonic() + 480
        try:
            while self.sections() < sections and time.monotonic() < end and not (not guarded and self.overlaps()):
                if kills:
                    killed += self.kill_somebody(dice)
                self.reap()
                self.stop.wait(dice.random() * 0.02)
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(60)
        return killed, seed

    def reap(self):
        """Only orphans: a front is reaped by the contender that started it."""
        for pid in children_of(os.getpid()):
            with self.guard:
                if pid in self.live.values() or self.is_a_contenders(pid):
                    continue
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    @staticmethod
    def is_a_contenders(pid):
        # A child of ours whose session is ours was started by us; guardians and what they start have sessions of their own.
        try:
            return os.getsid(pid) == os.getsid(0)
        except ProcessLookupError:
            return True

    def said(self):
        """What was said but for the news of killed guardians."""
        lines = (self.root / "stderr").read_text(errors="replace").splitlines() if (self.root / "stderr").exists() else []
        return "\n".join(line for line in lines if "was killed by SIGKILL" not in line)

    def overlaps(self):
        return (self.root / "overlaps").exists()

    def test_without_a_lock_the_oracle_sees_overlaps(self):
        self.contest(SECTIONS, guarded=False, kills=False)
        self.assertTrue(self.overlaps(), "an oracle that never sees anything proves nothing")

    def test_no_overlap_no_lock_left_and_no_waiter_starved(self):
        killed, seed = self.contest(SECTIONS, guarded=True, kills=True)
        said = self.said()
        with self.subTest(seed=seed):
            self.assertFalse(self.overlaps(), f"two were inside at once; {said}")
            self.assertGreaterEqual(self.sections(), SECTIONS, f"{self.outcomes}; {said}")
            self.assertGreater(killed, SECTIONS // 50, "too few kills for this to mean anything")
            self.assertLess(self.longest_wait, 20, "a waiter starved")
            self.assertGreater(min(self.counts), max(self.counts) // 10, f"a waiter starved: {self.counts}")
            self.assertLessEqual(set(self.outcomes), {0, 70, -signal.SIGKILL}, f"{self.outcomes}; {said}")
            # What the last kills left behind is adopted, and then nothing is left.
            last = self.lockstep("exec", "--wait", "60s", self.lock, "--", "true")
            self.assertEqual(last.status, 0, last.err)
            wait_until(lambda: self.reap() or not self.my_processes(), "the end of every process")
            self.assertFalse(os.path.lexists(self.lock))
            self.assertFalse((self.root / "inside").exists())


@needs_strace
class BetweenMkdirAndFlock(SystemTest):
    def test_who_made_the_directory_still_finds_the_orphan_of_one_that_came_between_and_was_killed(self):
        late, maker = start_and_stop_after(self, "mkdirat,mkdir", LOCKSTEP, "exec", self.lock, "--", "true")
        self.assertTrue(self.lock.exists())
        between = self.hold(self.lock)
        guardian = between.guardian()
        kill(between.pid)
        kill(guardian)
        wait_until(lambda: not between.running() and not is_alive(guardian), "the end of the one that came between")
        kill(maker, signal.SIGCONT)
        self.assertEqual(late.wait(), 75, late.err())
        self.assertIn("a command that a killed run left at work", late.err())
        self.assertTrue(self.lock.exists(), "the lock of a command that is still at work was removed")
        between.let_go()
        self.assertEqual(self.lockstep("exec", "--wait", "60s", self.lock, "--", "true").status, 0)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

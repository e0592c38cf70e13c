"""The guardian of an `exec` is killed at each of its system calls: nobody is ever inside beside its command, the front does not
end before that, and the next run takes every lock and leaves none."""

import itertools
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from support import LOCKSTEP, SystemTest, wait_until  # noqa: E402  pylint: disable=wrong-import-position

AT_SYSCALL = os.path.abspath(os.environ.get("AT_SYSCALL", pathlib.Path(LOCKSTEP).parent / "tests/crash/at_syscall"))
GUARDIAN_KILLED = 70

# Whoever is inside makes a file that must not be there yet; it takes a moment, so that who does not wait meets it.
# At its end its parent is the guardian, or the front after that one's death; or somebody else, if the front did not wait for it.
SECTION = """set -C; : >"inside" || { echo overlap >>overlaps; exit 9; }
sleep 0.03
read -r _ _ _ parent _ </proc/$$/stat
[ "$(readlink "/proc/$parent/exe")" = "$LOCKSTEP" ] || : >alone
rm inside"""


class ExecKills(SystemTest):
    def setUp(self):
        super().setUp()
        if not os.access(AT_SYSCALL, os.X_OK):
            self.fail(f"no at_syscall at {AT_SYSCALL}: build it, or name it by AT_SYSCALL=")
        self.locks = (self.root / "a.lock", self.root / "b.lock")
        self.out = self.root / "struck"
        self.more = {"env": self.environment(LOCKSTEP=os.path.realpath(LOCKSTEP))}

    def at(self, *order, options):
        """Runs the section under at_syscall. Returns its exit status and what at_syscall wrote."""
        self.out.unlink(missing_ok=True)
        result = self.run_to_end(AT_SYSCALL, self.out, *order, "--", LOCKSTEP, "exec", *options, "--", "sh", "-c", SECTION,
                                 **self.more)
        return result, self.out.read_text() if self.out.exists() else ""

    def sweep(self, options, next_options=None):
        began = time.monotonic()
        result, calls = self.at("list", options=options)
        self.assertEqual(result.status, 0, result.err)
        number = calls.count("\n")
        self.assertGreater(number, 20)
        struck = 0
        for nth, victim in zip(range(1, number + 1), itertools.cycle(("guardian", "both", "guardian"))):
            (self.root / "alone").unlink(missing_ok=True)
            with self.subTest(nth=nth, victim=victim, call=calls.splitlines()[nth - 1]):
                result, call = self.at("kill", 0, nth, victim, options=options)
                if call:
                    struck += 1
                    self.assertEqual(result.status, GUARDIAN_KILLED if victim == "guardian" else -signal.SIGKILL, result.err)
                if victim == "guardian":
                    self.assertFalse((self.root / "alone").exists(), "the front ended before the command")
                after = self.run_to_end(LOCKSTEP, "exec", "-w", "60s", *(next_options or options), "--", "sh", "-c", SECTION,
                                        **self.more)
                self.assertEqual(after.status, 0, after.err)
                self.assertFalse((self.root / "overlaps").exists(), "two were inside at once")
                # A command whose guardian was killed may end last, and leave what no run has seen yet.
                wait_until(lambda: not self.my_processes(), "the end of all")
                for lock in self.locks:
                    self.assertFalse(lock.exists(), f"{lock} was left behind")
        # What the front has not found out in time the guardian asks itself: four calls more, in the listed run or in others.
        self.assertGreaterEqual(struck, min(number - 4, number * 9 // 10), "too few of the calls were reached")
        print(f"\n{' '.join(map(str, options))}: killed at {struck} of {number} system calls, {time.monotonic() - began:.0f} s",
              flush=True)

    def test_one_lock(self):
        self.sweep([self.locks[0]])

    def test_two_locks(self):
        self.sweep(["--lock", self.locks[1], "--lock", self.locks[0]])

    def test_a_reader(self):
        """The next one wants the lock alone, and so has to settle what the reader left."""
        self.sweep(["--shared", self.locks[0]], [self.locks[0]])

    def test_two_locks_shared(self):
        self.sweep(["--shared", "--lock", self.locks[1], "--lock", self.locks[0]], ["--lock", self.locks[0], "--lock", self.locks[1]])


if __name__ == "__main__":
    unittest.main()

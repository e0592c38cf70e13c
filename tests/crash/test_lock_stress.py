"""Contenders for one lock, killed, stopped and continued at random: no two inside who may not be, no lock left, nobody starved.

LOCK_STRESS_SECONDS=300 python3 -m unittest test_lock_stress runs each of them with 64 processes for five minutes.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from support import LOCKSTEP  # noqa: E402  pylint: disable=wrong-import-position

LOCK_STRESS = os.path.abspath(os.environ.get("LOCK_STRESS", pathlib.Path(LOCKSTEP).parent / "tests/crash/lock_stress"))
SECONDS = os.environ.get("LOCK_STRESS_SECONDS")
CONTENDERS = ["--contenders", "64", "--seconds", SECONDS] if SECONDS else ["--contenders", "8", "--sections", "10000", "--limit", "300"]

OVERLAY = """mount -t tmpfs none "$1" && mkdir "$1/lower" "$1/upper" "$1/work" "$1/merged" &&
mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" none "$1/merged" || exit 77
shift; exec "$@" """


class LockStress(unittest.TestCase):
    root = "/tmp"

    def stress(self, *options):
        done = self.run_stress([LOCK_STRESS, *CONTENDERS, "--kill-rate", "200", *options])
        print(done.stdout, file=sys.stderr, end="")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def run_stress(self, argv):
        return subprocess.run([*argv, "--root", self.root], capture_output=True, text=True, check=False)

    def test_writers(self):
        self.stress()

    def test_readers_and_writers(self):
        self.stress("--readers", "70")

    def test_readers_writers_and_scripts_with_mkdir(self):
        # With pauses: as long as somebody waits the directory stays, and a script's mkdir has no chance.
        self.stress("--readers", "30", "--contenders", "3", "--scripts", "2", "--pause", "4000", "--sections", "4000")

    def test_where_nobody_is_killed_nothing_is_left_even_for_a_moment(self):
        done = self.run_stress([LOCK_STRESS, "--contenders", "8", "--sections", "4000", "--readers", "50", "--kill-rate", "0"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class OnTmpfs(LockStress):
    root = "/dev/shm"


class OnOverlayfs(LockStress):
    """In a mount namespace of its own."""

    def run_stress(self, argv):
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("mounting an overlayfs needs root and unshare(1)")
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(["unshare", "-m", "sh", "-c", OVERLAY, "sh", place, *argv, "--root", f"{place}/merged"],
                                  capture_output=True, text=True, check=False)
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest(f"mounting an overlayfs is not allowed here: {done.stderr.strip()}")
        return done


if __name__ == "__main__":
    unittest.main()

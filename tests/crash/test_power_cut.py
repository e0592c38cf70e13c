"""The power fails under load: what was not synced is gone, and the API, which is elsewhere, remembers everything.

The state directory lies on an ext4 of its own on a loop device, which is shut down without flushing (EXT4_IOC_SHUTDOWN), as if
the plug had been pulled. Nothing else of the machine is touched: the mounts live in a namespace of this process, and the device
frees itself with the last mount.
"""

import ctypes
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import unittest

from crash_world import FULL, CrashTest, seed_of_this_run
from demo_api import DemoApi
from processes import guardian_of, kill
from support import LOCKSTEP, wait_until

CUTS = 40 if FULL else 10
ORDERS_A_CUT = 12

CLONE_NEWNS = 0x00020000
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


def run_tool(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{' '.join(map(str, argv))}: {done.stderr.strip() or done.returncode}"


class Disk:
    """An ext4 file system whose power can be cut."""

    def __init__(self, image, place):
        self.image, self.place = image, place

    def make(self):
        """What is in the way, or None."""
        for tool in ("mkfs.ext4", "mount", "umount"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                return f"there is no {tool}"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0:
            return f"no mount namespace of our own: {os.strerror(ctypes.get_errno())}"
        self.place.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(64 << 20)
        return (run_tool("mount", "--make-rprivate", "/") or run_tool("mkfs.ext4", "-q", "-F", str(self.image)) or self.mount()
                or self.try_a_cut())

    def mount(self):
        return run_tool("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self):
        return run_tool("umount", str(self.place))

    def try_a_cut(self):
        """Whether a cut loses what was not synced, and nothing else."""
        kept, lost = self.place / "kept", self.place / "lost"
        with open(kept, "wb") as file:
            os.fsync(file.fileno())
        lost.touch()
        try:
            self.cut()
        except OSError as problem:
            self.unmount()
            return f"EXT4_IOC_SHUTDOWN: {problem.strerror}"
        problem = self.unmount() or self.mount()
        if problem:
            return problem
        return None if kept.exists() and not lost.exists() else "a cut does not lose here what was not synced"

    def cut(self):
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Never the file system that the mount point itself lies on, whatever went wrong with the mount.
            if os.fstat(fd).st_dev == os.stat(self.image).st_dev:
                raise AssertionError(f"{self.place} is not mounted")
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)

    def come_back(self):
        wait_until(lambda: self.unmount() is None, "the unmounting")
        problem = self.mount()
        if problem:
            raise AssertionError(problem)


class PowerCut(CrashTest):
    def setUp(self):
        super().setUp()
        self.disk = Disk(self.root / "disk.img", self.root / "disk")
        problem = self.disk.make()
        if problem:
            self.skipTest(f"a power cut cannot be had here: {problem}")
        self.addCleanup(self.disk.unmount)
        self.state = self.disk.place / "state"
        self.api = DemoApi(self, "--delay", "2")
        self.seed = seed_of_this_run()
        self.dice = random.Random(self.seed)
        self.keys = []

    def effects(self):
        return len(self.api.ledger()["effects"])

    def start_load(self, keyed, before=()):
        """A run over new orders beside all the old ones, cut somewhere on its way."""
        self.keys += [f"o{len(self.keys) + n}" for n in range(ORDERS_A_CUT)]
        self.write_items(self.keys)
        job = self.shop_job(self.api.url, keyed=keyed, concurrency=4, settle="2s")
        goal = self.effects() + self.dice.randrange(2 * ORDERS_A_CUT)
        process = self.start(*before, LOCKSTEP, "run", job, "--state-dir", self.state) if before else \
            self.start_job(job)
        wait_until(lambda: self.effects() >= goal or not process.running(), "the load", 60)
        return process

    def cut_under(self, process, frozen=True):
        """Everything stops at one moment; or the run lives on for a moment and sees its disk fail."""
        guardian = guardian_of(process.pid)
        victims = [pid for pid in (process.pid, guardian) if pid]
        if frozen:
            for pid in victims:
                kill(pid, signal.SIGSTOP)
        self.disk.cut()
        if not frozen:
            status = process.wait(60)
            self.assertIn(status, (0, 74), f"seed {self.seed}: a disk that failed is 74: {process.err()}")
        for pid in victims if frozen else ():
            kill(pid, signal.SIGKILL)
        process.wait()
        self.wait_for_the_dead(self.api.process)
        self.disk.come_back()

    def assert_true_records(self):
        """What the journal calls done is done."""
        ledger = self.api.ledger()["orders"]
        for (key, _), state in self.pair_states().items():
            if state == "done":
                self.assertEqual((ledger[key]["reservations"], ledger[key]["captures"]), (1, 1), f"seed {self.seed}: {key}")

    def cut_often(self, keyed, cuts):
        in_between = failing = 0
        for _ in range(cuts):
            frozen = self.dice.random() < 0.7
            process = self.start_load(keyed)
            in_between += process.running()
            failing += not frozen
            self.cut_under(process, frozen)
            self.assert_true_records()
            if self.dice.random() < 0.5:
                result = self.run_job(self.root / "job.json", deadline=60)
                self.assertEqual(result.status, 0, f"seed {self.seed}: {result.err}")
                self.assert_exactly_once(self.api, len(self.keys), f"seed {self.seed}")
        result = self.run_job(self.root / "job.json", deadline=60)
        self.assertEqual(result.status, 0, f"seed {self.seed}: {result.err}")
        self.assert_exactly_once(self.api, len(self.keys), f"seed {self.seed}")
        self.assertGreater(in_between, cuts // 3, "too few cuts met a run for this to mean anything")
        print(f"\n{cuts} power cuts ({failing} with the run alive to see it, {in_between} in the middle of one), "
              f"{len(self.keys)} orders {'with' if keyed else 'without'} keys: seed {self.seed}")

    def test_nothing_is_sent_before_it_is_on_disk_so_a_probe_finds_everything(self):
        self.cut_often(keyed=False, cuts=(CUTS + 1) // 2)

    def test_with_keys_everything_is_done_exactly_once(self):
        self.cut_often(keyed=True, cuts=CUTS // 2)

    @unittest.skipUnless(shutil.which("strace"), "Debian's package strace is not installed")
    def test_the_oracle_sees_what_a_journal_without_syncs_loses(self):
        for _ in range(10):
            process = self.start_load(False, before=("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
                                                     "-e", "inject=fsync,fdatasync:retval=0"))
            self.disk.cut()
            self.kill_everything(self.api.process)
            process.wait()
            self.disk.come_back()
            self.run_job(self.root / "job.json", deadline=60)
            if self.api.ledger()["totals"]["duplicates"] > 0:
                return
        self.fail("an oracle that never sees anything proves nothing")


if __name__ == "__main__":
    unittest.main()

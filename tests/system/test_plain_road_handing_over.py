"""Where the plain road of `lockstep exec` leaves off, and where each of its system calls fails."""

import os
import re
import resource
import signal
import subprocess
import unittest

from plain_road import PlainRoadTest, ROADS, has_dealt_with, has_heap
from processes import command_line_of, is_alive, kill, parent_of
from strace import needs_strace, start_and_stop_after
from support import LOCKSTEP, PATIENCE, wait_until


class HandingOver(PlainRoadTest):
    """Each place at which the plain road leaves off and the program goes on: nothing is done twice, nothing is forgotten."""

    def test_a_busy_a_foreign_and_a_left_behind_lock(self):
        holder = self.hold()
        busy = self.on_both_roads("true")
        self.assertEqual(busy.status, 75)
        self.assertIn(f"pid {holder.pid}"[:3], busy.err)
        guardian = holder.guardian()
        kill(holder.pid)
        kill(guardian)
        kill(holder.command_pid)
        holder.wait()
        wait_until(lambda: not is_alive(guardian) and not is_alive(holder.command_pid), "the end of all")
        adopted = self.execute("echo", "mine")
        self.assertEqual((adopted.status, adopted.out), (0, "mine\n"))
        self.assertIn("took over", adopted.err)
        self.lock.mkdir(0o755)
        self.assertEqual(self.on_both_roads("true").status, 75)
        self.lock.rmdir()
        self.assert_nothing_left()

    def test_an_empty_directory_of_ours_is_no_lock_and_is_taken(self):
        for options in ROADS.values():
            self.lock.mkdir()
            self.lock.chmod(0o1700)
            result = self.execute("echo", "mine", options=options)
            self.assertEqual((result.status, result.out, result.err), (0, "mine\n", ""))
            self.assert_nothing_left()

    @needs_strace
    def test_a_stop_before_the_command_runs_nothing(self):
        """Sent to the front while its guardian is stopped between its system calls."""
        for options in ROADS.values():
            marker = self.root / "ran"
            process, guardian = start_and_stop_after(self, "pwrite64", LOCKSTEP, "exec", *options, self.lock, "--", "touch", marker)
            front = parent_of(guardian)
            self.assertIn(f"\nguardian {guardian}\n", (self.lock / "record").read_text())
            os.kill(front, signal.SIGTERM)
            wait_until(lambda: has_dealt_with(front, signal.SIGTERM), "the front to pass it on")
            os.kill(guardian, signal.SIGCONT)
            self.assertEqual(process.wait(), 75, process.err())
            self.assertFalse(marker.exists())
            self.assert_nothing_left()

    def test_a_command_that_is_stopped_and_goes_on(self):
        holder = self.hold()
        os.kill(holder.command_pid, signal.SIGSTOP)
        holder.says("is stopped")
        os.kill(holder.command_pid, signal.SIGCONT)
        holder.let_go()
        self.assertEqual(holder.wait(), 0, holder.err())
        self.assert_nothing_left()

    def test_the_front_dies_and_then_the_command_ends(self):
        holder = self.hold()
        guardian = holder.guardian()
        kill(holder.pid)
        holder.wait()
        self.assertTrue(is_alive(guardian))
        holder.let_go()
        wait_until(lambda: not self.lock.exists(), "the guardian to give the lock back")
        self.assert_nothing_left()

    def test_a_relative_path_is_on_the_plain_road_too(self):
        (self.root / "sub").mkdir()
        for place in ("./job.lock", "sub/../job.lock"):
            holder = self.start_lockstep("exec", place, "--", "sh", "-c", 'echo "$LOCKSTEP_LOCK"; exec sleep 300')
            wait_until(holder.out, "the command")
            self.assertEqual(holder.out(), f"{self.root}/{place.removeprefix('./')}\n")
            self.assertFalse(has_heap(holder.guardian()))
            holder.send(signal.SIGKILL)
            for pid in self.my_processes():
                if command_line_of(pid) == "sleep 300":
                    kill(pid)
            wait_until(lambda: self.reap() or not self.my_processes(), "the end of all")
        self.assert_nothing_left()

    def test_a_waiter_gets_the_directory_itself_from_the_plain_road(self):
        holder = self.hold()
        inode = self.lock.stat().st_ino
        waiter = self.start_lockstep("exec", "--wait", "60s", self.lock, "--", "stat", "-c", "%i", self.lock)
        waiter.says("waiting")
        holder.let_go()
        self.assertEqual((holder.wait(), waiter.wait()), (0, 0), waiter.err())
        self.assertEqual(int(waiter.out()), inode)
        self.assert_nothing_left()

    def test_without_descriptors(self):
        answers = {}
        for limit in range(3, 16):
            for name, options in ROADS.items():
                result = self.execute("true", options=options, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
                self.assertFalse(self.lock.exists(), f"{name}, {limit}: {result.err}")
                answers.setdefault(limit, []).append(result.status)
        for limit, both in answers.items():
            # The plain road never needs more, and may need less.
            self.assertTrue(both[0] == both[1] or both[0] == 0, f"{limit}: {both}")

    def test_without_processes(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become a user without processes")
        self.root.chmod(0o755)
        place = self.root / "theirs"
        place.mkdir()
        os.chown(place, 64321, 64321)
        for limit in (1, 2, 3):
            answers = []
            for options in ROADS.values():
                done = subprocess.run([LOCKSTEP, "exec", *options, str(place / "job.lock"), "--", "true"], user=64321, group=64321, extra_groups=[],
                                      capture_output=True, text=True, timeout=PATIENCE, check=False, env=self.environment(), cwd="/",
                                      preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NPROC, (n, n)))
                answers.append((done.returncode, self.without_accidents(done.stderr)))
                self.assertEqual(os.listdir(place), [])
            with self.subTest(limit=limit):
                self.assertEqual(*answers)


@needs_strace
class EveryCallFails(PlainRoadTest):
    """Each system call of the plain road fails once: the exit status tells the truth, and no lock stays."""

    CALLS = ("socketpair", "mmap", "clone", "setsid", "signalfd4", "openat", "fstat", "fstatfs", "mkdirat", "flock", "newfstatat", "read", "readlink",
             "uname", "getrandom", "pwrite64", "poll", "unlinkat", "fcntl", "close", "prctl", "setpgid")

    def test_one_after_the_other(self):
        struck = 0
        for call in self.CALLS:
            for nth in (1, 2, 3):
                marker = self.root / "ran"
                marker.unlink(missing_ok=True)
                trace = self.root / "trace"
                result = self.run_to_end("strace", "-f", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={nth}",
                                         LOCKSTEP, "exec", self.lock, "--", "/usr/bin/touch", marker)
                hit = "INJECTED" in trace.read_text()
                struck += hit
                with self.subTest(call=call, nth=nth, hit=hit, err=result.err):
                    # Each process has its own nth call: the command's may have been hit, too.
                    self.assertTrue(marker.exists() or result.status != 0)
                    # What could not be removed is the next run's to remove.
                    if os.path.lexists(self.lock):
                        self.assertTrue(call in ("unlinkat", "newfstatat", "flock", "fcntl", "openat"), f"{result.status}: {os.listdir(self.lock)}")
                        again = self.execute("true")
                        self.assertEqual(again.status, 0, again.err)
                    wait_until(lambda: not self.my_processes(), "the end of every process")
                    self.assertFalse(os.path.lexists(self.lock))
        self.assertGreater(struck, len(self.CALLS))

    def test_of_both_roads_the_same_steps_make_the_lock_and_give_it_back(self):
        steps = {"mkdirat", "openat", "flock", "newfstatat", "fcntl", "pwrite64", "unlinkat"}

        def of_the_lock(*options):
            trace = self.root / "trace"
            result = self.run_to_end("strace", "-f", "-o", trace, "-e", "trace=" + ",".join(sorted(steps)), LOCKSTEP, "exec", *options, self.lock, "--",
                                     "/bin/true")
            self.assertEqual(result.status, 0, result.err)
            told = []
            for line in trace.read_text().splitlines():
                call = line.split(maxsplit=1)[1]
                if any(word in call for word in ('job.lock"', '"record"', "LOCK_", "OFD")):
                    told.append(call.split(" = ")[0].split("<unfinished")[0].strip().removesuffix(")"))
            return [re.sub(r"\b\d+\b", "N", call) for call in told if not call.startswith("openat(AT_FDCWD")]
        plain, other = of_the_lock(), of_the_lock("--wait", "0000s")
        self.assertEqual(plain, other)
        self.assertGreater(len(plain), 8)


if __name__ == "__main__":
    unittest.main()

"""`lockstep locks`: who holds what, since when, and what was left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from lock_commands import LocksTest
from support import LOCKSTEP, PATIENCE, as_root, wait_until
from terminal import Terminal


class Listing(LocksTest):
    def test_each_state_is_told_apart(self):
        holder = self.hold()
        run = self.leave_behind(self.place / "dead.lock")
        (self.place / "old.lock").mkdir()
        (self.place / "empty.lock").mkdir(0o1700)
        (self.place / "empty.lock").chmod(0o1700)
        # Neither of these is a lock.
        (self.place / "plain").mkdir()
        (self.place / "file.lock").write_text("")
        (self.place / "tmp").mkdir()
        (self.place / "tmp").chmod(0o1777)
        locks = self.locks()
        self.assertEqual({name: lock["state"] for name, lock in locks.items()},
                         {"job.lock": "held", "dead.lock": "left-behind", "old.lock": "foreign", "empty.lock": "unknown"})
        held = locks["job.lock"]
        self.assertEqual((held["pid"], held["guardianPid"]), (holder.pid, holder.guardian()))
        self.assertEqual(held["host"], os.uname().nodename)
        self.assertIn("exec cat", held["command"])
        self.assertRegex(held["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((held["waiters"], held["waiterPids"], held["readers"]), (0, [], []))
        self.assertEqual(locks["dead.lock"]["run"], run)
        self.assertIsNone(locks["old.lock"]["waiters"], "who waits for a mkdir lock cannot be known")

    def test_the_table_is_aligned_and_tells_how_to_remove_what_is_left_behind(self):
        holder = self.hold()
        run = self.leave_behind(self.place / "a dead one.lock")
        lines = self.table().splitlines()
        self.assertEqual(lines[0].split(), ["LOCK", "STATE", "PID", "USER", "SINCE", "WAITING", "WHAT"])
        for line in lines[1:]:
            if not line.startswith("  "):
                self.assertEqual(line[lines[0].index("STATE") - 2:lines[0].index("STATE")], "  ")
        text = "\n".join(lines)
        self.assertRegex(text, rf"{self.lock} +held +{holder.pid} ")
        self.assertIn("its run is dead; the next one takes it over", text)
        # The command that it tells is the command that works.
        [command] = re.findall(r"to remove it now: (.*)", text)
        self.assertEqual(command, f"lockstep unlock '{self.place}/a dead one.lock' --run {run}")
        done = self.run_to_end("sh", "-c", f'alias lockstep="{LOCKSTEP}"\n{command}')
        self.assertEqual(done.status, 0, done.err)
        self.assertFalse((self.place / "a dead one.lock").exists())

    def test_readers_are_counted(self):
        self.hold(None, "--shared")
        self.assertRegex(self.table(), rf"{self.lock} +shared +1 reader  ")
        self.hold(None, "--shared")
        self.assertRegex(self.table(), rf"{self.lock} +shared +2 readers  ")

    def test_what_a_reader_does_is_said_once_in_its_line(self):
        reader = self.hold(None, "--shared")
        [line] = [line for line in self.table().splitlines() if line.startswith(f"  pid {reader.pid} ")]
        self.assertEqual(line.count("exec cat"), 1, line)

    def test_waiters_are_counted_and_named(self):
        self.hold()
        waiters = [self.start_lockstep("exec", "--wait", "forever", self.lock, "--", "true") for _ in range(3)]
        for waiter in waiters:
            waiter.says("waiting")
        lock = wait_until(lambda: (lock := self.locks()["job.lock"])["waiters"] == 3 and len(lock["waiterPids"]) == 3 and lock,
                          "three waiters")
        mine = {pid for waiter in waiters for pid in (waiter.pid, waiter.guardian())}
        self.assertLessEqual(set(lock["waiterPids"]), mine)
        self.assertIn("3 wait: pid ", self.table())

    def test_looking_makes_nobody_wait_and_changes_nothing(self):
        self.leave_behind()
        before = sorted((path.name, path.stat().st_mtime_ns) for path in self.lock.iterdir())
        looking = self.start("strace", "-f", "-e", "trace=flock,fcntl,mkdir,mkdirat,unlink,unlinkat,rmdir,kill", "-o",
                             self.root / "trace", LOCKSTEP, "locks", "--root", self.place, "--state-dir", self.state)
        self.assertEqual(looking.wait(), 0, looking.err())
        for line in (self.root / "trace").read_text().splitlines():
            self.assertNotRegex(line, r"flock\(|F_(OFD_)?SETLK|mkdir|unlink|rmdir|kill\(")
        self.assertEqual(sorted((path.name, path.stat().st_mtime_ns) for path in self.lock.iterdir()), before)

    def test_a_stop_in_hand_is_told_with_who_asked(self):
        self.hold_story(1)
        job = self.article(seconds=0, lock=self.lock)
        runner = self.start_lockstep("run", job, "--state-dir", self.state)
        self.wait_for_story(1)
        runner.send(signal.SIGTERM)
        lock = wait_until(lambda: (lock := self.locks()["job.lock"])["stoppingSince"] and lock, "the stop in the record")
        self.assertEqual(lock["stoppingBy"], f"SIGTERM from pid {os.getpid()} (uid {os.getuid()})")
        self.assertEqual((lock["job"], lock["journal"]), ("article", str(self.state / "article.sqlite3")))
        self.assertIn(f"asked by SIGTERM from pid {os.getpid()}", self.table())
        status = self.lockstep("status", job, "--state-dir", self.state)
        self.assertRegex(status.out, r"stopping since [0-9: -]+, asked by SIGTERM from pid")

    def test_a_holder_that_is_stopped_is_told_with_what_lets_it_go_on(self):
        holder = self.hold()
        self.assertIs(self.locks()["job.lock"]["stopped"], False)
        guardian = holder.guardian()
        os.kill(guardian, signal.SIGSTOP)
        wait_until(lambda: self.locks()["job.lock"]["stopped"], "the stopped guardian")
        advice = f"its guardian (pid {guardian}) is stopped (as by SIGSTOP); kill -CONT {guardian} lets it go on"
        self.assertIn(advice, self.table())
        for busy in (("exec",), ("exec", "--wait", "10ms")):
            self.assertIn(advice, self.lockstep(*busy, self.lock, "--", "true").err)
        job = self.article(seconds=0, lock=self.lock)
        self.assertIn(advice, self.lockstep("status", job, "--state-dir", self.state).out)
        self.assertIn(advice, self.lockstep("run", job, "--state-dir", self.state).err)
        unlocked = self.unlock(self.lock, "--run", self.run_of(), "--terminate", "--wait", "10ms")
        self.assertIn("It was asked to stop, and will when it goes on", unlocked.err)
        os.kill(guardian, signal.SIGCONT)
        holder.let_go()
        holder.wait()
        self.assertEqual(self.locks(), {})

    def test_a_job_whose_lock_lies_elsewhere_is_found_by_its_journal(self):
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        self.hold_story(1)
        job = self.article(seconds=0, lock=elsewhere / "far.lock")
        self.start_lockstep("run", job, "--state-dir", self.state)
        self.wait_for_story(1)
        self.assertEqual(self.locks()["far.lock"]["state"], "held")
        # And so do status and resolve, which know the job by its name only.
        status = self.lockstep("status", "article", "--state-dir", self.state, "--json")
        self.assertEqual(json.loads(status.out)["lock"]["state"], "held", status.out)
        everything = self.lockstep("status", "--state-dir", self.state, "--json")
        self.assertEqual(json.loads(everything.out)[0]["lock"]["path"], str(elsewhere / "far.lock"))

    def test_several_roots_and_one_that_cannot_be_read(self):
        self.hold()
        other = self.root / "other"
        other.mkdir()
        (other / "x.lock").mkdir()
        locks = self.locks("--root", other)
        self.assertEqual(sorted(locks), ["job.lock", "x.lock"])
        self.assertEqual(len(self.locks("--root", self.place)), 1, "a root named twice is not shown twice")
        result = self.lockstep("locks", "--root", self.root / "missing", "--root", other, "--state-dir", self.state)
        self.assertEqual(result.status, 73)
        self.assertIn("missing: No such file or directory", result.err)
        self.assertIn("x.lock", result.out, "the others are shown all the same")

    def test_a_bare_name_stands_for_a_lock_in_the_default_root(self):
        self.hold()
        env = self.environment(LOCKSTEP_LOCK_ROOT=self.place)
        result = self.lockstep("locks", "--state-dir", self.state, "--json", env=env)
        self.assertEqual([lock["name"] for lock in json.loads(result.out)], ["job"], result.err)

    def test_no_lock_is_no_error(self):
        self.assertEqual(self.table(), f"no locks in {self.place}\n")
        self.assertEqual(self.locks(), {})

    def test_a_terminal_cuts_what_does_not_fit_but_never_a_command(self):
        self.hold(self.place / ("x" * 150 + ".lock"))
        self.leave_behind()
        terminal = Terminal(self, LOCKSTEP, "locks", "--root", self.place, "--state-dir", self.state)
        self.assertEqual(terminal.wait(), 0)
        lines = [line for line in terminal.read().splitlines() if line]
        self.assertTrue(all(len(line) <= 200 for line in lines if not line.startswith("  ")), lines)
        self.assertTrue(any("…" in line for line in lines), lines)
        self.assertIn(f"--run {self.run_of()}", terminal.read())

    @as_root
    def test_of_another_users_lock_is_told_what_can_be_known(self):
        for path in (self.root, self.place):
            path.chmod(0o755)
        holder = self.hold()
        self.leave_behind(self.place / "dead.lock")
        binaries = [shutil.copy(program, self.root) for program in (LOCKSTEP, LOCKSTEP + "-job")]
        done = subprocess.run([binaries[0], "locks", "--root", self.place, "--json"], user=65534, group=65534, extra_groups=[],
                              capture_output=True, env=self.environment(), timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        locks = {os.path.basename(lock["path"]): lock for lock in json.loads(done.stdout)}
        self.assertEqual(locks["job.lock"]["state"], "held")
        self.assertEqual((locks["job.lock"]["pid"], locks["job.lock"]["user"]), (holder.guardian(), "root"))
        self.assertEqual(locks["job.lock"]["command"], "")
        self.assertEqual(locks["dead.lock"]["state"], "unknown")
        self.assertIn("Permission denied", locks["dead.lock"]["text"])

    @as_root
    def test_a_lock_of_another_pid_namespace_is_not_said_to_be_left_behind(self):
        self.start("unshare", "--pid", "--fork", "--mount-proc", LOCKSTEP, "exec", self.lock, "--", "sleep", "300")
        wait_until((self.lock / "record").exists, "the lock")
        held = wait_until(lambda: (lock := self.locks()["job.lock"])["run"] and lock, "the lock")
        self.assertEqual(held["state"], "held", "our namespace is its parent: the kernel's list shows it")
        self.assertIn("held by pid 1 of another container or pid namespace", held["text"])
        self.assertIn(held["pid"], self.my_processes(), "a pid out here is one that means something out here")
        inside = self.run_to_end("unshare", "--pid", "--fork", "--mount-proc", LOCKSTEP, "locks", "--root", self.place,
                                 "--state-dir", self.state, "--json")
        [lock] = json.loads(inside.out)
        self.assertEqual(lock["state"], "unknown", inside.out)
        self.assertIn("another container or pid namespace", lock["text"])


if __name__ == "__main__":
    unittest.main()

"""`lockstep locks` and `unlock`: who holds what, what was left behind, and how it goes away."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from processes import kill, parent_of
from support import LOCKSTEP, PATIENCE, SystemTest, as_root, wait_until
from terminal import Terminal


class LocksTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.place = self.root / "locks"
        self.place.mkdir()
        self.lock = self.place / "job.lock"

    def locks(self, *options, expected=0, **more):
        result = self.lockstep("locks", "--root", self.place, "--state-dir", self.state, "--json", *options, **more)
        self.assertEqual(result.status, expected, result.err)
        return {os.path.basename(lock["path"]): lock for lock in json.loads(result.out)}

    def table(self, *options):
        result = self.lockstep("locks", "--root", self.place, "--state-dir", self.state, *options)
        self.assertEqual(result.status, 0, result.err)
        return result.out

    def hold(self, lock=None, *options):
        return super().hold(*options, lock or self.lock)

    def leave_behind(self, lock=None, orphan=False):
        """A run that was killed with all it had, unless its command is to work on. Returns its id."""
        holder = self.hold(lock)
        victims = [holder.pid, holder.guardian()] + ([] if orphan else [holder.command_pid])
        run = self.run_of(lock)
        for pid in victims:
            kill(pid)
        holder.wait()
        wait_until(lambda: self.reap() or not set(self.my_processes()) & set(victims), "the end of the killed")
        return run

    def run_of(self, lock=None):
        return self.locks()[os.path.basename(lock or self.lock)]["run"]

    def unlock(self, *words, **more):
        return self.lockstep("unlock", *words, **more)

    def refused(self, status, *words, **more):
        result = self.unlock(*words, **more)
        self.assertEqual((result.status, result.out), (status, ""), result.err)
        self.assertEqual(len(result.err.splitlines()), 1, result.err)
        return result.err


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
        self.assertEqual(wait_until(lambda: self.locks()["job.lock"], "the lock")["state"], "held",
                         "our namespace is its parent: the kernel's list shows it")
        inside = self.run_to_end("unshare", "--pid", "--fork", "--mount-proc", LOCKSTEP, "locks", "--root", self.place,
                                 "--state-dir", self.state, "--json")
        [lock] = json.loads(inside.out)
        self.assertEqual(lock["state"], "unknown", inside.out)
        self.assertIn("another container or pid namespace", lock["text"])


class Unlocking(LocksTest):
    def test_what_is_left_behind_goes_when_its_run_is_named(self):
        run = self.leave_behind()
        result = self.unlock(self.lock, "--run", run)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(result.out, f"{self.lock}: removed what run {run} had left behind\n")
        self.assert_nothing_left()

    def test_without_the_run_the_exact_command_is_told(self):
        run = self.leave_behind()
        command = f"lockstep unlock {self.lock} --run {run}"
        self.assertTrue(self.refused(64, self.lock).endswith(f": {command}\n"))
        self.assertTrue(self.refused(64, self.lock, "--run", "20200101T000000Z-00000000").endswith(f": {command}\n"))
        self.assertEqual(self.run_of(), run, "it is still there")

    def test_a_living_holder_is_refused_with_its_name(self):
        holder = self.hold()
        run = self.run_of()
        said = self.refused(75, self.lock, "--run", run)
        self.assertIn(f"held by pid {holder.pid}", said)
        self.assertIn(f"lockstep unlock {self.lock} --run {run} --terminate", said)
        self.assertIn(f"--run {run} --terminate", self.refused(64, self.lock))
        self.assertTrue(self.lock.exists())
        self.assertTrue(holder.running())

    def test_age_decides_nothing(self):
        self.hold()
        run = self.run_of()
        os.utime(self.lock, (0, 0))
        os.utime(self.lock / "record", (0, 0))
        self.refused(75, self.lock, "--run", run)

    def test_a_record_that_lies_about_its_process_does_not_take_a_held_lock_away(self):
        holder = self.hold()
        run = self.run_of()
        record = self.lock / "record"
        record.write_text(re.sub(r"boot .*", "boot 00000000-0000-0000-0000-000000000000", record.read_text()))
        said = self.refused(75, self.lock, "--run", run)
        self.assertTrue(holder.running() and record.exists(), said)

    def test_while_the_dead_runs_command_is_at_work_the_lock_stays(self):
        run = self.leave_behind(orphan=True)
        [command] = self.my_processes()
        table = self.table()
        self.assertIn(f"pid {command}, a command that a killed run left at work", table)
        said = self.refused(75, self.lock, "--run", run)
        self.assertIn("a command that a killed run left at work", said)
        self.assertEqual(self.run_of(), run)
        self.assertIn(f"kill {command}", self.refused(64, self.lock))
        self.assertTrue(said.endswith(f"end it first: kill {command}\n"), said)
        # What the table says is what works.
        [way] = re.findall(r"to remove it, end that first: (.*)", table)
        self.assertEqual(way, f"kill {command}; then: lockstep unlock {self.lock} --run {run}")
        os.kill(command, signal.SIGTERM)
        wait_until(lambda: self.reap() or not self.my_processes(), "its end")
        self.assertIn(f"to remove it now: lockstep unlock {self.lock} --run {run}", self.table())
        self.assertEqual(self.unlock(self.lock, "--run", run).status, 0)

    def test_what_a_killed_runs_command_left_running_is_found_by_the_mark_that_it_keeps(self):
        holder = self.start_lockstep("exec", self.lock, "--", "sh", "-c", "sleep 30 & echo $! >left; wait")
        left = int(wait_until(lambda: (self.root / "left").exists() and (self.root / "left").read_text().strip(), "its pid"))
        guardian = holder.guardian()
        run = self.run_of()
        victims = [holder.pid, guardian, parent_of(left)]
        for pid in victims:
            kill(pid)
        holder.wait()
        wait_until(lambda: self.reap() or not set(self.my_processes()) & set(victims), "the end of the killed")
        self.assertIn(f"end that first: kill {left}; then: lockstep unlock", self.table())
        said = self.refused(75, self.lock, "--run", run)
        self.assertIn(f"busy: pid {left}, started by a command that a killed run left at work", said)

    def test_a_scripts_mkdir_is_left_to_its_owner(self):
        self.lock.mkdir()
        self.assertIn(f"when you are sure that it does not, rmdir {self.lock}\n", self.table())
        self.assertIn(f"rmdir {self.lock}", self.refused(73, self.lock, "--run", "x"))
        self.assertIn(f"rmdir {self.lock}", self.refused(73, self.lock, "--run", "x", "--terminate"))
        self.assertTrue(self.lock.exists())

    def test_where_no_lock_can_be_the_name_is_wrong_and_no_option_is_named_that_unlock_lacks(self):
        (self.place / "file.lock").write_text("flock(1)'s")
        for status, place, why in [(66, self.root / "nosuch" / "x", "No such file or directory. What locks there are"),
                                   (66, self.place / "file.lock" / "x", "Not a directory. What locks there are"),
                                   (73, self.place / "file.lock", "is a plain file, not a lock directory"),
                                   (73, "/tmp/", "is a directory that others may use, not a lock"),
                                   (64, "", "the lock's name is empty")]:
            said = self.refused(status, place, "--run", "x")
            self.assertIn(why, said)
            self.assertNotIn("--lock", said)
            self.assertNotIn("rmdir", said)
        self.assertTrue((self.place / "file.lock").exists())

    def test_where_no_lock_is_there_is_nothing_to_do(self):
        result = self.unlock(self.lock, "--run", "x")
        self.assertEqual((result.status, result.out), (0, f"{self.lock}: there is no lock\n"), result.err)

    def test_a_waiter_gets_what_is_unlocked(self):
        run = self.leave_behind(orphan=True)
        waiter = self.start_lockstep("exec", "--wait", "forever", self.lock, "--", "echo", "mine")
        waiter.says("a command that a killed run left at work")
        said = self.refused(75, self.lock, "--run", run)
        self.assertIn("is taking it over from run", said)
        for pid in set(self.my_processes()) - {waiter.pid, waiter.guardian()}:
            kill(pid)
        self.assertEqual(waiter.wait(), 0, waiter.err())
        self.assert_nothing_left()

    def test_open_pairs_of_the_dead_run_are_told(self):
        self.hold_story(1)
        job = self.article(seconds=0, lock=self.lock)
        self.start_lockstep("run", job, "--state-dir", self.state)
        self.wait_for_story(1)
        run = self.run_of()
        self.kill_everything()
        result = self.unlock(self.lock, "--run", run)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn(f"1 pair is open in {self.state}/article.sqlite3: the next run of article settles it first", result.out)
        self.assert_nothing_left()

    @as_root
    def test_another_users_lock_is_left_to_them(self):
        self.leave_behind()
        os.chown(self.lock, 65534, 65534)
        said = self.refused(73, self.lock, "--run", "x")
        self.assertIn("sudo -u nobody lockstep unlock", said)
        self.assertTrue(self.lock.exists())


class Terminating(LocksTest):
    def test_a_living_holder_drains_and_the_lock_is_gone(self):
        let_go = self.hold_story(1)
        job = self.article(seconds=0, lock=self.lock)
        runner = self.start_lockstep("loop", job, "--state-dir", self.state)
        self.wait_for_story(1)
        run = self.run_of()
        unlocking = self.start_lockstep("unlock", self.lock, "--run", run, "--terminate")
        unlocking.says(f"asked pid {runner.pid} to stop")
        let_go()
        self.assertEqual(unlocking.wait(), 0, unlocking.err())
        self.assertIn(f"run {run} has given it back", unlocking.out())
        self.assertEqual(runner.wait(), 0, runner.err())
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()

    def test_a_wait_that_is_too_short_says_what_still_runs(self):
        holder = self.hold(self.lock, "--grace", "forever")
        run = self.run_of()
        result = self.unlock(self.lock, "--run", run, "--terminate", "--wait", "100ms")
        self.assertEqual((result.status, result.out), (75, ""))
        self.assertIn(f"it is still held by pid {holder.pid}", result.err)
        self.assertTrue(holder.running())
        self.assertIn("SIGTERM from pid", holder.err())

    def test_a_holder_that_dies_over_it_is_cleared_away(self):
        holder = self.hold(self.lock, "--grace", "forever")
        run = self.run_of()
        unlocking = self.start_lockstep("unlock", self.lock, "--run", run, "--terminate", "--wait", "forever")
        unlocking.says("waiting until")
        self.kill_everything(unlocking)
        self.assertEqual(unlocking.wait(), 0, unlocking.err())
        self.assertIn("removed what run", unlocking.out())
        holder.wait()
        self.assert_nothing_left()

    def test_another_process_with_the_holders_pid_is_not_signalled(self):
        run = self.leave_behind()
        bystander = self.start("sleep", "300")
        record = self.lock / "record"
        text = record.read_text()
        for name in ("guardian", "front"):
            text = re.sub(rf"^{name} \d+", f"{name} {bystander.pid}", text, flags=re.M)
            text = re.sub(rf"^{name}_start \d+", f"{name}_start 1", text, flags=re.M)
        record.write_text(text)
        result = self.unlock(self.lock, "--run", run, "--terminate")
        self.assertEqual(result.status, 0, result.err)
        self.assertTrue(bystander.running())

    def test_a_signal_ends_the_waiting_and_leaves_the_lock(self):
        self.hold(self.lock, "--grace", "forever")
        unlocking = self.start_lockstep("unlock", self.lock, "--run", self.run_of(), "--terminate", "--wait", "forever")
        unlocking.says("waiting until")
        unlocking.send(signal.SIGINT)
        self.assertEqual(unlocking.wait(), -signal.SIGINT)
        self.assertTrue(self.lock.exists())

    @as_root
    def test_a_holder_in_another_pid_namespace_is_not_signalled(self):
        self.start("unshare", "--pid", "--fork", "--mount-proc", LOCKSTEP, "exec", self.lock, "--", "sleep", "300")
        run = wait_until(lambda: "job.lock" in (locks := self.locks()) and locks["job.lock"]["run"], "the lock")
        said = self.refused(75, self.lock, "--run", run, "--terminate")
        self.assertIn("another container or pid namespace", said)
        self.assertIn("send SIGTERM there", said)


if __name__ == "__main__":
    unittest.main()

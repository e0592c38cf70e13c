"""`lockstep unlock`: what was left behind goes away, and a live holder is asked to end."""

import os
import re
import shlex
import signal
import unittest

from lock_commands import LocksTest
from processes import kill, parent_of
from support import LOCKSTEP, as_root, wait_until


class Unlocking(LocksTest):
    def test_the_command_to_type_next_can_be_typed_whatever_the_lock_is_called(self):
        lock = self.root / "a\nb.lock"
        holder = self.hold(lock)
        refused = self.lockstep("unlock", lock)
        self.assertEqual(refused.status, 64, refused.err)
        self.assertIn("lockstep unlock $'" + str(lock).replace("\n", "\\n") + "' --run ", refused.err)
        holder.let_go()
        self.assertEqual(holder.wait(), 0)

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

    def test_where_the_record_is_empty_what_is_told_can_be_typed(self):
        self.leave_behind()
        (self.lock / "record").write_text("")
        said = self.refused(75, self.lock)
        [command] = re.findall(r"it keeps no run of lockstep out; lockstep (.*) removes it", said)
        self.assertIn(f"lockstep {command} removes it", self.table())
        result = self.lockstep(*shlex.split(command))
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("took over what a run that had not written its record left behind", result.err)
        self.assert_nothing_left()

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

    def test_what_somebody_put_into_it_is_named_and_the_advice_works(self):
        exec_ended = self.run_to_end(LOCKSTEP, "exec", self.lock, "--", "sh", "-c", "touch $LOCKSTEP_LOCK/core")
        self.assertIn("somebody has put files into it: core", exec_ended.err)
        advice = f"move away what is in it (core), then rmdir {self.lock}"
        self.assertIn(advice, self.table())
        self.assertIn(advice, self.refused(75, self.lock, "--run", "x"))
        (self.lock / "core").unlink()
        self.lock.rmdir()

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
        run = self.leave_behind()
        os.chown(self.lock, 65534, 65534)
        said = self.refused(73, self.lock, "--run", "x")
        self.assertTrue(said.endswith(f": sudo -u nobody lockstep unlock {self.lock} --run {run}\n"), said)
        self.assertIn(f"to remove it now: sudo -u nobody lockstep unlock {self.lock} --run {run}", self.table())
        os.chown(self.lock, 54321, 54321)
        self.assertIn(f": sudo -u '#54321' lockstep unlock {self.lock}", self.refused(73, self.lock), "as sudo takes a uid")
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

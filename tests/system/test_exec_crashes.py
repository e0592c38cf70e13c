"""Fronts, guardians and commands of `lockstep exec` are stopped and killed: nothing leaks, and the next run knows."""

import os
import signal
import unittest

from exec_runs import ExecTest
from processes import children_of, command_line_of, guardian_of, is_alive, kill
from support import wait_until


class Crashes(ExecTest):
    def test_a_killed_guardian_is_70_after_the_command_has_ended(self):
        holder = self.hold()
        kill(holder.guardian())
        holder.says("was killed by SIGKILL")
        self.assertTrue(is_alive(holder.command_pid), "the command was to go on")
        waiting = self.execute("true")
        self.assertEqual(waiting.status, 75, "an orphan still works under this lock: " + waiting.err)
        holder.let_go()
        self.assertEqual(holder.wait(), 70)
        self.assertFalse(is_alive(holder.command_pid))
        result = self.execute("echo", "mine")
        self.assertEqual((result.status, result.out), (0, "mine\n"))
        self.assertIn("took over", result.err)
        self.assert_nothing_left()

    def test_a_script_that_takes_every_number_it_can_name_for_its_own_files_is_seen_all_the_same(self):
        script = 'for n in 3 4 5 6 7 8 9; do eval "exec $n>\\"$0\\""; done; echo begun >&9; while [ ! -e go ]; do sleep 0.02; done'
        other = self.root / "other.lock"
        for options in ((self.lock,), ("--wait", "1s", self.lock), ("--shared", self.lock), ("--lock", other, "--lock", self.lock)):
            with self.subTest(options=options):
                begun = self.root / "begun"
                begun.unlink(missing_ok=True)
                holder = self.start_lockstep("exec", *options, "--", "sh", "-c", script, begun)
                wait_until(lambda: begun.exists() and begun.read_text() == "begun\n", "the script to have begun")
                kill(guardian_of(holder.pid))
                holder.says("was killed by SIGKILL")
                for lock in (self.lock, other) if other in options else (self.lock,):
                    result = self.lockstep("exec", lock, "--", "true")
                    self.assertEqual(result.status, 75, result.err)
                    self.assertIn("a command that a killed run left at work", result.err)
                (self.root / "go").touch()
                self.assertEqual(holder.wait(), 70)
                (self.root / "go").unlink()
                for lock in (self.lock, other):
                    self.assertEqual(self.lockstep("exec", lock, "--", "true").status, 0)
        self.assert_nothing_left(self.lock, other)

    def test_a_stop_request_that_nobody_obeys_any_more_is_answered_with_what_ends_the_command(self):
        holder = self.hold()
        kill(holder.guardian())
        holder.says("was killed by SIGKILL")
        os.kill(holder.pid, signal.SIGTERM)
        group = os.getpgid(holder.command_pid)
        holder.says(f"SIGTERM from pid {os.getpid()} (uid {os.getuid()}): the guardian is dead; waiting for the command "
                    f"(pid {group}): kill -TERM -{group} ends it")
        self.assertTrue(is_alive(holder.command_pid))
        os.killpg(group, signal.SIGTERM)
        self.assertEqual(holder.wait(), 70)

    def test_after_a_kill_of_both_the_next_run_waits_for_the_orphan_and_takes_over(self):
        holder = self.hold()
        guardian = holder.guardian()
        kill(holder.pid)
        kill(guardian)
        holder.wait()
        # Not kill -0, to which a zombie answers, too.
        waiter = self.start_exec("sh", "-c", f"readlink /proc/{holder.command_pid}/exe >/dev/null && echo overlap; true",
                                 options=["--wait", "forever"])
        waiter.says("waiting")
        holder.let_go()
        self.assertEqual((waiter.wait(), waiter.out()), (0, ""), waiter.err())
        self.assertIn("took over", waiter.err())
        self.assert_nothing_left()

    def test_a_daemon_left_behind_by_a_finished_command_keeps_no_lock(self):
        result = self.execute("sh", "-c", "setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!")
        self.assertEqual(result.status, 0)
        daemons = wait_until(lambda: [pid for pid in self.my_processes() if command_line_of(pid) == "sleep 300"], "the daemon")
        self.assertFalse(self.lock.exists())
        self.assertEqual(self.execute("true").status, 0)
        kill(daemons[0])
        self.assert_nothing_left()


class NoLeaks(ExecTest):
    def test_the_front_holds_few_descriptors_and_no_lock(self):
        holder = self.hold()
        for fd in os.listdir(f"/proc/{holder.pid}/fd"):
            self.assertNotIn(str(self.lock), os.readlink(f"/proc/{holder.pid}/fd/{fd}"),
                             "the front must not keep the lock of a killed guardian")
        self.assertEqual(len(children_of(holder.pid)), 1)


if __name__ == "__main__":
    unittest.main()

"""`lockstep exec` as the first process of a container, whose end is the end of all others there; and places that containers miss."""

import os
import shutil
import signal
import unittest

from processes import children_of, is_alive, kill
from support import LOCKSTEP, SystemTest, wait_until
from terminal import Terminal

CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc")


@unittest.skipUnless(os.geteuid() == 0, "needs root, for a pid namespace")
class FirstProcess(SystemTest):
    def start_container(self, *command, options=()):
        """lockstep exec as pid 1."""
        return self.start(*CONTAINER, LOCKSTEP, "exec", *options, self.lock, "--", *command)

    def start_inside(self, script, options=()):
        """The same with a command that has surely begun, for it makes a file. `.first` is the pid of pid 1 out here."""
        container = self.start_container("sh", "-c", f"touch begun; {script}", options=options)
        wait_until((self.root / "begun").exists, "the command")
        [container.first] = children_of(container.pid)
        return container

    def test_statuses_pass(self):
        for script, status in (("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", 143)):
            with self.subTest(script=script):
                self.assertEqual(self.start_container("sh", "-c", f"test $PPID != 1; {script}").wait(), status)
        self.assert_nothing_left()

    def test_it_reaps_what_loses_its_parent(self):
        # Each of them ends as a child of pid 1: its own parent, a subshell, ended first.
        container = self.start_inside('for i in 1 2 3 4 5 6 7 8; do (sh -c "sleep 0.0$i; touch gone.$i" &); done; '
                                      'while [ -e begun ]; do sleep 0.02; done')
        wait_until(lambda: all((self.root / f"gone.{i}").exists() for i in range(1, 9)), "the orphans")
        wait_until(lambda: len(children_of(container.first)) == 1, "pid 1 to reap them")
        self.assert_no_zombie_of(container.first)
        (self.root / "begun").unlink()
        self.assertEqual(container.wait(), 0)
        self.assert_nothing_left()

    def test_a_stop_from_outside_and_from_inside_is_passed_on_and_waits_for_the_command(self):
        for inside in (False, True):
            with self.subTest(inside=inside):
                container = self.start_inside("trap 'echo told; exit 6' TERM; " + ("kill -TERM 1; " if inside else "") +
                                              "while :; do sleep 0.02; done", options=("--grace", "300ms"))
                if not inside:
                    kill(container.first, signal.SIGTERM)
                self.assertEqual(container.wait(), 6, container.err())
                self.assertEqual(container.out(), "told\n")
                self.assertIn("SIGTERM from pid", container.err())
                (self.root / "begun").unlink()
                self.assert_nothing_left()

    def test_a_stop_while_it_waits_for_the_lock(self):
        holder = self.hold(self.lock)
        container = self.start_container("touch", "ran", options=("-w", "forever"))
        container.says("waiting")
        kill(children_of(container.pid)[0], signal.SIGTERM)
        self.assertEqual(container.wait(), 75)
        self.assertTrue(holder.running())
        self.assertFalse((self.root / "ran").exists())

    def test_it_outlives_its_guardian_as_long_as_the_command_works(self):
        container = self.start_inside("while [ -e begun ]; do sleep 0.02; done; touch ended")
        [guardian] = children_of(container.first)
        kill(guardian)
        container.says("was killed by SIGKILL; waiting for the commands that it ran")
        self.assertTrue(is_alive(container.first))
        self.assertEqual(self.lockstep("exec", self.lock, "--", "true").status, 75, "the command still works")
        (self.root / "begun").unlink()
        self.assertEqual(container.wait(), 70)
        self.assertTrue((self.root / "ended").exists(), "the end of pid 1 would have killed it")
        self.assertEqual(self.lockstep("exec", self.lock, "--", "true").status, 0)
        self.assert_nothing_left()

    def test_a_daemon_that_the_command_leaves_keeps_neither_the_container_nor_the_lock(self):
        container = self.start_container("sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & exit 2")
        self.assertEqual(container.wait(), 2)
        self.assert_nothing_left()

    def test_after_control_c_it_ends_by_130_for_no_signal_kills_pid_1(self):
        terminal = Terminal(self, *CONTAINER, LOCKSTEP, "exec", self.lock, "--", "sh", "-c", "echo begun; until [ -e go ]; do sleep 0.01; done")
        terminal.shows("begun\n")
        terminal.ctrl_c()
        terminal.shows("SIGINT from the keyboard")
        (self.root / "go").touch()
        self.assertEqual(terminal.wait(), 130, terminal.read())
        self.assert_nothing_left()

    def test_a_shell_at_a_terminal(self):
        terminal = Terminal(self, *CONTAINER, LOCKSTEP, "exec", "-i", self.lock, "--", "bash", "--norc", "--noediting", "-i",
                            env=self.environment(PS1="ready> "))
        terminal.shows("ready> ")
        terminal.check_job_control()
        terminal.type("exit 4\n")
        self.assertEqual(terminal.wait(), 4)
        self.assert_nothing_left()


@unittest.skipUnless(os.geteuid() == 0, "needs root, for a root or a /tmp of its own")
class WithoutTmp(SystemTest):
    def assert_says(self, result, *words):
        self.assertEqual(result.status, 73, result.err)
        self.assertEqual(len(result.err.splitlines()), 1, result.err)
        for word in (*words, "with --lock PATH, or all locks with LOCKSTEP_LOCK_ROOT"):
            self.assertIn(word, result.err)

    def in_small_root(self, *arguments, **more):
        """A container made from the one static program: no /tmp, no /proc, no shell."""
        small = self.root / "small"
        if not small.exists():
            small.mkdir()
            shutil.copy(LOCKSTEP, small / "lockstep")
        return self.run_to_end("chroot", small, "/lockstep", "exec", *arguments, **more)

    def test_a_missing_tmp(self):
        result = self.in_small_root("nightly", "--", "/lockstep", "exec", "--help")
        self.assert_says(result, "/tmp/nightly.lock: the directory /tmp that is to hold the lock cannot be opened", "Create it")

    def test_the_ways_that_it_names_work(self):
        command = ("--", "/lockstep", "exec", "--help")
        self.assertEqual(self.in_small_root("--lock", "/nightly.lock", *command).status, 0)
        environment = self.environment(LOCKSTEP_LOCK_ROOT="/")
        result = self.in_small_root("nightly", *command, env=environment)
        self.assertEqual((result.status, result.out[:3]), (0, "Run"), result.err)
        self.assertEqual(sorted(os.listdir(self.root / "small")), ["lockstep"])

    def test_a_tmp_that_is_read_only(self):
        script = 'mount -t tmpfs -o ro,mode=1777 none /tmp && exec "$0" exec nightly -- true'
        shutil.copy(LOCKSTEP, "/run/lockstep-under-test-" + self.mark)
        self.addCleanup(os.unlink, "/run/lockstep-under-test-" + self.mark)
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, "/run/lockstep-under-test-" + self.mark, cwd="/")
        self.assert_says(result, "/tmp is on a read-only file system")

    def test_a_tmp_of_somebody_else(self):
        script = 'mount -t tmpfs -o mode=0755 none /tmp && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" exec nightly -- true'
        shutil.copy(LOCKSTEP, "/run/lockstep-under-test-" + self.mark)
        self.addCleanup(os.unlink, "/run/lockstep-under-test-" + self.mark)
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, "/run/lockstep-under-test-" + self.mark, cwd="/")
        self.assert_says(result, "you (uid 65534) may not write in /tmp")

    def test_a_missing_proc_is_named_and_no_program_of_the_working_directory_is_taken_instead(self):
        planted = self.root / "lockstep-job"
        planted.write_text("#!/bin/sh\necho planted\n")
        planted.chmod(0o755)
        script = 'mount -t tmpfs none /proc && exec "$0" locks'
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, cwd=self.root)
        self.assertNotIn("planted", result.out)
        if result.status == 0:
            self.skipTest("lockstep-job is installed where this build looks for it")
        self.assertEqual(result.status, 71, result.err)
        self.assertIn("where lockstep itself lies is not known: /proc is not mounted here", result.err)

    def test_a_path_is_not_told_of_the_root_for_names(self):
        result = self.lockstep("exec", self.root / "missing/x.lock", "--", "true")
        self.assertEqual(result.status, 73)
        self.assertIn("choose another place with --lock", result.err)
        self.assertNotIn("LOCKSTEP_LOCK_ROOT", result.err)


if __name__ == "__main__":
    unittest.main()

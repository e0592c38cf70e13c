"""`lockstep exec`: a command for a shell, a command's time limit, what --verbose tells."""

import os
import signal
import time
import unittest

from exec_options import OptionsTest
from strace import needs_strace
from support import LOCKSTEP, wait_until


class ForAShell(OptionsTest):
    def test_it_is_run_by_sh(self):
        for arguments in (("-c", "echo $0 | wc -c; exit 3", self.a), (self.a, "-c", "echo $0 | wc -c; exit 3"),
                          ("--shell=echo $0 | wc -c; exit 3", self.a), (self.a, "--shell", "echo $0 | wc -c; exit 3"),
                          ("--lock", self.a, "-c", "echo $0 | wc -c; exit 3"), ("-scecho $0 | wc -c; exit 3", self.a)):
            with self.subTest(arguments=arguments):
                result = self.execute(*arguments)
                self.assertEqual((result.status, result.out, result.err), (3, "8\n", ""))

    def test_it_is_the_whole_command(self):
        for arguments in ((self.a, "-c", "touch ran", "more"), ("-c", "touch ran", self.a, "--", "more"), (self.a, "-c")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.execute(*arguments).status, 64)
        self.assertFalse((self.root / "ran").exists())

    def test_behind_the_dashes_it_is_a_commands_name(self):
        self.assertEqual(self.execute(self.a, "--", "-c", "true").status, 127)


class Limit(OptionsTest):
    def test_a_command_that_is_too_slow_is_told_to_end_and_is_124(self):
        begun = time.monotonic()
        result = self.execute("--limit", "2s", self.a, "-c", "trap 'echo told; exit 7' TERM; sleep 60 & wait")
        self.assertEqual((result.status, result.out), (124, "told\n"), result.err)
        self.assertIn("its limit of 2s is over: SIGTERM sent to /bin/sh (pid ", result.err)
        self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.assert_nothing_left(self.a)

    def test_one_that_does_not_listen_is_killed_5_s_later(self):
        begun = time.monotonic()
        result = self.execute("--limit=2s", self.a, "-c", "trap '' TERM; while :; do sleep 0.1; done")
        elapsed = time.monotonic() - begun
        self.assertEqual(result.status, 124)
        self.assertIn("SIGKILL sent to", result.err)
        self.assertGreaterEqual(elapsed, 7)
        self.assert_nothing_left(self.a)

    def test_a_stopped_one_ends_too(self):
        result = self.execute("--limit", "2s", self.a, "-c", "kill -STOP $$")
        self.assertEqual(result.status, 124)
        self.assertRegex(result.err, r"is stopped \(SIGSTOP\); kill -CONT -\d+ lets it go on")

    def test_one_that_is_quick_enough_keeps_its_status(self):
        result = self.execute("--limit", "20s", self.a, "-c", "exit 5")
        self.assertEqual((result.status, result.err), (5, ""))

    def test_the_wait_for_the_lock_does_not_count(self):
        holder = self.hold(self.a)
        waiter = self.start_lockstep("exec", "-w", "forever", "--limit", "2s", self.a, "--", "true")
        waiter.says("waiting")
        begun = time.monotonic()
        wait_until(lambda: time.monotonic() - begun > 2.1, "more than the limit")
        holder.let_go()
        self.assertEqual(waiter.wait(), 0, waiter.err())

    def test_it_cuts_the_grace_of_a_stop_short(self):
        run = self.start_lockstep("exec", "--grace", "forever", "--limit", "5s", self.a, "-c", "echo in >in; sleep 60")
        wait_until((self.root / "in").exists, "the command")
        run.send(signal.SIGTERM)
        run.says("SIGTERM from pid")
        self.assertEqual(run.wait(), 124)
        self.assert_nothing_left(self.a)


class Grace(OptionsTest):
    def test_0_passes_a_stop_on_at_once_and_keeps_the_lock_until_the_end(self):
        script = "trap 'echo told >told; while [ -e told ]; do sleep 0.02; done; exit 4' TERM; echo in >in; while :; do sleep 0.02; done"
        run = self.start_lockstep("exec", "--grace", "0", self.a, "-c", script)
        wait_until((self.root / "in").exists, "the command")
        run.send(signal.SIGTERM)
        wait_until((self.root / "told").exists, "the SIGTERM")
        self.assertEqual(self.execute(self.a, "--", "true").status, 75, "the command still cleans up")
        (self.root / "told").unlink()
        self.assertEqual(run.wait(), 4)
        self.assert_nothing_left(self.a)

    def test_others_see_since_when_it_is_stopping_and_who_asked(self):
        run = self.hold("--lock", self.a, "--lock", self.b)
        run.send(signal.SIGTERM)
        run.says("SIGTERM from pid")
        for lock in (self.a, self.b):
            self.assertRegex(self.execute(lock, "--", "true").err,
                             rf"busy: pid {run.pid} since .*, stopping since [0-9:]+, asked by SIGTERM from pid {os.getpid()} ")
        run.let_go()
        self.assertEqual(run.wait(), 0)


class Verbose(OptionsTest):
    def test_a_free_lock(self):
        result = self.execute("-v", self.a, "--", "true")
        self.assertEqual(result.status, 0)
        self.assertRegex(result.err, rf"^lockstep: {self.a}: taken after \d+ ms, without a wait\n$")

    def test_a_busy_one_and_who_held_it(self):
        holder = self.hold(self.a)
        waiter = self.start_lockstep("exec", "-v", "-w", "forever", self.a, "--", "true")
        waiter.says("waiting")
        holder.let_go()
        self.assertEqual(waiter.wait(), 0)
        self.assertRegex(waiter.err(), rf"{self.a}: taken after a wait of \d+ ms for pid {holder.pid} since [0-9:]+, running ")

    def test_each_of_several(self):
        result = self.execute("--verbose", "--lock", self.b, "--lock", self.a, "--", "true")
        self.assertEqual([line.split(": ")[1] for line in result.err.splitlines()], [str(self.a), str(self.b)])

    def test_quiet_says_nothing_of_a_stop_either_and_errors_all_the_same(self):
        for options in (["--grace", "0"], ["--grace", "100ms"], ["--limit", "200ms"]):
            with self.subTest(options=options):
                (self.root / "inside").unlink(missing_ok=True)
                process = self.start_lockstep("exec", "--quiet", *options, self.a, "-c", "touch inside; exec sleep 60")
                wait_until((self.root / "inside").exists, "the command to run")
                process.send(signal.SIGTERM)
                self.assertEqual((process.wait(), process.err()), (124 if "--limit" in options else 143, ""))
        missing = self.execute("--quiet", self.a, "--", "./missing")
        self.assertEqual(missing.status, 127)
        self.assertIn("./missing: No such file or directory", missing.err)

    def test_of_quiet_and_verbose_the_last_one_counts(self):
        self.assertEqual(self.execute("-vq", self.a, "--", "true").err, "")
        self.assertIn("taken after", self.execute("-qv", self.a, "--", "true").err)


class UsageErrors(OptionsTest):
    def test_each_names_the_mistake_and_runs_nothing(self):
        run = ("--", "touch", "ran")
        cases = [
            (("--shred", self.a, *run), "did you mean --shared?"),
            (("-z", self.a, *run), "unknown option -z"),
            (("--limit", "0", self.a, *run), "--limit: a command that may take no time"),
            (("--limit", "10", self.a, *run), "--limit: \"10\" is not a duration"),
            (("--shared=yes", self.a, *run), "--shared takes no value"),
            (("--lock",), "--lock needs a value"),
            (("--lock", "", *run), "--lock: the lock's name is empty"),
            (("", *run), "the lock's name is empty"),
            (("--lock", self.a), "which command?"),
            (("--lock", self.a, "--"), "which command?"),
        ]
        for arguments, words in cases:
            with self.subTest(arguments=arguments):
                result = self.execute(*arguments)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn(words, result.err)
        self.assertFalse((self.root / "ran").exists())
        self.assertFalse(self.a.exists())

    def test_the_help_names_every_option(self):
        help_text = self.execute("--help").out
        for option in ("--lock", "--shared", "--wait", "--busy-status", "--shell", "--limit", "--grace", "--quiet", "--verbose",
                       "LOCKSTEP_LOCK_ROOT", "LOCKSTEP_RUN_ID"):
            self.assertIn(option, help_text)
        self.assertLessEqual(max(len(line) for line in help_text.splitlines()), 120)


class NothingToHearAStopBy(OptionsTest):
    @needs_strace
    def test_then_nobody_waits_for_no_stop_would_end_that(self):
        holder = self.hold(self.a)
        for call, error, said in (("epoll_create1", "EMFILE", "Too many open files"), ("epoll_ctl", "ENOSPC", "No space left on device")):
            with self.subTest(call=call):
                result = self.run_to_end("strace", "-f", "-o", self.root / "trace", "-e", f"trace={call}", "-e", f"inject={call}:error={error}",
                                         LOCKSTEP, "exec", "--wait", "5s", self.a, "--", "true")
                self.assertEqual((result.status, result.err), (71, f"lockstep: {self.a}: listening for a stop while waiting: {said}\n"))
        holder.let_go()


if __name__ == "__main__":
    unittest.main()

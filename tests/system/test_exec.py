"""`lockstep exec`: the command must not notice that anybody stands before it, but for the lock."""

import os
import signal
import subprocess
import time
import unittest

from exec_runs import ExecTest
from support import LOCKSTEP, PATIENCE, wait_until
from terminal import Terminal


class PassedThroughUnchanged(ExecTest):
    def test_streams(self):
        result = self.execute("sh", "-c", "cat; echo to stderr >&2", stdin=self.file_with("from stdin\n"))
        self.assertEqual((result.status, result.out, result.err), (0, "from stdin\n", "to stderr\n"))
        self.assert_nothing_left()

    def file_with(self, text):
        path = self.root / "stdin"
        path.write_text(text)
        file = open(path, "rb")
        self.addCleanup(file.close)
        return file

    def test_a_pipe_on_stdin_is_read_to_its_end(self):
        text = b"line\n" * 100_000
        done = subprocess.run([LOCKSTEP, "exec", str(self.lock), "--", "cat"], input=text, capture_output=True, timeout=PATIENCE,
                              env=self.environment(), check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, text, b""))

    def test_a_closed_stdin_stays_closed(self):
        result = self.run_to_end("sh", "-c", 'exec "$0" exec "$1" -- ls /proc/self/fd <&-', LOCKSTEP, self.lock)
        self.assertEqual(result.status, 0, result.err)

    def test_working_directory_environment_and_umask(self):
        directory = self.root / "a directory"
        directory.mkdir()
        result = self.execute("sh", "-c", 'pwd; umask; echo "$GREETING"; env | grep -c LOCKSTEP_', cwd=directory, umask=0o027,
                              env=self.environment(GREETING="good morning"))
        self.assertEqual(result.out.splitlines(), [str(directory), "0027", "good morning", "3"])

    def test_a_lock_is_made_even_under_umask_0777(self):
        result = self.execute("sh", "-c", "umask", umask=0o777)
        self.assertEqual((result.status, result.out.strip()), (0, "0777"), result.err)
        self.assert_nothing_left()

    def test_every_exit_status(self):
        for status in (0, 1, 2, 42, 75, 124, 255):
            with self.subTest(status=status):
                self.assertEqual(self.execute("sh", "-c", f"exit {status}").status, status)

    def test_128_and_the_signal_that_ended_the_command(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV):
            with self.subTest(signal=number):
                self.assertEqual(self.execute("sh", "-c", f"kill -{int(number)} $$").status, 128 + number)
        self.assert_nothing_left()

    def test_126_and_127_when_the_command_cannot_be_started(self):
        missing = self.execute("./no-such-command")
        self.assertEqual(missing.status, 127)
        self.assertIn("./no-such-command: No such file or directory", missing.err)
        plain = self.root / "plain-file"
        plain.write_text("not executable")
        refused = self.execute("./plain-file")
        self.assertEqual(refused.status, 126)
        self.assertIn("./plain-file: Permission denied", refused.err)
        self.assert_nothing_left()

    def test_arguments_are_never_read_by_a_shell(self):
        words = ["a b", "", "$HOME", "'", '"', "*", "-x", "--", "a\nb", "ümlaut", "\\", ";ls"]
        result = self.execute("printf", "[%s]", *words)
        self.assertEqual(result.out, "".join(f"[{word}]" for word in words))

    def test_the_command_gets_no_descriptor_but_its_streams_and_its_mark(self):
        result = self.execute("sh", "-c", "for fd in /proc/$$/fd/*; do echo \"$(readlink \"$fd\")\"; done")
        others = [name for name in result.out.splitlines()
                  if name and not name.startswith((str(self.root), "/dev/null", "pipe:", "/proc/"))]
        self.assertEqual(others, [])
        self.assertEqual(len([name for name in result.out.splitlines() if name.startswith(str(self.lock))]), 1, result.out)

    def test_a_terminal_on_stdin_becomes_dev_null(self):
        terminal = Terminal(self, LOCKSTEP, "exec", self.lock, "--", "sh", "-c",
                            "readlink /proc/self/fd/0; read line || echo end of input; test -t 1 && echo stdout is the terminal")
        self.assertEqual(terminal.wait(), 0, terminal.read())
        for words in ("/dev/null", "end of input", "stdout is the terminal"):
            self.assertIn(words, terminal.read())

    def test_ignored_signals_stay_ignored_in_the_command(self):
        def ignore():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        result = self.execute("sh", "-c", "grep SigIgn /proc/self/status", preexec_fn=ignore)
        self.assertTrue(int(result.out.split()[1], 16) & 1, result.out)
        blocked = self.execute("sh", "-c", "grep SigBlk /proc/self/status")
        self.assertEqual(int(blocked.out.split()[1], 16), 0, "the command must not inherit our mask")


class UsageErrors(ExecTest):
    def test_each_is_64_names_the_mistake_and_runs_nothing(self):
        marker = self.root / "ran"
        cases = [
            ([], "NAME"),
            ([self.lock], ""),
            ([self.lock, "--"], ""),
            (["--no-such-option", self.lock, "--", "touch", marker], "--no-such-option"),
            (["--wait", "soon", self.lock, "--", "touch", marker], "soon"),
            (["--grace", "-1s", self.lock, "--", "touch", marker], "--grace"),
            (["--busy-status", "300", self.lock, "--", "touch", marker], "--busy-status"),
            (["--wait"], "--wait"),
        ]
        for arguments, words in cases:
            with self.subTest(arguments=arguments):
                result = self.lockstep("exec", *arguments)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn(words, result.err)
                self.assertIn("--help", result.err)
        self.assertFalse(marker.exists())
        self.assertFalse(self.lock.exists())

    def test_help_goes_to_stdout(self):
        result = self.lockstep("exec", "--help")
        self.assertEqual((result.status, result.err), (0, ""))
        for words in ("--wait", "--grace", "--busy-status", "/tmp/NAME.lock"):
            self.assertIn(words, result.out)


class BusyLocks(ExecTest):
    def test_a_busy_lock_is_75_and_names_the_holder(self):
        holder = self.hold()
        result = self.execute("true")
        self.assertEqual(result.status, 75)
        self.assertIn("busy", result.err)
        self.assertIn(f"pid {holder.pid}", result.err)
        self.assertEqual(len(result.err.splitlines()), 1, result.err)

    def test_busy_status_renames_75_and_quiet_says_nothing(self):
        self.hold()
        result = self.execute("echo", "ran", options=["--busy-status", "0", "--quiet"])
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))

    def test_a_wait_that_is_long_enough_gets_the_lock(self):
        holder = self.hold()
        waiter = self.start_exec("echo", "mine", options=["--wait", "60s"])
        waiter.says("waiting")
        holder.let_go()
        self.assertEqual((waiter.wait(), waiter.out()), (0, "mine\n"), waiter.err())
        self.assert_nothing_left()

    def test_a_wait_that_is_too_short_ends_in_time(self):
        self.hold()
        begun = time.monotonic()
        result = self.execute("true", options=["--wait=300ms"])
        elapsed = time.monotonic() - begun
        self.assertEqual(result.status, 75)
        self.assertGreaterEqual(elapsed, 0.3)
        self.assertLess(elapsed, 15)

    def test_waiters_for_ever_all_get_their_turn(self):
        holder = self.hold()
        waiters = [self.start_exec("sh", "-c", "echo turn >>turns", options=["--wait", "forever", "-q"]) for _ in range(8)]
        holder.let_go()
        for waiter in waiters:
            self.assertEqual(waiter.wait(), 0, waiter.err())
        self.assertEqual((self.root / "turns").read_text(), "turn\n" * 8)
        self.assert_nothing_left()

    def test_a_stop_while_waiting_is_75_at_once_and_touches_nothing(self):
        holder = self.hold()
        waiter = self.start_exec("touch", self.root / "ran", options=["--wait", "forever"])
        waiter.says("waiting")
        waiter.send(signal.SIGTERM)
        self.assertEqual(waiter.wait(), 75)
        self.assertFalse((self.root / "ran").exists())
        self.assertTrue(self.lock.exists())
        self.assertTrue(holder.running())

    def test_a_foreign_mkdir_lock_is_respected_and_waited_for(self):
        self.lock.mkdir()
        self.lock.chmod(0o755)
        result = self.execute("touch", self.root / "ran")
        self.assertEqual(result.status, 75, result.err)
        self.assertIn("busy", result.err)
        waiter = self.start_exec("touch", self.root / "ran", options=["--wait", "forever"])
        waiter.says("waiting")
        self.assertFalse((self.root / "ran").exists())
        self.lock.rmdir()
        self.assertEqual(waiter.wait(), 0)
        self.assertTrue((self.root / "ran").exists())
        self.assert_nothing_left()

    def test_a_mkdir_script_finds_our_lock_taken(self):
        self.hold()
        with self.assertRaises(FileExistsError):
            self.lock.mkdir()


class Stopping(ExecTest):
    COMMAND = ("sh", "-c", 'trap "echo term >>said" TERM; echo begun >>said; until [ -e go ]; do sleep 0.02; done; echo ended >>said')

    def said(self):
        path = self.root / "said"
        return path.read_text().split() if path.exists() else []

    def start_and_begin(self, *options):
        process = self.start_exec(*self.COMMAND, options=options)
        wait_until(self.said, "the command to begin")
        return process

    def let_it_end(self):
        (self.root / "go").touch()

    def test_a_stop_is_deferred_until_the_command_ends(self):
        process = self.start_and_begin()
        process.send(signal.SIGTERM)
        process.says("SIGTERM")
        self.assertTrue(process.running())
        self.let_it_end()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.said(), ["begun", "ended"])
        self.assertIn(f"pid {os.getpid()} (uid {os.getuid()})", process.err())
        self.assert_nothing_left()

    def test_after_the_grace_term_is_forwarded_once(self):
        process = self.start_and_begin("--grace", "200ms")
        process.send(signal.SIGTERM)
        wait_until(lambda: "term" in self.said(), "the SIGTERM")
        self.let_it_end()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.said(), ["begun", "term", "ended"])
        self.assertIn("grace", process.err())
        self.assert_nothing_left()

    def test_grace_0_forwards_at_once(self):
        process = self.hold("--grace", "0s")
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)
        self.assertRegex(process.err(), r"\A[^\n]*SIGTERM from pid \d+[^\n]*: SIGTERM sent to [^\n]*; waiting for its end\n\Z")
        self.assert_nothing_left()

    def test_grace_forever_never_forwards(self):
        process = self.start_and_begin("--grace", "forever")
        for _ in range(3):
            process.send(signal.SIGTERM)
        process.says("SIGTERM")
        self.let_it_end()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.said(), ["begun", "ended"])

    def test_the_death_of_the_front_keeps_the_lock_until_the_command_ends(self):
        process = self.start_and_begin()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        result = self.execute("true")
        self.assertEqual(result.status, 75, result.err)
        self.let_it_end()
        wait_until(lambda: not self.lock.exists(), "the guardian to give the lock back")
        self.assertEqual(self.said(), ["begun", "ended"])
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

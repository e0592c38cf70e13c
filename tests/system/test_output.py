"""What is said to a stdout that takes nothing, with streams that are closed, and without descriptors."""

import os
import re
import resource
import sqlite3
import subprocess
import time
import unittest

from support import LOCKSTEP, SystemTest


class UnwritableStdout(SystemTest):
    def commands(self):
        job = self.article(lock=self.lock)
        self.assertEqual(self.lockstep("run", job, "--state-dir", self.state).status, 0)
        state = ("--state-dir", self.state)
        yield from (["--help"], ["--version"], ["run", "--help"], ["exec", "--help"], ["manual"], ["completion", "bash"])
        yield from (["check", job], ["check", "--json", job], ["check", "--overdue", job, *state], ["run", job, "--dry-run"])
        yield from (["status", *state], ["status", job, *state], ["history", job, *state], ["locks", "--root", self.root, *state])
        yield from (["setup", "cron", job], ["convert", "--commands", "--", "true"], ["unlock", self.lock])

    def test_every_command_ends_with_74_and_one_line_that_says_why(self):
        for words in self.commands():
            for stream, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
                with self.subTest(words=words, stream=stream):
                    result = self.run_to_end("sh", "-c", f'exec "$0" "$@" {stream}', LOCKSTEP, *words)
                    self.assertEqual(result.status, 74, result.err)
                    *others, said = result.err.splitlines()
                    self.assertRegex(said, rf"^lockstep: (\w+: )?writing to stdout: {why}")
                    self.assertEqual(others, ["lockstep: convert: 0 lines converted, 0 left as they are"] if "convert" in words else [])

    def test_what_was_done_stays_done_and_is_told_on_stderr(self):
        made = self.run_to_end("sh", "-c", 'exec "$0" init command mine >/dev/full', LOCKSTEP)
        self.assertEqual(made.status, 74)
        self.assertEqual(made.err, "lockstep: writing to stdout: No space left on device. What it was to say: wrote ./mine.json; "
                                   "next: lockstep check mine.json; lockstep run mine.json --dry-run\n")
        self.assertEqual(self.lockstep("check", "mine.json").status, 0)

    def test_a_reader_that_leaves_early_ends_it_as_any_program_without_a_word(self):
        read, write = os.pipe()
        os.close(read)
        for words in (["--help"], ["manual"], ["locks", "--root", self.root, "--state-dir", self.state], ["exec", "--help"]):
            done = subprocess.run([LOCKSTEP, *words], stdout=write, stderr=subprocess.PIPE, env=self.environment(), timeout=20, check=False)
            self.assertEqual((done.returncode, done.stderr), (-13, b""), words)
        os.close(write)


class ClosedStreams(SystemTest):
    def test_what_is_meant_for_a_closed_stream_goes_nowhere(self):
        """Whatever has its number instead, a socket, the journal, would get it."""
        job = self.article(lock=self.lock)
        trace = self.root / "trace"
        done = self.run_to_end("sh", "-c", 'exec strace -ff -qq -s 200 -e trace=write -o "$0" "$@" <&- >&- 2>&-', trace, LOCKSTEP, "run", job,
                               "--state-dir", self.state)
        self.assertEqual(done.status, 0)
        self.assert_whole_pairs(at_least=1)
        self.assert_goes_nowhere(trace, r"write\([12], .*(article: |lockstep)")

    def assert_goes_nowhere(self, trace, line_of_ours):
        """A trace is a file for each thread: in one file a call would be torn by another thread's."""
        lines = [line for file in trace.parent.glob(trace.name + ".*") for line in file.read_text().splitlines()]
        own = [line for line in lines if re.search(line_of_ours, line)]
        self.assertTrue(own, "it has said something")
        for line in own:
            self.assertIn("EBADF", line)


    def test_so_it_does_with_exec_and_the_command_finds_them_closed_as_they_were(self):
        trace = self.root / "trace"
        script = ('test ! -e /proc/self/fd/2 && echo closed >seen; kill -TERM $PPID; sleep 0.1; ls -1 job.lock >>seen; '
                  'cat job.lock/record >>seen')
        for options in ((), ("--verbose",)):  # on the plain road, and not
            for closed in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
                with self.subTest(options=options, closed=closed):
                    for old in self.root.glob("trace.*"):
                        old.unlink()
                    done = self.run_to_end("sh", "-c", f'exec strace -ff -qq -s 200 -e trace=write -o "$0" "$@" {closed}', trace, LOCKSTEP,
                                           "exec", *options, self.lock, "--", "sh", "-c", script)
                    self.assertEqual(done.status, 0)
                    seen = (self.root / "seen").read_text()
                    self.assertTrue(seen.startswith("closed\nrecord\nrun "), seen[:200])
                    # write_now() asks poll(2) first, which may tell that nothing can be written there.
                    for file in self.root.glob("trace.*"):
                        self.assertNotRegex(file.read_text(), r'write\([0-9]+, "lockstep: .* = [0-9]')
        self.assert_nothing_left()


class OutputThatNobodyTakes(SystemTest):
    def talkative(self):
        # 300 kB on each stream: several pipes full.
        script = 'n=0; while [ $n -lt 3000 ]; do n=$((n+1)); echo "a line of a hundred characters ................................................................................."; done'
        return self.write_job({"lockstep": 1, "job": "talk", "lock": str(self.lock),
                               "steps": [{"step": "s", "first": self.command("sh", "-c", f"{script}; {script} >&2"),
                                          "second": self.command("touch", "finished")}]})

    def test_a_full_pipe_that_nobody_reads_delays_nothing(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        process = self.start_lockstep("run", self.talkative(), "--state-dir", self.state, stderr=write, stdout=write)
        os.close(write)
        self.assertEqual(process.wait(), 0)
        self.assertTrue((self.root / "finished").exists())
        self.assert_nothing_left()

    def test_all_that_a_command_prints_reaches_a_reader_that_is_slower(self):
        job = self.write_job({"lockstep": 1, "job": "much", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("seq", "1", "3000000")}]})
        read, write = os.pipe()
        process = self.start_lockstep("run", job, "--state-dir", self.state, stdout=write)
        os.close(write)
        got = 0
        with open(read, "rb", buffering=0) as stream:
            while piece := stream.read(65536):
                got += len(piece)
                time.sleep(0.002)  # that slow it is
        self.assertEqual((process.wait(), got), (0, sum(len(str(n)) + 1 for n in range(1, 3_000_001))))
        self.assertNotIn("dropped", process.err())

    def test_a_reader_of_stdout_who_sleeps_keeps_no_line_from_stderr_and_what_he_misses_is_told(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        process = self.start_lockstep("run", self.talkative(), "--state-dir", self.state, stdout=write)
        os.close(write)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.err(), r"(?s)done 1, failed 0.*warning: dropped: \d+ pieces? of the log and of commands' output")

    def test_a_reader_that_died_cuts_nothing(self):
        read, write = os.pipe()
        os.close(read)
        process = self.start_lockstep("run", self.talkative(), "--state-dir", self.state, stderr=write, stdout=write)
        os.close(write)
        self.assertEqual(process.wait(), 0)
        self.assertTrue((self.root / "finished").exists())
        self.assert_nothing_left()

    def test_closed_streams_cut_nothing_and_no_file_of_ours_takes_their_numbers(self):
        for streams in ("2>&-", ">&-", "<&-", "<&- >&- 2>&-"):
            with self.subTest(streams=streams):
                (self.root / "finished").unlink(missing_ok=True)
                result = self.run_to_end("sh", "-c", f'exec "$0" run "$1" --state-dir "$2" {streams}', LOCKSTEP, self.talkative(), self.state)
                self.assertEqual(result.status, 0, result.err)
                self.assertTrue((self.root / "finished").exists())
                database = sqlite3.connect(f"file:{self.state}/talk.sqlite3?mode=ro", uri=True)
                self.assertEqual(database.execute("pragma integrity_check").fetchone(), ("ok",))
                database.close()
        self.assert_nothing_left()

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_full_disk_under_the_log_cuts_nothing(self):
        with open("/dev/full", "wb") as full:
            process = self.start_lockstep("run", self.talkative(), "--state-dir", self.state, stderr=full, stdout=full)
        self.assertEqual(process.wait(), 0)
        self.assertTrue((self.root / "finished").exists())
        self.assert_nothing_left()

    def test_check_with_a_full_disk_as_stdout_is_no_success(self):
        with open("/dev/full", "wb") as full:
            process = self.start_lockstep("check", self.article(), stdout=full)
        self.assertNotEqual(process.wait(), 0)


class WithoutDescriptors(SystemTest):
    def test_it_is_71_whatever_was_being_done_and_nothing_is_left(self):
        job = self.article(lock=self.lock)
        self.assertEqual(self.lockstep("run", job, "--state-dir", self.state).status, 0)
        commands = (["exec", self.lock, "true"], ["exec", "--wait", "1s", self.lock, "-c", "true"],
                    ["exec", "--lock", self.lock, "--lock", self.root / "b.lock", "--", "true"],
                    ["run", job, "--state-dir", self.state], ["status", job, "--state-dir", self.state],
                    ["history", job, "--state-dir", self.state], ["locks", "--root", self.root, "--state-dir", self.state])
        (self.root / "foreign.lock").mkdir()
        for words in commands:
            refused = 0
            for most in range(4, 30):
                with self.subTest(words=words, most=most):
                    result = self.lockstep(*words, preexec_fn=lambda most=most: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
                    if result.status == 0:
                        continue
                    refused += 1
                    # Where not even the loader has a descriptor for a library it says so, with 127. Once a run has begun it is
                    # one phase that had none, and its item that comes again.
                    expected = (1,) if "did not take effect" in result.err else (71, 127)
                    self.assertIn(result.status, expected, result.err)
                    self.assertRegex(result.err, "Too many open files|cannot open shared object file")
            self.assertGreater(refused, 0, words)
        (self.root / "foreign.lock").rmdir()
        self.assert_nothing_left(self.lock, self.root / "b.lock")


if __name__ == "__main__":
    unittest.main()

"""`lockstep exec`: several locks, readers, a command's time limit, a command for a shell, nested use, what --verbose tells."""

import os
import re
import signal
import time
import unittest

from support import LOCKSTEP, SystemTest, wait_for_moment, wait_until


class OptionsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.a = self.root / "a.lock"
        self.b = self.root / "b.lock"

    def execute(self, *arguments, **more):
        return self.lockstep("exec", *arguments, **more)


class SeveralLocks(OptionsTest):
    def both(self, *more):
        return ("--lock", self.a, "--lock", self.b, *more)

    def test_all_are_held_while_the_command_runs_and_gone_afterwards(self):
        result = self.execute(*self.both("--", "sh", "-c", 'ls -d *.lock; echo "$LOCKSTEP_LOCK"; ls a.lock b.lock'))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.out.split(), ["a.lock", "b.lock", f"{self.a}:{self.b}", "a.lock:", "record", "b.lock:", "record"])
        self.assert_nothing_left(self.a, self.b)

    def test_one_lock_is_a_name_by_option(self):
        result = self.execute("--lock", self.a, "printf", "%s\n", "no", "dashes needed")
        self.assertEqual((result.status, result.out), (0, "no\ndashes needed\n"), result.err)

    def test_beside_lock_a_name_is_a_mistake(self):
        result = self.execute("--lock", self.a, "b", "--", "true")
        self.assertEqual(result.status, 64)
        self.assertIn("write --lock b", result.err)

    def test_a_lock_named_twice_in_different_words_is_taken_once(self):
        (self.root / "elsewhere").symlink_to(self.root)
        result = self.execute("--lock", self.a, "--lock", "./a.lock", "--lock", "elsewhere/a.lock", "--lock", self.b, "-c", "echo $LOCKSTEP_LOCK")
        self.assertEqual((result.status, result.out, result.err), (0, f"{self.a}:{self.b}\n", ""))
        self.assert_nothing_left(self.a, self.b)

    def test_if_one_is_busy_none_is_kept_and_it_is_named(self):
        for busy, free in ((self.a, self.b), (self.b, self.a)):
            with self.subTest(busy=busy.name):
                holder = self.hold(busy)
                result = self.execute(*self.both("-E", "9", "--", "touch", "ran"))
                self.assertEqual(result.status, 9)
                self.assertIn(f"{busy}: busy: pid {holder.pid}", result.err)
                self.assertEqual(len(result.err.splitlines()), 1, result.err)
                self.assertFalse(free.exists())
                holder.let_go()
                self.assertEqual(holder.wait(), 0)
        self.assertFalse((self.root / "ran").exists())

    def test_if_one_cannot_be_made_none_is_kept(self):
        result = self.execute("--lock", self.a, "--lock", self.root / "missing/b.lock", "--", "touch", "ran")
        self.assertEqual(result.status, 73)
        self.assertIn("missing", result.err)
        self.assertFalse(self.a.exists())
        plain = self.root / "zzz"
        plain.write_text("")
        result = self.execute("--lock", self.a, "--lock", plain, "--", "touch", "ran")
        self.assertEqual(result.status, 73)
        self.assertFalse(self.a.exists())

    def test_a_stop_while_it_waits_for_one_gives_the_others_back(self):
        holder = self.hold(self.b)
        waiter = self.start_lockstep("exec", *self.both("-w", "forever", "--", "touch", "ran"))
        waiter.says(f"{self.b}: waiting: pid {holder.pid}")
        self.assertTrue(self.a.exists())
        waiter.send(signal.SIGTERM)
        self.assertEqual(waiter.wait(), 75)
        self.assertFalse(self.a.exists())
        self.assertFalse((self.root / "ran").exists())

    def test_the_wait_is_for_all_together(self):
        first = self.hold(self.a)
        self.hold(self.b)
        begun = time.monotonic()
        waiter = self.start_lockstep("exec", *self.both("-w", "5s", "--", "true"))
        waiter.says("a.lock: waiting")
        wait_for_moment(begun + 2.5)
        first.let_go()
        waiter.says("b.lock: waiting")
        second_wait = time.monotonic()
        self.assertEqual(waiter.wait(), 75)
        self.assertGreaterEqual(time.monotonic() - begun, 5)
        self.assertLess(time.monotonic() - second_wait, 5, "the second wait was given all the time once more")

    def test_opposite_orders_never_deadlock(self):
        runs = []
        script = 'for i in 1 2 3 4 5 6 7 8; do "$0" exec -q -w forever --lock "$1" --lock "$2" -- sh -c "echo in >>log; echo out >>log" || exit; done'
        for pair in ((self.a, self.b), (self.b, self.a), ("./a.lock", self.b), (self.b, "./a.lock")):
            runs.append(self.start("sh", "-c", script, LOCKSTEP, *pair))
        for run in runs:
            self.assertEqual(run.wait(60), 0, run.err())
        self.assertEqual((self.root / "log").read_text().split(), ["in", "out"] * 32)
        self.assert_nothing_left(self.a, self.b)

    def test_the_command_of_a_killed_run_keeps_every_one_of_them(self):
        holder = self.hold(*self.both())
        os.kill(holder.guardian(), signal.SIGKILL)
        holder.says("was killed by SIGKILL")
        for lock in (self.a, self.b):
            result = self.execute(lock, "--", "true")
            self.assertEqual(result.status, 75, result.err)
            self.assertIn(f"pid {holder.command_pid}, a command that a killed run left at work", result.err)
        holder.let_go()
        self.assertEqual(holder.wait(), 70)
        result = self.execute(*self.both("--", "echo", "mine"))
        self.assertEqual((result.status, result.out), (0, "mine\n"), result.err)
        self.assertEqual(result.err.count("took over"), 2, result.err)
        self.assert_nothing_left(self.a, self.b)


class Readers(OptionsTest):
    def test_readers_run_beside_each_other_and_a_writer_waits_for_all(self):
        readers = [self.hold("--shared", self.a) for _ in range(3)]
        self.assertEqual(len([name for name in os.listdir(self.a) if re.fullmatch(r"r\.[^.]+", name)]), 3)
        writer = self.execute(self.a, "--", "true")
        self.assertEqual(writer.status, 75)
        self.assertRegex(writer.err, rf"busy: pid {readers[0].pid} .* and 2 more readers")
        waiting = self.start_lockstep("exec", "-w", "forever", self.a, "--", "echo", "alone")
        for reader in readers:
            self.assertTrue(waiting.running())
            reader.let_go()
            self.assertEqual(reader.wait(), 0, reader.err())
        self.assertEqual(waiting.wait(), 0)
        self.assert_nothing_left(self.a)

    def test_a_reader_finds_a_writers_lock_busy(self):
        self.hold(self.a)
        self.assertEqual(self.execute("-s", self.a, "--", "true").status, 75)

    def test_shared_applies_to_every_lock(self):
        reader = self.hold("-s", "--lock", self.a, "--lock", self.b)
        other = self.execute("-s", "--lock", self.b, "--lock", self.a, "--", "echo", "beside")
        self.assertEqual((other.status, other.out), (0, "beside\n"), other.err)
        for lock in (self.a, self.b):
            self.assertEqual(self.execute(lock, "--", "true").status, 75)
        reader.let_go()
        self.assertEqual(reader.wait(), 0)
        self.assert_nothing_left(self.a, self.b)

    def test_the_command_of_a_killed_reader_keeps_a_writer_out(self):
        reader = self.hold("-s", self.a)
        os.kill(reader.guardian(), signal.SIGKILL)
        reader.says("was killed by SIGKILL")
        self.assertEqual(self.execute("-s", self.a, "--", "true").status, 0)
        result = self.execute(self.a, "--", "true")
        self.assertEqual(result.status, 75)
        self.assertIn(f"pid {reader.command_pid}, a command that a killed run left at work", result.err)
        reader.let_go()
        self.assertEqual(reader.wait(), 70)
        self.assertEqual(self.execute(self.a, "--", "true").status, 0)
        self.assert_nothing_left(self.a)


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


class NestedUse(OptionsTest):
    """A command under a lock that asks for that lock once more is refused at once, however long it is ready to wait."""

    def nested(self, outer, inner):
        script = 'n=$1; shift; "$n" exec "$@"; echo "status $?"'
        return self.run_to_end(LOCKSTEP, "exec", *outer, "--", "sh", "-c", script, "sh", LOCKSTEP, *inner, "--", "echo", "ran")

    def assert_refused(self, result, lock):
        self.assertEqual(result.out, "status 73\n", result.err)
        self.assertIn(f"{lock}: this runs under that very lock already, as part of run 20", result.err)

    def test_the_same_lock(self):
        self.assert_refused(self.nested([self.a], ["-w", "forever", self.a]), self.a)
        self.assert_nothing_left(self.a)

    def test_through_another_name(self):
        (self.root / "link").symlink_to(self.root)
        self.assert_refused(self.nested([self.a], ["-w", "forever", "link/a.lock"]), self.root / "link/a.lock")

    def test_one_of_several_even_if_another_comes_first_and_is_busy(self):
        self.hold(self.a)
        inner = ["-w", "forever", "--lock", self.a, "--lock", self.b]
        self.assert_refused(self.nested([self.b], inner), self.b)

    def test_shared_and_alone_in_every_combination(self):
        for outer, inner in ((["-s"], []), ([], ["-s"]), (["-s"], ["-s"])):
            with self.subTest(outer=outer, inner=inner):
                self.assert_refused(self.nested([*outer, self.a], ["-w", "forever", *inner, self.a]), self.a)
                self.assert_nothing_left(self.a)

    def test_from_two_levels_below(self):
        script = f'"{LOCKSTEP}" exec b -- "{LOCKSTEP}" exec -w forever a -- true; echo "status $?"; echo $LOCKSTEP_RUN_ID | wc -w'
        result = self.execute("a", "-c", script, env=self.environment(LOCKSTEP_LOCK_ROOT=self.root))
        self.assertEqual(result.out.split(), ["status", "73", "1"], result.err)
        self.assertIn("runs under that very lock", result.err)

    def test_another_lock_is_taken_and_the_ids_add_up(self):
        result = self.nested([self.a], [self.b])
        self.assertEqual(result.out, "ran\nstatus 0\n", result.err)
        ids = self.execute(self.a, "--", LOCKSTEP, "exec", self.b, "-c", 'echo "$LOCKSTEP_RUN_ID $LOCKSTEP_LOCK"')
        self.assertRegex(ids.out, rf"^20\w+-\w+ 20\w+-\w+ {self.b}\n$")

    def test_an_id_of_a_run_that_is_over_is_no_hindrance(self):
        """As a daemon has it that a command left behind."""
        first = self.execute(self.a, "-c", "echo $LOCKSTEP_RUN_ID")
        again = self.execute(self.a, "--", "echo", "ran", env=self.environment(LOCKSTEP_RUN_ID=first.out.strip()))
        self.assertEqual((again.status, again.out), (0, "ran\n"), again.err)

    def test_the_command_of_a_killed_run_is_not_to_wait_for_itself(self):
        script = f'echo in >in; while [ -e in ]; do sleep 0.02; done; exec "{LOCKSTEP}" exec -w forever "{self.a}" -- true'
        outer = self.start_lockstep("exec", self.a, "-c", script)
        wait_until((self.root / "in").exists, "the command")
        os.kill(outer.guardian(), signal.SIGKILL)
        outer.says("was killed by SIGKILL")
        (self.root / "in").unlink()
        self.assertEqual(outer.wait(), 70)
        self.assertIn("runs under that very lock", outer.err())

    def test_a_job_that_runs_itself(self):
        job = self.write_job({"lockstep": 1, "job": "itself", "lock": str(self.a), "steps": [
            {"step": "again", "first": self.command(LOCKSTEP, "run", "job.json", "--wait", "forever", "--state-dir", self.state)}]})
        result = self.lockstep("run", job, "--state-dir", self.state)
        self.assertIn("runs under that very lock", result.err)

    def test_a_job_under_its_own_lock(self):
        job = self.article(lock=self.a)
        result = self.execute(self.a, "--", LOCKSTEP, "run", job, "--wait", "forever", "--state-dir", self.state)
        self.assertEqual(result.status, 73, result.err)
        self.assertEqual(self.story(), [])


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


if __name__ == "__main__":
    unittest.main()

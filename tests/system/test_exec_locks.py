"""`lockstep exec` with several locks, with readers, and under a lock that is held already."""

import os
import re
import signal
import time
import unittest

from exec_options import OptionsTest
from support import LOCKSTEP, wait_for_moment, wait_until


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


if __name__ == "__main__":
    unittest.main()

"""What flock(1), dotlockfile, setlock, chpst and run-one promise their users, kept by `lockstep exec`.

Where flock promises the same, both are put to the same test, so that it is surely the promise that is tested."""

import os
import signal
import time
import unittest

from support import LOCKSTEP, SystemTest, wait_for_moment, wait_until


class Flock:
    """flock(1) in the terms of these tests."""
    name = "flock"
    busy = 1

    @staticmethod
    def words(lock, *command, wait=None, shared=False, status=None):
        waiting = {None: ["-n"], "forever": []}.get(wait, ["-w", str(wait)])
        return ["flock", *waiting, *(["-s"] if shared else []), *(["-E", status] if status is not None else []),
                f"{lock}.flock", *command]


class Lockstep:
    name = "lockstep"
    busy = 75

    @staticmethod
    def words(lock, *command, wait=None, shared=False, status=None):
        waiting = {None: [], "forever": ["-w", "forever"]}.get(wait) or ([] if wait is None else ["-w", f"{wait * 1000:g}ms"])
        return [LOCKSTEP, "exec", *waiting, *(["-s"] if shared else []), *(["-E", status] if status is not None else []), lock,
                "--", *command]


def by_both(test):
    """Runs the test with each of them."""
    def run(self):
        for tool in (Flock, Lockstep):
            with self.subTest(tool=tool.name):
                self.tool = tool
                test(self)
                self._end_everything()
                self.processes.clear()
    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


class Promises(SystemTest):
    tool = Lockstep

    def locked(self, *command, **options):
        return self.run_to_end(*self.tool.words(self.lock, *command, **options))

    def start_locked(self, *command, **options):
        return self.start(*self.tool.words(self.lock, *command, **options))

    def hold(self, **options):
        """A holder by either tool, until the file `.flag` is removed."""
        flag = self.root / f"held.{self.started}"
        holder = self.start_locked("sh", "-c", 'touch "$0"; while [ -e "$0" ]; do sleep 0.02; done', flag, **options)
        wait_until(flag.exists, "the holder to be inside")
        holder.flag = flag
        return holder


class ConflictingLocks(Promises):
    @by_both
    def test_a_conflict_is_told_by_the_status_that_was_asked_for_and_nothing_runs(self):
        self.hold()
        for status in (123, 0, 255):
            result = self.locked("echo", "never seen", status=status)
            self.assertEqual((result.status, result.out), (status, ""))
        self.assertEqual(self.locked("echo", "never seen").status, self.tool.busy)

    @by_both
    def test_readers_go_together_and_keep_writers_out(self):
        holder = self.hold(shared=True)
        self.assertEqual(self.locked("echo", "beside", shared=True).out, "beside\n")
        self.assertEqual(self.locked("echo", "never seen", shared=True, wait=0.007, status=9).status, 0)
        self.assertEqual(self.locked("echo", "never seen").status, self.tool.busy)
        holder.flag.unlink()
        self.assertEqual(holder.wait(), 0)
        self.assertEqual(self.locked("echo", "alone").out, "alone\n")

    @by_both
    def test_a_writer_keeps_readers_out(self):
        self.hold()
        self.assertEqual(self.locked("echo", "never seen", shared=True).status, self.tool.busy)

    @by_both
    def test_other_locks_are_no_conflict(self):
        self.hold()
        result = self.run_to_end(*self.tool.words(self.root / "other", "echo", "beside"))
        self.assertEqual((result.status, result.out), (0, "beside\n"))


class Waiting(Promises):
    @by_both
    def test_no_time_at_all_is_the_same_as_not_to_wait(self):
        self.hold()
        begun = time.monotonic()
        result = self.locked("echo", "never seen", wait=0)
        self.assertEqual((result.status, result.out), (self.tool.busy, ""))
        self.assertLess(time.monotonic() - begun, 15)

    @by_both
    def test_a_wait_ends_when_its_time_is_over_not_before_and_not_much_later(self):
        self.hold()
        for seconds in (0.007, 0.25, 1):
            begun = time.monotonic()
            result = self.locked("echo", "never seen", wait=seconds, status=5)
            self.assertEqual((result.status, result.out), (5, ""))
            self.assertGreaterEqual(time.monotonic() - begun, seconds)
            self.assertLess(time.monotonic() - begun, seconds + 15)

    @by_both
    def test_a_wait_that_is_long_enough_lasts_as_long_as_the_holder(self):
        holder = self.hold()
        begun = time.monotonic()
        waiter = self.start_locked("echo", "after", wait=60, status=5)
        wait_for_moment(begun + 0.5)
        self.assertTrue(waiter.running())
        holder.flag.unlink()
        self.assertEqual((waiter.wait(), waiter.out()), (0, "after\n"))
        self.assertLess(time.monotonic() - begun, 30)

    @by_both
    def test_without_an_end_it_waits_for_all_who_come_before(self):
        holder = self.hold()
        waiters = [self.start_locked("sh", "-c", "echo in >>log; echo out >>log", wait="forever") for _ in range(5)]
        holder.flag.unlink()
        for waiter in waiters:
            self.assertEqual(waiter.wait(), 0)
        self.assertEqual((self.root / "log").read_text(), "in\nout\n" * 5)
        (self.root / "log").unlink()


class TheCommand(Promises):
    @by_both
    def test_its_status_is_ours(self):
        for status in (0, 1, 66, 75, 255):
            self.assertEqual(self.locked("sh", "-c", f"exit {status}").status, status)
        self.assertEqual(self.locked("sh", "-c", "kill -TERM $$").status, 128 + signal.SIGTERM)

    @by_both
    def test_its_arguments_stay_as_they_are(self):
        self.assertEqual(self.locked("printf", "%s|", "a b", "", "*", "-n", "--").out, "a b||*|-n|--|")

    @by_both
    def test_the_lock_is_free_once_it_has_ended_however_it_ended(self):
        for script in ("exit 0", "exit 1", "kill -KILL $$", "kill -SEGV $$"):
            self.locked("sh", "-c", script)
            self.assertEqual(self.locked("echo", "free").out, "free\n", script)

    def test_no_lock_is_handed_down_to_what_it_leaves_in_the_background(self):
        """flock keeps the lock then, unless it is told --close."""
        leave = ("sh", "-c", "sleep 60 >/dev/null 2>&1 &")
        self.assertEqual(self.run_to_end(*Flock.words(self.lock, *leave)).status, 0)
        self.assertEqual(self.run_to_end(*Flock.words(self.lock, "true")).status, Flock.busy, "the fault")
        self.assertEqual(self.run_to_end(*Lockstep.words(self.lock, *leave)).status, 0)
        self.assertEqual(self.run_to_end(*Lockstep.words(self.lock, "true")).status, 0)

    @by_both
    def test_it_keeps_the_lock_when_the_program_before_it_is_killed(self):
        holder = self.hold()
        holder.send(signal.SIGKILL)
        holder.wait()
        self.assertEqual(self.locked("echo", "never seen").status, self.tool.busy)
        holder.flag.unlink()
        wait_until(lambda: self.locked("true").status == 0, "the lock to be free")

    @by_both
    def test_a_text_for_the_shell_is_one_argument(self):
        words = self.tool.words(self.lock)
        if words[-1] == "--":
            words.pop()
        self.assertEqual(self.run_to_end(*words, "-c", "echo a; echo b").out, "a\nb\n")
        self.assertEqual(self.run_to_end(*words, "-c", "echo a", "b").status, 64)

    def test_a_deadlock_is_told_where_flock_waits_for_ever(self):
        inner = self.tool.words(self.lock, "true", wait="forever")
        result = self.run_to_end(*self.tool.words(self.lock, *inner))
        self.assertEqual(result.status, 73)
        flock = self.start(*Flock.words(self.lock, *Flock.words(self.lock, "true", wait=0.5, status=44)))
        self.assertEqual(flock.wait(), 44, "the fault")


class OfLockFiles(Promises):
    """dotlockfile and lockfile: one file a lock, made, waited for, and gone."""

    def test_it_exists_while_the_command_runs_and_not_afterwards(self):
        holder = self.hold()
        self.assertTrue(self.lock.exists())
        self.assertNotEqual(self.locked("true").status, 0, "no second one")
        holder.flag.unlink()
        self.assertEqual(holder.wait(), 0)
        self.assertFalse(self.lock.exists())

    def test_who_waits_gets_it_soon_after_it_was_removed_and_not_at_the_next_round_of_polling(self):
        def after_the_removal():
            self.lock.mkdir()  # by a script
            waiter = self.start_locked("true", wait="forever")
            waiter.says("waiting")
            begun = time.monotonic()
            self.lock.rmdir()
            self.assertEqual(waiter.wait(), 0)
            self.assertFalse(self.lock.exists())
            return time.monotonic() - begun
        wait_until(lambda: after_the_removal() < 2, "one that gets it within two seconds, on a machine however busy")

    def test_age_breaks_no_lock(self):
        """lockfile -l and liblockfile remove what is older than so many minutes, at work or not."""
        holder = self.hold()
        for path in (self.lock, self.lock / "record"):
            os.utime(path, (0, 0))
        self.assertEqual(self.locked("true").status, 75)
        self.assertTrue(holder.running())
        foreign = self.root / "foreign.lock"
        foreign.mkdir()
        os.utime(foreign, (0, 0))
        self.assertEqual(self.run_to_end(*self.tool.words(foreign, "true")).status, 75)

    def test_what_a_dead_one_left_is_taken_over_at_once(self):
        holder = self.hold()
        guardian = holder.guardian()
        os.kill(holder.pid, signal.SIGKILL)
        os.kill(guardian, signal.SIGKILL)
        holder.flag.unlink()
        result = self.locked("echo", "mine", wait=60)
        self.assertEqual((result.status, result.out), (0, "mine\n"), result.err)
        self.assertFalse(self.lock.exists())


class OfSupervisors(Promises):
    """setlock, s6-setlock, chpst -L and run-one stand before a daemon or a cron line."""

    def test_setlock_waits_by_default_and_n_gives_up(self):
        holder = self.hold()
        self.assertEqual(self.locked("true").status, 75)
        waiter = self.start_locked("echo", "after", wait="forever")
        waiter.says("waiting")
        holder.flag.unlink()
        self.assertEqual((waiter.wait(), waiter.out()), (0, "after\n"))

    def test_setlock_nx_is_silent_and_successful_when_it_is_locked(self):
        self.hold()
        result = self.run_to_end(LOCKSTEP, "exec", "--busy-status", "0", "--quiet", self.lock, "--", "echo", "never seen")
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))

    def test_a_daemon_behind_it_gets_its_sigterm_and_the_next_one_the_lock(self):
        """As under runit or daemontools, where setlock has become the daemon itself."""
        words = [LOCKSTEP, "exec", "--grace", "0", "-w", "forever", self.lock, "--", "sh", "-c",
                 "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done"]
        first = self.start(*words)
        wait_until(lambda: first.out() == "up\n", "the first daemon")
        second = self.start(*words)
        second.says("waiting")
        first.send(signal.SIGTERM)
        self.assertEqual((first.wait(), first.out()), (0, "up\nbye\n"))
        wait_until(lambda: second.out() == "up\n", "the second daemon")
        second.send(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)

    def test_run_one_runs_a_command_once_at_a_time(self):
        runs = [self.start_locked("sh", "-c", "echo x >>runs; while [ ! -e done ]; do sleep 0.02; done") for _ in range(6)]
        wait_until(lambda: sum(run.running() for run in runs) == 1, "all but one to give up")
        (self.root / "done").touch()
        self.assertEqual(sorted(run.wait() for run in runs), [0, 75, 75, 75, 75, 75])
        self.assertEqual((self.root / "runs").read_text(), "x\n")


class Stress(Promises):
    """As filelock's: processes that take a lock again and again, and inside it make a file that must not be there yet."""

    WRITER = ('i=0; while [ $i -lt "$0" ]; do i=$((i + 1)); '
              '"$@" sh -c "set -C; : >inside && rm inside" || exit 1; done')

    def test_eight_processes_never_overlap_and_none_fails(self):
        words = self.tool.words(self.lock, wait="forever")
        words.insert(2, "-q")
        runs = [self.start("sh", "-c", self.WRITER, 60, *words) for _ in range(8)]
        for run in runs:
            self.assertEqual((run.wait(120), run.out(), run.err()), (0, "", ""))
        self.assert_nothing_left()

    def test_readers_among_them_never_see_a_writer_inside(self):
        writer = self.tool.words(self.lock, wait="forever")
        reader = self.tool.words(self.lock, wait="forever", shared=True)
        for words in (writer, reader):
            words.insert(2, "-q")
        runs = [self.start("sh", "-c", self.WRITER, 40, *writer) for _ in range(3)]
        runs += [self.start("sh", "-c", self.WRITER.replace("set -C; : >inside && rm inside", "! [ -e inside ]"), 40, *reader)
                 for _ in range(5)]
        for run in runs:
            self.assertEqual((run.wait(120), run.out(), run.err()), (0, "", ""))
        self.assert_nothing_left()

    def test_without_the_lock_they_do_overlap(self):
        runs = [self.start("sh", "-c", self.WRITER, 2000, "env") for _ in range(8)]
        wait_until(lambda: any(not run.running() and run.wait() != 0 for run in runs), "an overlap", 60)


class InAScript(Promises):
    """The line at a script's begin by which it puts itself under a lock."""

    SHORT = '[ "$LOCKSTEP_LOCK" ] || exec lockstep exec nightly -- "$0" "$@"'
    EXACT = '[ "$LOCKSTEP_LOCK" = "{root}/{name}.lock" ] || exec lockstep exec {name} -- "$0" "$@"'

    def script(self, name, text, mode=0o755):
        directory = self.root / "scripts with spaces"
        directory.mkdir(exist_ok=True)
        path = directory / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def run_script(self, *words, **more):
        programs = self.root / "bin"
        programs.mkdir(exist_ok=True)
        if not (programs / "lockstep").exists():
            (programs / "lockstep").symlink_to(LOCKSTEP)
        environment = self.environment(PATH=f"{programs}:{os.environ['PATH']}", LOCKSTEP_LOCK_ROOT=self.root)
        return self.start(*words, env=environment, **more)

    def finished(self, *words):
        process = self.run_script(*words)
        return process.wait(), process.out(), process.err()

    def test_it_runs_under_the_lock_with_its_arguments_and_status(self):
        for shell in ("/bin/sh", "/bin/bash"):
            script = self.script("my job.sh", f'#!{shell}\n{self.SHORT}\nprintf "[%s]" "$@"; ls -d "$LOCKSTEP_LOCK"; exit 7\n')
            words = ("a b", "", "*", "$HOME", "-x", "--", "it's")
            with self.subTest(shell=shell):
                self.assertEqual(self.finished(script, *words),
                                 (7, "".join(f"[{word}]" for word in words) + f"{self.root}/nightly.lock\n", ""))
        self.assertFalse((self.root / "nightly.lock").exists())

    def test_a_second_one_is_told_that_it_is_busy(self):
        script = self.script("my job.sh", f"#!/bin/sh\n{self.SHORT}\ntouch in; while [ -e in ]; do sleep 0.02; done\n")
        first = self.run_script(script)
        wait_until((self.root / "in").exists, "the first")
        status, out, err = self.finished(script)
        self.assertEqual((status, out), (75, ""))
        self.assertIn(f"nightly: busy: pid {first.pid} since", err)
        (self.root / "in").unlink()
        self.assertEqual(first.wait(), 0)

    def test_one_that_is_given_to_sh_says_so(self):
        line = self.SHORT.replace('-- "$0"', '-- sh "$0"')
        script = self.script("my job.sh", f'{line}\necho "ran $1"\n', mode=0o644)
        self.assertEqual(self.finished("sh", script, "a b"), (0, "ran a b\n", ""))
        self.assertEqual(self.finished("sh", "scripts with spaces/my job.sh", "a b"), (0, "ran a b\n", ""))

    def test_scripts_that_call_each_other_compare_the_name(self):
        inner = self.script("inner.sh", f'#!/bin/sh\n{self.EXACT.format(root=self.root, name="inner")}\nls -d "$1"/*.lock\n')
        outer = self.script("outer.sh", f'#!/bin/sh\n{self.EXACT.format(root=self.root, name="outer")}\n"$1" "$2"\n')
        self.assertEqual(self.finished(outer, inner, self.root),
                         (0, f"{self.root}/inner.lock\n{self.root}/outer.lock\n", ""))
        # The short line takes the lock of the script around it for its own: the reason for the other one.
        short = self.script("short.sh", f'#!/bin/sh\n{self.SHORT}\nls -d "$1"/*.lock\n')
        self.assertEqual(self.finished(outer, short, self.root), (0, f"{self.root}/outer.lock\n", ""))

    def test_one_that_calls_itself_is_refused_and_does_not_hang(self):
        line = self.EXACT.format(root=self.root, name="outer").replace("exec outer", "exec -w forever outer")
        middle = self.EXACT.format(root=self.root, name="middle")
        script = self.script("outer.sh", f'#!/bin/sh\n{line}\n"$1" "$0"\n')
        between = self.script("middle.sh", f'#!/bin/sh\n{middle}\n"$1"\n')
        status, _, err = self.finished(script, between)
        self.assertEqual(status, 73)
        self.assertIn("runs under that very lock already", err)


if __name__ == "__main__":
    unittest.main()

"""Stop requests and kills of every kind, at every time: pairs are finished, the lock is given back, and what could not be is said."""

import itertools
import json
import os
import resource
import signal
import socket
import time
import unittest

from processes import children_of, guardian_of, is_alive, kill, open_files_of, parent_of
from strace import needs_strace
from support import LOCKSTEP, PATIENCE, SystemTest, open_for_writing, wait_for_moment, wait_until

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class StoppingTest(SystemTest):
    def start_job(self, command, job, *options, **more):
        return self.start_lockstep(command, job, "--state-dir", self.state, *options, **more)


class StopRequests(StoppingTest):
    def test_each_signal_in_the_middle_of_a_pair_lets_it_finish_and_the_log_says_who_and_what(self):
        for number in STOP_SIGNALS:
            for command, expected in (("loop", 0), ("run", 0)):
                with self.subTest(signal=number.name, command=command):
                    self.story_file.unlink(missing_ok=True)
                    let_go = self.hold_story(1)
                    process = self.start_job(command, self.article(seconds=0))
                    self.wait_for_story(1)
                    process.send(number)
                    process.says("signal received")
                    self.assertTrue(process.running())
                    let_go()
                    self.assertEqual(process.wait(), expected, process.err())
                    self.assertEqual(self.assert_whole_pairs(), 1)
                    self.assertRegex(process.err(), rf"signal received: {number.name} from pid {os.getpid()} "
                                                    rf"\(uid {os.getuid()}\); finishing \S+ proc first, .* of at most 20s")
                    self.assert_nothing_left()

    def test_a_stop_between_the_two_phases_lets_the_second_phase_happen(self):
        let_go = self.hold_story(3)
        process = self.start_job("loop", self.article(seconds=0))
        self.wait_for_story(3)
        process.send(signal.SIGTERM)
        process.says("signal received")
        let_go()
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.err(), r"finishing \S+ proc second")
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()

    def test_a_further_request_only_says_what_is_still_being_finished(self):
        let_go = self.hold_story(1)
        process = self.start_job("loop", self.article(seconds=0))
        self.wait_for_story(1)
        process.send(signal.SIGTERM)
        process.says("signal received")
        process.send(signal.SIGINT)
        process.says("already stopping; still finishing")
        let_go()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.assert_whole_pairs(), 1)

    def test_a_batch_that_is_stopped_is_75_and_the_next_run_does_the_rest(self):
        self.write_proc()
        (self.root / "items.ndjson").write_text("".join(f'{{"id": {n}}}\n' for n in range(6)))
        let_go = self.hold_story(5)
        job = self.article(seconds=0, items={"ndjson": "items.ndjson", "key": "i{$inputs.id}"})
        process = self.start_job("run", job)
        self.wait_for_story(5)
        process.send(signal.SIGTERM)
        process.says("signal received")
        let_go()
        self.assertEqual(process.wait(), 75, process.err())
        self.assertEqual(self.assert_whole_pairs(), 2)
        self.assertIn("done 2, failed 0, parked 0, left 4 in", process.err())
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.assert_whole_pairs(), 6)
        self.assert_nothing_left()

    def test_the_idle_pause_ends_at_once(self):
        best = None
        tries_end = time.monotonic() + PATIENCE  # a busy machine has its quiet moments
        while time.monotonic() < tries_end:
            self.story_file.unlink(missing_ok=True)
            process = self.start_job("loop", self.article(seconds=0, pause="1h"))
            self.wait_for_story(4)
            process.says("done 1")
            wait_until(lambda: not self.lock.exists(), "the pause")
            begun = time.monotonic()
            process.send(signal.SIGTERM)
            process.popen.wait(PATIENCE)
            elapsed = time.monotonic() - begun
            self.assertEqual(process.wait(), 0)
            best = min(elapsed, best or elapsed)
            if best < 0.010:
                break
        self.assertLess(best, 0.010, "seconds from SIGTERM to the end, at best")
        self.assert_nothing_left()

    def test_a_stop_while_waiting_for_the_lock_touches_nothing(self):
        holder = self.hold(self.lock)
        for command, options in (("run", ("--wait", "forever")), ("loop", ())):
            with self.subTest(command=command):
                waiter = self.start_job(command, self.article(), *options)
                waiter.says("waiting for the lock: pid")
                waiter.send(signal.SIGTERM)
                self.assertEqual(waiter.wait(), 75 if command == "run" else 0, waiter.err())
                self.assertTrue(holder.running())
                self.assertEqual(self.story(), [])

    def test_a_stop_in_the_retry_pause_of_a_first_phase_is_back_at_once(self):
        self.write_proc()
        first = {"http": {"method": "POST", "url": f"http://127.0.0.1:{self.port_where_nobody_listens()}/"},
                 "idempotencyKey": {}, "timeout": "1s", "deadline": "3m",
                 "retry": {"maxAttempts": 5, "initialInterval": "30s", "jitter": "none", "maxInterval": "30s"}}
        job = self.write_job({"lockstep": 1, "job": "retry", "lock": str(self.lock), "key": "k",
                              "steps": [{"step": "s", "first": first, "second": self.command("./proc.sh", "2")}]})
        process = self.start_job("run", job, "--log-level", "debug")
        process.says("attempt 1: not")
        begun = time.monotonic()
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 75, process.err())
        self.assertLess(time.monotonic() - begun, 20)  # and not 30 s
        self.assertEqual(self.story(), [])
        self.assert_nothing_left()
        # Nothing had happened, so nothing is left open.
        again = self.start_job("run", job, "--log-level", "debug")
        again.says("attempt 2: not")
        self.assertNotIn("was left", again.err())
        again.send(signal.SIGTERM)
        self.assertEqual(again.wait(), 75)

    def port_where_nobody_listens(self):
        # Bound but not listening: nobody else can take it, and a connection is refused.
        holder = socket.socket()
        holder.bind(("127.0.0.1", 0))
        self.addCleanup(holder.close)
        return holder.getsockname()[1]

    def test_a_command_that_only_lists_items_is_cut_at_once(self):
        job = self.article(items={"command": ["sleep", "60"], "key": "{$inputs.id}", "timeout": "120s"})
        process = self.start_job("run", job)
        wait_until(lambda: any(children_of(child) for child in children_of(process.pid)), "the command that lists items")
        begun = time.monotonic()
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 75, process.err())
        self.assertLess(time.monotonic() - begun, 30)  # and not 60 s
        self.assert_nothing_left()

    def test_a_phase_that_ends_by_its_own_time_out_within_the_grace_is_not_cut(self):
        self.write_proc()
        job = self.write_job({
            "lockstep": 1, "job": "cut", "lock": str(self.lock), "stop": {"grace": "6200ms", "atDeadline": "cut"},
            "steps": [{"step": "s", "first": self.command("./proc.sh", "1", "30", timeout="1200ms", deadline="1200ms")}]})
        process = self.start_job("run", job)
        self.wait_for_story(1)
        process.send(signal.SIGTERM)
        # In doubt, so parked: 1. Only what the end of the grace or a fourth Ctrl-C ends is 124.
        self.assertEqual(process.wait(), 1, process.err())
        self.assertIn("parked 1", process.err())
        self.assertNotIn("cutting", process.err())
        self.assert_nothing_left()

    def test_signals_to_the_commands_group_do_not_reach_a_shielded_command(self):
        for shield, finished in ((True, True), (False, False)):
            with self.subTest(shield=shield):
                self.story_file.unlink(missing_ok=True)
                self.state = self.root / f"state.{shield}"
                let_go = self.hold_story(1)
                process = self.start_job("run", self.article(seconds=0, shield=shield))
                self.wait_for_story(1)
                guardian = process.guardian()
                command = wait_until(lambda: children_of(guardian), "the command")[0]
                for number in STOP_SIGNALS:
                    try:
                        os.killpg(command, number)
                    except ProcessLookupError:
                        break
                let_go()
                status = process.wait()
                self.assertEqual((status == 0, self.story() == self.WHOLE_PAIR), (finished, finished), process.err())
                self.assert_nothing_left()

    def test_kill_term_of_everything_reaches_the_guardian_as_a_stop_request_too(self):
        let_go = self.hold_story(1)
        process = self.start_job("loop", self.article(seconds=0, shield=True))
        self.wait_for_story(1)
        for pid in self.my_processes():
            kill(pid, signal.SIGTERM)
        process.says("signal received")
        let_go()
        self.assertEqual(process.wait(), 0, process.err())
        # sleep(1) is a grandchild and shielded with its parent.
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()


class Storms(StoppingTest):
    def test_ten_thousand_signals(self):
        let_go = self.hold_story(1)
        process = self.start_job("loop", self.article(seconds=0))
        self.wait_for_story(1)
        numbers = itertools.cycle(STOP_SIGNALS)
        for _ in range(10_000):
            kill(process.pid, next(numbers))
        let_go()
        self.assertEqual(process.wait(), 0, process.err())
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assertLess(len(process.err().splitlines()), 100, "a line for each of ten thousand signals helps nobody")
        self.assert_nothing_left()

    def test_a_signal_in_the_first_milliseconds_never_leaves_a_lock_or_half_a_pair(self):
        job = self.article(seconds=0)
        outcomes = set()
        for number in range(100):
            with self.subTest(number=number):
                process = self.start_job("run", job)
                # From "at once" to 10 ms after the start, in a hundred steps.
                wait_for_moment(time.monotonic() + number * 0.0001)
                process.send(STOP_SIGNALS[number % 4])
                status = process.wait()
                outcomes.add(status)
                # Before main() nobody can have blocked the signal: it ends the process, which has done nothing yet.
                self.assertIn(status, (0, 75, -int(STOP_SIGNALS[number % 4])), process.err())
                self.assertFalse(self.lock.exists(), process.err())
                self.assert_whole_pairs()
        self.assertTrue(outcomes & {0, 75}, outcomes)
        self.assert_nothing_left()

    def test_a_signal_in_the_last_milliseconds_changes_nothing(self):
        job = self.article(seconds=0)
        for number in range(40):
            with self.subTest(number=number):
                self.story_file.unlink(missing_ok=True)
                process = self.start_job("run", job)
                self.wait_for_story(4)
                wait_for_moment(time.monotonic() + number * 0.0002)
                process.send(STOP_SIGNALS[number % 4])
                self.assertEqual(process.wait(), 0, process.err())
                self.assertFalse(self.lock.exists())
                self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()


class Kills(StoppingTest):
    def assert_finished_by_the_guardian(self, process, let_go):
        process.wait()
        busy = self.run_job(self.root / "job.json")
        self.assertEqual(busy.status, 75, busy.err)
        self.assertRegex(busy.err, r"busy: pid \d+ since \d\d:\d\d:\d\d")
        self.assertEqual(self.story(), ["start proc 1"])
        let_go()
        wait_until(lambda: not self.lock.exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()
        return busy

    def test_a_killed_front_lets_the_guardian_finish_the_pair_and_a_second_run_says_who_is_at_work(self):
        let_go = self.hold_story(1)
        process = self.start_job("loop", self.article(seconds=0, pause="1h"))
        self.wait_for_story(1)
        guardian = process.guardian()
        kill(process.pid)
        busy = self.assert_finished_by_the_guardian(process, let_go)
        self.assertIn(f"pid {guardian}", busy.err, "the front is dead, so its guardian is to be named")

    def test_a_killed_process_group_of_the_front_lets_the_guardian_finish_the_pair(self):
        let_go = self.hold_story(1)
        process = self.start_job("loop", self.article(seconds=0, pause="1h"), start_new_session=True)
        self.wait_for_story(1)
        os.killpg(process.pid, signal.SIGKILL)
        self.assert_finished_by_the_guardian(process, let_go)

    def test_a_killed_guardian_is_70_once_its_command_has_ended_and_a_new_run_finds_the_orphan(self):
        let_go = self.hold_story(1)
        job = self.article(seconds=0)
        process = self.start_job("run", job)
        self.wait_for_story(1)
        kill(process.guardian())
        process.says("was killed by SIGKILL")
        self.assertTrue(process.running(), "the front waits for the orphan")
        meanwhile = self.run_job(job)
        self.assertEqual(meanwhile.status, 75, meanwhile.err)
        let_go()
        self.assertEqual(process.wait(), 70)
        self.assertEqual(self.story(), ["start proc 1", "end proc 1"], "the orphan was to end by itself")
        after = self.run_job(job)
        self.assertEqual(after.status, 1, after.err)
        self.assertIn("was left", after.err)
        self.assert_nothing_left()

    def test_under_log_format_json_the_guardians_death_is_told_as_any_line_is(self):
        let_go = self.hold_story(1)
        process = self.start_job("run", self.article(seconds=0), "--log-format", "json")
        self.wait_for_story(1)
        kill(process.guardian())
        process.says("was killed by SIGKILL")
        let_go()
        self.assertEqual(process.wait(), 70)
        last = [json.loads(line) for line in process.err().splitlines()][-1]
        self.assertEqual((last["job"], last["level"]), ("article", "error"))
        self.assertRegex(last["message"], r"^the guardian \(pid \d+\) was killed by SIGKILL(; waiting for the commands that it ran)?$")

    @needs_strace
    def test_a_guardian_that_is_killed_before_it_knows_of_its_command_has_left_word_of_it(self):
        """Each process is held up after its first clone(2): the front, which thereby makes the guardian, and that one's own."""
        gate = self.root / "gate"
        os.mkfifo(gate)
        job = self.write_job({"lockstep": 1, "job": "begun", "lock": str(self.lock), "key": "k", "steps": [
            {"step": "s", "first": self.command("sh", "-c", "echo >begun; exec cat gate")}]})
        run = self.start("strace", "-f", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:delay_exit=2000000:when=1",
                         LOCKSTEP, "run", job, "--state-dir", self.state)
        wait_until((self.root / "begun").exists, "the command")
        [front] = children_of(run.pid)
        kill(guardian_of(front))
        run.says("was killed by SIGKILL")
        self.assertIn("; waiting for the commands that it ran", run.err())
        self.assertTrue(is_alive(front))
        os.close(wait_until(lambda: open_for_writing(gate), "the command at its gate"))
        self.assertEqual(run.wait(), 70)
        self.assertEqual(self.run_job(job).status, 1)
        self.assert_nothing_left()

    def test_after_a_kill_of_both_the_next_run_adopts_and_says_what_was_left_open(self):
        let_go = self.hold_story(3)
        job = self.article(seconds=0, key="the-order")
        process = self.start_job("run", job)
        self.wait_for_story(3)
        guardian = process.guardian()
        kill(process.pid)
        kill(guardian)
        process.wait()
        self.assertTrue(self.lock.exists(), "nobody was left to remove the lock")
        after = self.start_job("run", job, "--wait", "forever")
        after.says("waiting for the lock")
        let_go()
        self.assertEqual(after.wait(), 1, after.err())
        self.assertIn("took over the lock", after.err())
        self.assertRegex(after.err(), r"the-order: proc was left second-begun by run \S+, whether that took effect is not known")
        self.assertEqual(self.story(), self.WHOLE_PAIR, "the orphaned second call ended before the next run began")
        self.assert_nothing_left()

    def test_a_daemon_left_behind_by_a_command_keeps_no_lock(self):
        script = self.root / "daemonize.sh"
        script.write_text("#!/bin/sh\nsetsid sleep 30 </dev/null >/dev/null 2>&1 &\necho $! >daemon.pid\n")
        script.chmod(0o755)
        job = self.write_job({"lockstep": 1, "job": "daemon", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("./daemonize.sh")}]})
        self.assertEqual(self.run_job(job).status, 0)
        daemon = int((self.root / "daemon.pid").read_text())
        self.assertTrue(is_alive(daemon))
        self.assertFalse(self.lock.exists())
        self.assertEqual(self.run_job(job).status, 0)
        self.kill_everything()
        self.assert_nothing_left()


class GivenBack(StoppingTest):
    def test_two_hundred_passes_keep_no_descriptor_no_zombie_and_no_temporary_file(self):
        job = self.article(seconds=0, pause="1ms")
        # A pass of builtins only, for two hundred of them are wanted.
        (self.root / "proc.sh").write_text('#!/bin/sh\necho "start proc $1" >>story.log\necho "end proc $1" >>story.log\n')
        process = self.start_job("loop", job, "--quiet")
        guardian = process.guardian()

        def fewest():
            """Descriptors and threads between passes: the fewest of many looks, for a look may fall into a pass."""
            looks = []
            wait_until(lambda: looks.append(tuple(len(open_files_of(pid)) for pid in (process.pid, guardian))
                                            + (len(os.listdir(f"/proc/{guardian}/task")),)) or len(looks) >= 60, "60 looks")
            return tuple(min(column) for column in zip(*looks))
        self.wait_for_story(40)
        early = fewest()
        self.wait_for_story(800, deadline=90)
        # A look may always have fallen into a pass; one that is kept by each pass would be more than a hundred.
        for before, after, what in zip(early, fewest(), ("descriptors of the front", "descriptors of the guardian", "threads")):
            self.assertLessEqual(after, before + 2, what)
        self.assert_no_zombie_of(process.pid)
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assert_whole_pairs(at_least=200)
        self.assert_nothing_left()

    def test_the_front_is_no_parent_of_the_commands(self):
        let_go = self.hold_story(1)
        process = self.start_job("run", self.article(seconds=0))
        self.wait_for_story(1)
        guardian = process.guardian()
        self.assertEqual(children_of(process.pid), [guardian])
        command = children_of(guardian)[0]
        self.assertEqual(os.getpgid(command), command, "a process group of its own")
        self.assertEqual(os.getsid(command), guardian, "the guardian's session")
        self.assertEqual(parent_of(guardian), process.pid)
        let_go()
        self.assertEqual(process.wait(), 0)
        self.assert_nothing_left()

    def test_few_descriptors_end_a_run_with_a_word_and_without_a_lock(self):
        job = self.article(seconds=0)
        for limit in range(4, 24, 2):
            with self.subTest(limit=limit):
                self.story_file.unlink(missing_ok=True)
                self.state = self.root / f"state.{limit}"
                result = self.run_job(job, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
                self.assertFalse(self.lock.exists(), result.err)
                if result.status == 0:
                    self.assertEqual(self.assert_whole_pairs(), 1)
                else:
                    self.assertTrue(result.err.strip(), "a failure must say something")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

"""Stop requests of every kind, at every time: pairs are finished, the lock is given back, and what could not be is said."""

import itertools
import os
import signal
import socket
import time
import unittest

from processes import children_of, kill
from stopping import StoppingTest
from support import PATIENCE, wait_for_moment, wait_until

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


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


if __name__ == "__main__":
    unittest.main()

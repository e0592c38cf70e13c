"""What a run finds out about its own supervisor, while that one answers, while it hangs, and what it does about it."""

import datetime
import json
import signal
import socket
import sqlite3
import threading
import time
import unittest

from supervisor import Supervisord, needs_supervisord
from support import LOCKSTEP, SystemTest, own_address, wait_for_moment, wait_until

TOO_SHORT = "a stop can be cut"  # the article's longest pair takes 50 s: twice a timeout of 20 s, and 5 s to end a command


@needs_supervisord
class AskingSupervisord(SystemTest):
    def supervise(self, *options, more=(), **settings):
        job = self.article()
        command = " ".join(map(str, [LOCKSTEP, "loop", job, "--state-dir", self.state, *options]))
        return Supervisord(self, {"job": {"command": command, **settings}}, more=more)

    def log_after_a_pair(self, supervisord):
        self.wait_for_story(4)
        wait_until(lambda: "done 1" in supervisord.log("job"), "the first pass's last line")
        supervisord.stop("job", True)
        return supervisord.log("job")

    def test_a_patience_that_is_too_short_is_told_once_with_the_line_to_write(self):
        log = self.log_after_a_pair(self.supervise(stopwaitsecs="10"))
        self.assertEqual(log.count(TOO_SHORT), 1, log)
        self.assertIn("supervisord waits 10s after its SIGTERM (stopwaitsecs=10, which may be read and not yet applied)", log)
        self.assertIn("Write stopwaitsecs=55 into the section of job", log)

    def test_one_that_is_long_enough_is_worth_no_word(self):
        log = self.log_after_a_pair(self.supervise(stopwaitsecs="55"))
        self.assertNotIn("supervisord", log)

    def test_strict_begins_nothing_where_it_is_too_short(self):
        supervisord = self.supervise("--strict", stopwaitsecs="10")
        info = supervisord.wait_for_state("job", "EXITED")
        self.assertEqual(info["exitstatus"], 78)
        self.assertIn("nothing is begun (--strict)", supervisord.log("job"))
        self.assertEqual(len(self.story()) % 4, 0, "a pair that had begun before the answer was finished")
        self.assertFalse(self.lock.exists())

    def test_an_inet_server_with_a_password_is_asked_with_what_the_url_declares(self):
        place = f"{own_address()}:9001"
        log = self.log_after_a_pair(self.supervise(
            stopwaitsecs="10", serverurl=f"http://user:secret@{place}",
            more=["[inet_http_server]", f"port={place}", "username=user", "password=secret"]))
        self.assertIn(TOO_SHORT, log)
        self.assertNotIn("secret", log)

    def test_without_the_password_nothing_is_known_and_nothing_is_said(self):
        place = f"{own_address()}:9001"
        log = self.log_after_a_pair(self.supervise(
            stopwaitsecs="10", serverurl=f"http://{place}",
            more=["[inet_http_server]", f"port={place}", "username=user", "password=secret"]))
        self.assertNotIn("supervisord", log)


class OneThatDoesNotAnswer(SystemTest):
    """A server's socket that takes connections and says nothing, or nothing of use."""

    def serve(self, answer=None):
        path = self.root / "server.sock"
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(path))
        server.listen(50)
        self.asked = 0

        def reply():
            connections = []
            while True:
                try:
                    connections.append(server.accept()[0])
                except OSError:
                    return
                self.asked += 1
                if answer is not None:
                    connections[-1].recv(10000)
                    connections[-1].sendall(answer)
                    connections.pop().close()
        threading.Thread(target=reply, daemon=True).start()
        return self.environment(SUPERVISOR_SERVER_URL=f"unix://{path}", SUPERVISOR_PROCESS_NAME="job", SUPERVISOR_ENABLED="1")

    def until_the_first_command(self, *options, env):
        """Seconds from the start of a run to that of its first command."""
        before = len(self.story())
        start = time.monotonic()
        run = self.start_lockstep("run", self.root / "job.json", "--state-dir", self.state, *options, env=env)
        wait_until(lambda: len(self.story()) > before, "the first command")
        taken = time.monotonic() - start
        self.assertEqual(run.wait(), 0)
        return taken

    def test_the_start_waits_for_no_answer_and_with_strict_50_ms_at_most(self):
        self.article(seconds=0)
        hanging = self.serve()
        plain, beside, strict = [], [], []
        def soon_enough():
            """By the best of each: what a busy machine adds is not theirs. The clock of this test ticks in 4 ms."""
            plain.append(self.until_the_first_command(env=self.environment()))
            beside.append(self.until_the_first_command(env=hanging))
            strict.append(self.until_the_first_command("--strict", env=hanging))
            return len(plain) >= 8 and min(beside) - min(plain) < 0.030 and min(strict) - min(plain) < 0.065
        wait_until(soon_enough, "the best starts to be alike")
        wait_until(lambda: self.asked == 2 * len(plain), "every run to have asked")

    def test_a_run_ends_without_the_answer(self):
        self.article(seconds=0.05)
        hanging = self.serve()

        def seconds_of_a_run():
            start = time.monotonic()
            result = self.lockstep("run", self.root / "job.json", "--state-dir", self.state, env=hanging)
            self.assertEqual(result.status, 0, result.err)
            return time.monotonic() - start
        wait_until(lambda: seconds_of_a_run() < 4, "a run that does not wait for the 5 s in which it asks")
        self.assert_nothing_left()

    def test_a_run_inside_another_asks_nobody_for_the_outer_one_is_stopped(self):
        self.article(seconds=0)
        hanging = dict(self.serve(), LOCKSTEP_RUN_ID="20261124T120000Z-0badcafe")
        self.until_the_first_command("--strict", env=hanging)
        self.assertEqual(self.asked, 0)
        del hanging["LOCKSTEP_RUN_ID"]
        self.until_the_first_command("--strict", env=hanging)
        self.assertEqual(self.asked, 1)

    def test_an_answer_of_nonsense_or_of_a_refusal_is_no_answer(self):
        for answer in (b"", b"nonsense\n", b"HTTP/1.0 401 Unauthorized\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 99999\r\n\r\n<",
                       b"HTTP/1.0 200 OK\r\n\r\n<struct><member><name>name</name><value><string>job</string></value>"):
            with self.subTest(answer):
                (self.root / "server.sock").unlink(missing_ok=True)
                self.article(seconds=0)
                result = self.lockstep("run", self.root / "job.json", "--state-dir", self.state, env=self.serve(answer))
                self.assertEqual(result.status, 0, result.err)
                self.assertNotIn("supervisord", result.err)

    def test_nobody_at_the_place_is_no_answer(self):
        self.article(seconds=0)
        env = self.environment(SUPERVISOR_SERVER_URL="unix:///nowhere/at/all.sock", SUPERVISOR_PROCESS_NAME="job")
        result = self.lockstep("run", self.root / "job.json", "--state-dir", self.state, "--strict", env=env)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("--stop-timeout D says it", result.err)


class Declared(SystemTest):
    @staticmethod
    def moment_of(log, words):
        line = next(line for line in log.splitlines() if words in line)
        return datetime.datetime.fromisoformat(line[:23])

    def start_job(self, *options, seconds=15, at_deadline="cut", grace="1h"):
        job = self.article(seconds=seconds, stop={"atDeadline": at_deadline, "grace": grace})
        run = self.start_lockstep("loop", job, "--state-dir", self.state, *options)
        self.wait_for_story(1)
        return run

    def test_too_short_a_time_is_told_and_strict_begins_nothing(self):
        job = self.article()
        result = self.lockstep("run", job, "--state-dir", self.state, "--stop-timeout", "10s")
        self.assertEqual(result.status, 0)
        self.assertIn(TOO_SHORT, result.err)
        self.assertIn("terminationGracePeriodSeconds: 55", result.err)
        self.assert_whole_pairs(at_least=1)
        story = self.story()
        result = self.lockstep("run", job, "--state-dir", self.state, "--stop-timeout", "10s", "--strict")
        self.assertEqual(result.status, 78)
        self.assertEqual(self.story(), story)
        result = self.lockstep("run", job, "--state-dir", self.state, "--stop-timeout", "55s", "--strict")
        self.assertEqual(result.status, 0)
        self.assertNotIn("waits", result.err)

    def test_with_cut_a_phase_is_cut_2_s_before_the_kill_and_is_in_doubt(self):
        run = self.start_job("--stop-timeout", "3s")
        start = time.monotonic()
        run.send(signal.SIGTERM)
        self.assertEqual(run.wait(), 124)
        self.assertGreater(time.monotonic() - start, 0.9)
        received, cut = (self.moment_of(run.err(), words) for words in ("signal received", "2s are left before SIGKILL"))
        self.assertLess(cut - received, datetime.timedelta(seconds=3))
        self.assertIn("2s are left before SIGKILL by whoever stops it", run.err())
        with sqlite3.connect(self.state / "article.sqlite3") as journal:
            states = [row[0] for row in journal.execute("SELECT state FROM pairs")]
        self.assertEqual(states, ["first-begun"])

    def test_with_finish_the_pair_is_finished_and_the_grace_stays_what_it_is(self):
        let_go = self.hold_story(1)
        run = self.start_job("--stop-timeout", "2s", seconds=0, at_deadline="finish")
        run.send(signal.SIGTERM)
        run.says("signal received")
        wait_for_moment(time.monotonic() + 2.2)
        let_go()
        self.assertEqual(run.wait(), 0)
        self.assertEqual(self.assert_whole_pairs(), 1)

    def test_status_tells_how_much_of_both_times_is_left(self):
        let_go = self.hold_story(1)
        run = self.start_job("--stop-timeout", "20s", seconds=0, at_deadline="finish")
        run.send(signal.SIGTERM)
        run.says("signal received")
        status = ["status", self.root / "job.json", "--state-dir", self.state]
        shown = wait_until(lambda: (text := self.lockstep(*status).out) and "stopping since" in text and text, "the stop")
        self.assertRegex(shown, r"stopping since [\d:]+, asked by SIGTERM from pid \d+ .*, (59m \d\ds|1h 00m) of the grace left, "
                                r"killed by its supervisor in 1\ds")
        lock = json.loads(self.lockstep(*status, "--json").out)["lock"]
        for key in ("stoppingSince", "stopBy", "killAt"):
            self.assertRegex(lock[key], r"\A20\d\d-", key)
        self.assertLess(lock["killAt"], lock["stopBy"])
        let_go()
        self.assertEqual(run.wait(), 0)


if __name__ == "__main__":
    unittest.main()

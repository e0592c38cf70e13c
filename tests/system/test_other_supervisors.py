"""The smaller supervisors, and the first processes of containers: runit, s6, tini, dumb-init, and none at all."""

import os
import shutil
import signal
import subprocess
import unittest

from processes import children_of, kill
from support import LOCKSTEP, SystemTest, wait_until

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f"Debian's package {package} is not installed")


def namespaces_are_allowed():
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


class SupervisedTest(SystemTest):
    def command(self, *argv, timeout="20s", in_doubt=("park",), **more):
        return super().command(*argv, timeout=timeout, in_doubt=in_doubt, **more)

    def service(self, seconds=0.4, **more):
        """A service directory, as runit and s6 have it, of the article's job."""
        job = self.article(seconds, **more)
        directory = self.root / "service"
        directory.mkdir()
        run = directory / "run"
        run.write_text(f"#!/bin/sh\nexec {LOCKSTEP} loop {job} --state-dir {self.state} 2>>{self.root}/job.log\n")
        run.chmod(0o755)
        return directory

    def log(self):
        path = self.root / "job.log"
        return path.read_text() if path.exists() else ""

    def do(self, *argv):
        result = self.run_to_end(*argv)
        self.assertEqual(result.status, 0, result.out + result.err)


class UnderServiceDirectories(SupervisedTest):
    @needs("runsv", "runit")
    def test_runit_stops_and_starts_it_between_pairs(self):
        directory = self.service()
        runsv = self.start("runsv", directory)
        for round_ in range(3):
            before = len(self.story())
            self.wait_for_story(before + 1)
            self.do("sv", "-w", "20", "down", directory)
            self.assert_whole_pairs(at_least=round_ + 1)
            self.assertFalse(self.lock.exists())
            self.do("sv", "up", directory)
        self.wait_for_story(len(self.story()) + 1)
        runsv.send(signal.SIGTERM)  # it stops its service, and ends after it
        self.assertEqual(runsv.wait(), 0)
        self.assert_whole_pairs(at_least=4)
        self.assert_nothing_left()

    @needs("s6-supervise", "s6")
    def test_s6_stops_and_starts_it_between_pairs(self):
        directory = self.service()
        s6 = self.start("s6-supervise", directory)
        for round_ in range(3):
            before = len(self.story())
            self.wait_for_story(before + 1)
            self.do("s6-svc", "-wd", "-T", "20000", "-d", directory)
            self.assert_whole_pairs(at_least=round_ + 1)
            self.assertFalse(self.lock.exists())
            self.do("s6-svc", "-u", directory)
        self.wait_for_story(len(self.story()) + 1)
        s6.send(signal.SIGTERM)
        s6.wait()
        self.assert_whole_pairs(at_least=4)
        self.assert_nothing_left()

    @needs("s6-supervise", "s6")
    def test_a_timeout_kill_of_s6_that_is_too_short_kills_the_front_and_divides_no_pair(self):
        let_go = self.hold_story(1)
        directory = self.service(seconds=0, pause="1h")
        (directory / "timeout-kill").write_text("100\n")
        self.start("s6-supervise", directory)
        self.wait_for_story(1)
        self.do("s6-svc", "-wd", "-T", "20000", "-d", directory)
        self.assertEqual(self.story(), ["start proc 1"])
        let_go()
        wait_until(lambda: not self.lock.exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.do("s6-svc", "-x", directory)
        self.assert_nothing_left()


@unittest.skipUnless(os.geteuid() == 0 and namespaces_are_allowed(), "needs root, for a pid namespace of its own")
class InAContainer(SupervisedTest):
    def start_container(self, *front, seconds=0.4, in_doubt=("park",), **more):
        """Its first process is the last word of `front`, or lockstep itself."""
        self.write_proc()
        phase = [self.command("./proc.sh", number, seconds, in_doubt=in_doubt, **more) for number in (1, 2)]
        self.job = self.write_job({"lockstep": 1, "job": "article", "lock": str(self.lock), "every": "100ms", "key": "once",
                                   "steps": [{"step": "proc", "first": phase[0], "second": phase[1]}]})
        self.container = self.start(*NAMESPACE, *front, LOCKSTEP, "loop", self.job, "--state-dir", self.state)
        self.wait_for_story(1)
        self.first, = children_of(self.container.pid)

    def stop(self):
        """As `docker stop` begins: SIGTERM to the first process. Returns the container's exit status."""
        kill(self.first, signal.SIGTERM)
        return self.container.wait()

    def stopped_cleanly(self, *front):
        self.start_container(*front)
        self.assertEqual(self.stop(), 0, self.container.err())
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()

    def test_lockstep_as_the_first_process(self):
        self.stopped_cleanly()

    @needs("tini", "tini")
    def test_tini_in_front_and_tini_that_signals_the_group(self):
        self.stopped_cleanly("tini", "--")

    @needs("tini", "tini")
    def test_tini_that_signals_the_whole_group(self):
        self.stopped_cleanly("tini", "-g", "--")

    @needs("dumb-init", "dumb-init")
    def test_dumb_init_in_front_signals_its_whole_session(self):
        self.stopped_cleanly("dumb-init", "--")

    @needs("dumb-init", "dumb-init")
    def test_dumb_init_that_signals_only_its_child(self):
        self.stopped_cleanly("dumb-init", "--single-child", "--")

    def test_a_shell_in_front_passes_no_signal_on_and_setup_therefore_writes_none(self):
        self.start_container("sh", "-c", '"$@"; true', "sh")
        kill(self.first, signal.SIGTERM)
        self.wait_for_story(4)
        self.assertTrue(self.container.running(), "a shell as the first process does not even end")

    def test_what_the_end_of_a_container_cut_is_put_right_by_the_next(self):
        self.hold_story(1)
        self.start_container(seconds=0, in_doubt=["resend", "park"], idempotent=True)
        kill(self.first, signal.SIGTERM)
        self.container.says("signal received")
        kill(self.first)  # the time of `docker stop` is over: all processes of the namespace end at once
        self.container.wait()
        self.assertEqual(self.story(), ["start proc 1"])
        result = self.lockstep("run", self.job, "--state-dir", self.state)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.story(), ["start proc 1", *self.WHOLE_PAIR], "the first phase again, as the job allows, and the second")
        self.assert_nothing_left()

    def test_a_time_that_is_too_short_is_known_if_it_is_declared(self):
        self.start_container("env", "A=b")
        self.assertNotIn("a stop can be cut", self.container.err())
        self.stop()
        self.lockstep("run", self.job, "--state-dir", self.state)
        declared = self.run_to_end(*NAMESPACE, LOCKSTEP, "run", self.job, "--state-dir", self.state, "--stop-timeout", "10s")
        self.assertIn("a stop can be cut. Give it 55 s (docker stop --time=55", declared.err)


if __name__ == "__main__":
    unittest.main()

"""The article's daemon, written as most people would, and the same commands under lockstep."""

import os
import signal
import unittest

from processes import is_alive
from supervisor import Supervisord, needs_supervisord
from support import LOCKSTEP, SystemTest, wait_until

NAIVE_DAEMON = """#!/bin/sh
mkdir daemon.lock || exit 1
while :; do
    ./proc.sh 1 0.3
    ./proc.sh 2 0.3
    sleep 0.1
done
rmdir daemon.lock
"""


@needs_supervisord
class NaiveDaemon(SystemTest):
    def test_the_naive_daemon_leaves_its_lock_and_half_a_pair_and_can_never_start_again(self):
        directory = self.root / "naive"
        directory.mkdir()
        self.write_proc(directory)
        daemon = directory / "daemon.sh"
        daemon.write_text(NAIVE_DAEMON)
        daemon.chmod(0o755)
        supervisord = Supervisord(self, {"naive": {"command": daemon, "autostart": "false", "stopasgroup": "true"}})
        self.hold_story(1, directory)
        supervisord.start("naive")
        self.wait_for_story(1, directory)
        supervisord.stop("naive")
        supervisord.wait_for_state("naive", "STOPPED")

        self.assertTrue((directory / "daemon.lock").is_dir(), "without lockstep the lock stays")
        self.assertEqual(self.story(directory), ["start proc 1"], "without lockstep the pair stays half done")

        supervisord.start("naive")
        info = supervisord.wait_for_state("naive", "EXITED")
        self.assertEqual(info["exitstatus"], 1, "a leaked lock keeps every successor from starting")
        supervisord.shut_down()

    def test_the_same_commands_under_lockstep_finish_the_pair_and_give_the_lock_back(self):
        directory = self.root / "careful"
        directory.mkdir()
        let_go = self.hold_story(1, directory)
        job = self.article(seconds=0, directory=directory)
        supervisord = Supervisord(self, {"careful": {
            "command": f"{LOCKSTEP} loop {job} --state-dir {self.state}", "autostart": "false", "stopasgroup": "true"}})
        supervisord.start("careful")
        self.wait_for_story(1, directory)
        supervisord.stop("careful")
        wait_until(lambda: "signal received" in supervisord.log("careful"), "the stop request")
        let_go()
        info = supervisord.wait_for_state("careful", "STOPPED")

        self.assertEqual(info["exitstatus"], 0)
        self.assertEqual(self.assert_whole_pairs(directory), 1)
        self.assertFalse((directory / "job.lock").exists())

        supervisord.start("careful")
        self.wait_for_story(5, directory)
        supervisord.stop("careful")
        supervisord.wait_for_state("careful", "STOPPED")
        self.assert_whole_pairs(directory, at_least=2)
        supervisord.shut_down()
        self.assert_nothing_left(directory / "job.lock")

    def test_the_log_tells_the_story_of_the_article(self):
        job = self.article(seconds=0.1)
        daemon = self.start_lockstep("loop", job, "--state-dir", self.state)
        self.wait_for_story(3)
        daemon.send(signal.SIGTERM)
        self.assertEqual(daemon.wait(), 0)
        log = daemon.err()
        places = [log.find(words) for words in ("start daemon", "signal received: SIGTERM", "end daemon")]
        self.assertNotIn(-1, places, log)
        self.assertEqual(places, sorted(places), log)
        self.assertIn(f"from pid {os.getpid()} (uid {os.getuid()})", log)
        self.assertFalse(is_alive(daemon.pid))
        self.assert_whole_pairs(at_least=1)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

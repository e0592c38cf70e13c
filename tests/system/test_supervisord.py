"""The article's job under a real supervisord, stopped in every way that supervisord knows."""

import os
import threading
import time
import unittest

from supervisor import Supervisord, needs_supervisord
from support import LOCKSTEP, SystemTest, is_alive, wait_for_moment, wait_until

MOMENTS = 20


@needs_supervisord
class UnderSupervisord(SystemTest):
    def supervise(self, names, seconds=0.15, pause="100ms", **settings):
        """A supervisord with one article's job for each name, not yet started."""
        programs = {}
        for name in names:
            directory = self.root / name
            directory.mkdir()
            job = self.article(seconds, pause, directory)
            programs[name] = {"command": f"{LOCKSTEP} loop {job} --state-dir {self.state / name}", "autostart": "false",
                              "stopwaitsecs": "20", **settings}
        return Supervisord(self, programs)

    def locks(self, names):
        return [self.root / name / "job.lock" for name in names]

    def stopped_cleanly(self, supervisord, names, at_least=1):
        for name in names:
            info = supervisord.wait_for_state(name, "STOPPED")
            self.assertEqual(info["exitstatus"], 0, f"{name}: {supervisord.log(name)}")
            self.assert_whole_pairs(self.root / name, at_least)
            self.assertFalse((self.root / name / "job.lock").exists())

    def test_a_stop_at_any_of_20_moments_leaves_whole_pairs_and_no_lock(self):
        names = [f"job{n:02}" for n in range(MOMENTS)]
        supervisord = self.supervise(names)
        cycle = 0.55  # a pair, its pause and what the processes cost
        failures = []

        def start_and_stop(number):
            name = names[number]
            try:
                supervisord.start(name)
                self.wait_for_story(1, self.root / name)
                wait_for_moment(time.monotonic() + cycle * number / MOMENTS)
                supervisord.stop(name)
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(f"{name}: {failure!r}")
        threads = [threading.Thread(target=start_and_stop, args=(number,)) for number in range(MOMENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.stopped_cleanly(supervisord, names)
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(names))

    def test_a_restart_in_the_middle_of_a_pair_begins_after_its_end(self):
        supervisord = self.supervise(["job"], seconds=0.3)
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        first = supervisord.info("job")["pid"]
        supervisord.stop("job", True)
        self.assertEqual(len(self.story(self.root / "job")), 4, "stopped before the pair was finished")
        supervisord.start("job")
        self.wait_for_story(6, self.root / "job")
        self.assertNotEqual(supervisord.info("job")["pid"], first)
        supervisord.stop("job", True)
        self.stopped_cleanly(supervisord, ["job"], at_least=2)
        self.assertNotIn("took over", supervisord.log("job"))
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_with_stopwaitsecs_0_the_guardian_finishes_the_pair_after_the_front_was_killed(self):
        supervisord = self.supervise(["job"], seconds=0.6, stopwaitsecs="0")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        front = supervisord.info("job")["pid"]
        supervisord.stop("job", True)
        self.assertFalse(is_alive(front), "supervisord was to kill the front")
        self.assertLess(len(self.story(self.root / "job")), 4, "the front was killed too late for this test")
        self.assertTrue((self.root / "job/job.lock").exists(), "the guardian still works, so the lock is still held")

        wait_until(lambda: not (self.root / "job/job.lock").exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(self.root / "job"), 1)
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_stopasgroup_does_not_reach_the_work(self):
        supervisord = self.supervise(["job"], seconds=0.3, stopasgroup="true")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        supervisord.stop("job", True)
        self.stopped_cleanly(supervisord, ["job"])
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_killasgroup_does_not_reach_the_work(self):
        supervisord = self.supervise(["job"], seconds=0.6, killasgroup="true", stopasgroup="true", stopwaitsecs="0")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        supervisord.stop("job", True)
        self.assertLess(len(self.story(self.root / "job")), 4, "the front was killed too late for this test")
        wait_until(lambda: not (self.root / "job/job.lock").exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(self.root / "job"), 1)
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_a_shutdown_of_supervisord_with_ten_jobs_at_once_divides_no_pair(self):
        names = [f"job{n}" for n in range(10)]
        supervisord = self.supervise(names, seconds=0.2, autostart="true")
        for name in names:
            self.wait_for_story(5, self.root / name)
        self.assertEqual(supervisord.shut_down(), 0)
        for name in names:
            self.assert_whole_pairs(self.root / name, at_least=1)
            self.assertIn("signal received: SIGTERM", supervisord.log(name))
        self.assert_nothing_left(*self.locks(names))
        self.assertFalse(os.path.exists(supervisord.socket))


if __name__ == "__main__":
    unittest.main()

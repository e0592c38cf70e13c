"""The article's job under a real supervisord, stopped in every way that supervisord knows."""

import os
import threading
import time
import unittest

from processes import is_alive
from supervisor import Supervisord, needs_supervisord
from support import LOCKSTEP, SystemTest, wait_for_moment, wait_until

MOMENTS = 20
SUPERVISORCTL = "/usr/bin/supervisorctl"


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

    def stop_within_the_pair(self, supervisord, name, let_go):
        """A stop that is surely received while the held pair is in hand."""
        supervisord.stop(name)
        wait_until(lambda: "signal received" in supervisord.log(name), "the stop request")
        let_go()
        supervisord.wait_for_state(name, "STOPPED")

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
        supervisord = self.supervise(["job"], seconds=0)
        let_go = self.hold_story(1, self.root / "job")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        first = supervisord.info("job")["pid"]
        self.stop_within_the_pair(supervisord, "job", let_go)
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
        supervisord = self.supervise(["job"], seconds=0, pause="1h", stopwaitsecs="0")
        let_go = self.hold_story(1, self.root / "job")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        front = supervisord.info("job")["pid"]
        supervisord.stop("job", True)
        self.assertFalse(is_alive(front), "supervisord was to kill the front")
        self.assertEqual(self.story(self.root / "job"), ["start proc 1"])
        self.assertTrue((self.root / "job/job.lock").exists(), "the guardian still works, so the lock is still held")

        let_go()
        wait_until(lambda: not (self.root / "job/job.lock").exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(self.root / "job"), 1)
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_stopasgroup_does_not_reach_the_work(self):
        supervisord = self.supervise(["job"], seconds=0, stopasgroup="true")
        let_go = self.hold_story(1, self.root / "job")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        self.stop_within_the_pair(supervisord, "job", let_go)
        self.stopped_cleanly(supervisord, ["job"])
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def test_killasgroup_does_not_reach_the_work(self):
        supervisord = self.supervise(["job"], seconds=0, pause="1h", killasgroup="true", stopasgroup="true", stopwaitsecs="0")
        let_go = self.hold_story(1, self.root / "job")
        supervisord.start("job")
        self.wait_for_story(1, self.root / "job")
        supervisord.stop("job", True)
        self.assertEqual(self.story(self.root / "job"), ["start proc 1"])
        let_go()
        wait_until(lambda: not (self.root / "job/job.lock").exists(), "the guardian to give the lock back")
        self.assertEqual(self.assert_whole_pairs(self.root / "job"), 1)
        supervisord.shut_down()
        self.assert_nothing_left(*self.locks(["job"]))

    def supervisorctl(self, *arguments):
        result = self.run_to_end(SUPERVISORCTL, "-c", self.root / "supervisord.conf", *arguments, deadline=60)
        self.assertEqual(result.status, 0, result.out + result.err)
        return result.out

    def test_50_deploys_while_items_flow_lose_nothing_and_do_nothing_twice(self):
        directory = self.root / "job"
        directory.mkdir()
        keys = []

        def more_items(count):
            new = [f"i{len(keys) + number}" for number in range(count)]
            with open(directory / "items.ndjson", "a", encoding="ascii") as file:
                file.write("".join(f'{{"id": "{key}"}}\n' for key in new))
            keys.extend(new)
        more_items(100)
        effect = directory / "effect.sh"
        effect.write_text('#!/bin/sh\nsleep 0.02\necho "$1 $LOCKSTEP_ITEM_KEY" >>effects.log\n')
        effect.chmod(0o755)
        job = self.write_job({"lockstep": 1, "job": "flow", "lock": str(directory / "job.lock"), "every": "50ms", "maxConcurrency": 2,
                              "items": {"ndjson": "items.ndjson", "key": "$inputs.id"},
                              "steps": [{"step": "s", "first": self.command("./effect.sh", "first"),
                                         "second": self.command("./effect.sh", "second")}]}, directory=directory)
        supervisord = Supervisord(self, {"job": {"command": f"{LOCKSTEP} loop {job} --state-dir {self.state}", "stopwaitsecs": "60"}})
        effects = directory / "effects.log"
        wait_until(effects.exists, "the first item")
        in_the_middle = 0
        for _ in range(50):
            in_the_middle += len(effects.read_text().splitlines()) < 2 * len(keys)
            self.supervisorctl("restart", "job")
            more_items(12)
        wait_until(lambda: len(effects.read_text().splitlines()) >= 2 * len(keys), "the last item", 120)
        supervisord.stop("job", True)
        self.assertEqual(sorted(effects.read_text().splitlines()),
                         sorted(f"{phase} {key}" for key in keys for phase in ("first", "second")))
        self.assertGreater(in_the_middle, 20, "most deploys came in the middle")
        supervisord.shut_down()
        self.assert_nothing_left(directory / "job.lock")

    def test_a_changed_configuration_is_told_of_when_it_was_read_and_applied_by_a_stop_that_divides_no_pair(self):
        supervisord = self.supervise(["job"], seconds=0.3, stopwaitsecs="60", autostart="true")
        self.wait_for_story(5, self.root / "job")
        self.assertNotIn("stopwaitsecs", supervisord.log("job"))
        config = self.root / "supervisord.conf"
        config.write_text(config.read_text().replace("stopwaitsecs=60", "stopwaitsecs=20"))
        self.assertIn("job: changed", self.supervisorctl("reread"))
        self.supervisorctl("restart", "job")
        wait_until(lambda: "stopwaitsecs=20, which may be read and not yet applied" in supervisord.log("job"), "the warning")
        self.assertIn("job: updated", self.supervisorctl("update"))
        lines = len(self.story(self.root / "job"))
        self.wait_for_story(lines + 1, self.root / "job")
        supervisord.stop("job", True)
        self.stopped_cleanly(supervisord, ["job"], at_least=2)
        supervisord.shut_down()

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

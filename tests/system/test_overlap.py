"""Runs that meet each other, and runs that were missed."""

import json
import unittest

from support import SystemTest, wait_until


class Coalesced(SystemTest):
    def start_run(self, *options, command="run"):
        return self.start_lockstep(command, self.root / "job.json", "--state-dir", self.state, *options)

    def waiting(self, process):
        process.says("waiting for the lock")

    def test_of_ten_runs_that_find_the_job_busy_one_waits_and_the_others_leave_with_75(self):
        let_go = self.hold_story(1)
        self.article(seconds=0)
        holder = self.start_run()
        self.wait_for_story(1)
        runs = [self.start_run("--coalesce") for _ in range(10)]
        left = wait_until(lambda: [run for run in runs if not run.running()] if sum(run.running() for run in runs) == 1 else None,
                          "nine to leave")
        self.assertEqual([run.wait() for run in left], [75] * 9)
        waiter, = [run for run in runs if run.running()]
        for run in left:
            self.assertIn(f"busy: pid {waiter.pid} waits for it already", run.err())
        let_go()
        self.assertEqual((holder.wait(), waiter.wait()), (0, 0))
        self.assertEqual(self.assert_whole_pairs(), 2)
        self.assert_nothing_left()

    def test_without_coalesce_all_of_them_wait(self):
        self.article(seconds=0.1)
        runs = [self.start_run("--wait", "forever") for _ in range(4)]
        self.assertEqual([run.wait() for run in runs], [0] * 4)
        self.assertEqual(self.assert_whole_pairs(), 4)

    def test_one_that_comes_while_the_waiter_is_at_work_waits_in_its_turn_and_misses_nothing(self):
        let_first_go, let_second_go = self.hold_story(1), self.hold_story(5)
        self.article(seconds=0)
        self.start_run()
        self.wait_for_story(1)
        second = self.start_run("--coalesce")
        self.waiting(second)
        let_first_go()
        self.wait_for_story(5)
        third = self.start_run("--coalesce")
        self.waiting(third)
        let_second_go()
        self.assertEqual((second.wait(), third.wait()), (0, 0))
        self.assertEqual(self.assert_whole_pairs(), 3)

    def test_a_waiter_that_is_killed_leaves_its_place_to_the_next(self):
        let_go = self.hold_story(1)
        self.article(seconds=0)
        self.start_run()
        self.wait_for_story(1)
        second = self.start_run("--coalesce")
        self.waiting(second)
        guardian = second.guardian()
        second.send(9)
        second.wait()
        wait_until(lambda: guardian not in self.my_processes(), "the end of the killed waiter's guardian")
        third = self.start_run("--coalesce")
        self.waiting(third)
        let_go()
        self.assertEqual(third.wait(), 0)
        self.assertEqual(self.assert_whole_pairs(), 2)

    def test_a_wait_that_was_limited_stays_limited(self):
        self.hold_story(1)
        self.article(seconds=0)
        holder = self.start_run()
        self.wait_for_story(1)
        for limit in ("200ms", "0"):
            self.assertEqual(self.start_run("--coalesce", "--wait", limit).wait(), 75)
        self.assertTrue(holder.running())

    def test_a_loop_beside_one_that_works_and_one_that_waits_leaves_with_75(self):
        let_go = self.hold_story(1)
        self.article(seconds=0)
        first = self.start_run(command="loop")
        self.wait_for_story(1)
        second = self.start_run("--coalesce", command="loop")
        self.waiting(second)
        third = self.start_run("--coalesce", command="loop")
        self.assertEqual(third.wait(), 75)
        for loop in (second, first):
            loop.send(15)
            loop.says("signal received")
        let_go()
        self.assertEqual((first.wait(), second.wait()), (0, 0))
        self.assert_nothing_left()


class Overdue(SystemTest):
    def check(self, job, status):
        result = self.lockstep("check", "--overdue", job, "--state-dir", self.state)
        self.assertEqual(result.status, status, result.out + result.err)
        return result.out

    def test_a_job_is_overdue_until_it_has_succeeded_and_again_when_that_is_too_long_ago(self):
        job = self.article(expectEvery="1h")
        self.assertEqual(self.check(job, 1), "article: no success yet, expected every 1h: overdue\n")
        self.assertEqual(self.lockstep("run", job, "--state-dir", self.state).status, 0)
        self.assertRegex(self.check(job, 0), r"\Aarticle: last success \d\.\ds ago, expected every 1h\n\Z")
        shown = self.lockstep("status", job, "--state-dir", self.state).out
        self.assertRegex(shown, r"\n  last success \d\.\ds ago, expected every 1h\n")
        for asked in (("article",), ()):
            shown = self.lockstep("status", *asked, "--state-dir", self.state).out
            self.assertRegex(shown, r"\n  last success \d\.\ds ago, expected every 1h\n", "as its newest run knew it")
        hasty = self.article(expectEvery="1ms")
        self.assertIn("expected every 1ms: overdue", self.check(hasty, 1))
        shown = json.loads(self.lockstep("status", hasty, "--state-dir", self.state, "--json").out)
        self.assertEqual((shown["expectEveryMs"], shown["overdue"]), (1, True))

    def test_of_several_jobs_the_gravest_trouble_is_told_by_the_status(self):
        job = self.article(expectEvery="1h")
        wrong = self.root / "wrong.json"
        wrong.write_text("{")
        (self.root / "file").write_text("")
        for first, second in ((wrong, job), (job, wrong)):
            result = self.lockstep("check", "--overdue", first, second, "--state-dir", self.state)
            self.assertEqual(result.status, 78, result.err)
            self.assertIn("article: no success yet", result.out)
        result = self.lockstep("check", "--overdue", wrong, job, "--state-dir", self.root / "file")
        self.assertEqual(result.status, 78, "not the 74 of the second")

    def test_a_pass_that_fails_is_no_success(self):
        job = self.write_job({"lockstep": 1, "job": "failing", "lock": str(self.lock), "expectEvery": "1h",
                              "steps": [{"step": "s", "first": self.command("false", refusedStatus=[1])}]})
        self.assertEqual(self.lockstep("run", job, "--state-dir", self.state).status, 1)
        self.assertIn("no success yet", self.check(job, 1))

    def test_a_job_that_expects_nothing_is_told_what_it_lacks(self):
        self.assertIn('Add "expectEvery"', self.check(self.article(), 1))

    def test_it_takes_no_lock_and_makes_no_journal(self):
        self.check(self.article(expectEvery="1h"), 1)
        self.assertFalse(self.state.exists())
        self.assertFalse(self.lock.exists())


if __name__ == "__main__":
    unittest.main()

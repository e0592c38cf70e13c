"""Fronts and guardians are killed: the other one finishes what was begun, and everything is given back."""

import json
import os
import resource
import signal
import unittest

from processes import children_of, guardian_of, is_alive, kill, open_files_of, parent_of
from stopping import StoppingTest
from strace import needs_strace
from support import LOCKSTEP, open_for_writing, wait_until


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
        self.assertRegex(after.err(), r"the-order: proc, begun by run \S+, was left second-begun, whether that took effect is not known")
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

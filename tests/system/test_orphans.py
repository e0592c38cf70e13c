"""Commands that a killed run left at work: whom they are shown to, and what is said of them."""

import json
import os
import unittest

from processes import kill
from support import SystemTest, wait_until


class Orphans(SystemTest):
    def killed(self, *options, with_its_command=False):
        """A run that holds the lock and was killed, and its id."""
        holder = self.hold(*options, self.lock)
        victims = [holder.guardian(), holder.pid] + ([holder.command_pid] if with_its_command else [])
        records = self.lock.glob("r.*") if "--shared" in options else [self.lock / "record"]
        [holder.run] = [record.read_text().split()[1] for record in records if f"guardian {victims[0]}\n" in record.read_text()]
        for pid in victims:
            kill(pid)
        holder.wait()
        wait_until(lambda: self.reap() or not set(self.my_processes()) & set(victims), "the end of the killed")
        return holder

    def execute(self, *words, **more):
        return self.lockstep("exec", *words, **more)

    def look(self):
        shown = self.lockstep("locks", "--root", self.root, "--state-dir", self.state, "--json")
        return next(lock for lock in json.loads(shown.out) if lock["path"] == str(self.lock))

    def orphan(self, holder):
        return f"pid {holder.command_pid}, a command that a killed run left at work"

    def test_of_readers_the_living_are_named_and_not_the_dead(self):
        self.killed("--shared", with_its_command=True)
        living = self.hold("--shared", self.lock)
        busy = self.execute(self.lock, "--", "true")
        self.assertEqual(busy.status, 75)
        self.assertIn(f"busy: pid {living.pid} since", busy.err)
        self.assertNotIn("more reader", busy.err)
        living.let_go()
        self.assertEqual(living.wait(), 0)
        self.assert_nothing_left()

    def test_beside_living_readers_the_command_of_a_dead_one_is_named_to_writers_locks_and_unlock(self):
        dead = self.killed("--shared")
        living = self.hold("--shared", self.lock)
        busy = self.execute(self.lock, "--", "true")
        self.assertIn(f"busy: pid {living.pid} since", busy.err)
        self.assertIn("; and " + self.orphan(dead), busy.err)
        self.assertIn("; and " + self.orphan(dead), self.look()["text"])
        refused = self.lockstep("unlock", self.lock, "--run", dead.run)
        self.assertEqual(refused.status, 75, refused.err)
        self.assertIn("has died, and the last of those who share the lock clears up after it", refused.err)
        self.assertIn(f"kill {dead.command_pid}", refused.err)
        living.let_go()
        self.assertEqual(living.wait(), 0)
        self.assertIn("busy: " + self.orphan(dead), self.execute(self.lock, "--", "true").err)
        kill(dead.command_pid)
        self.assertEqual(self.execute("--wait", "1m", self.lock, "--", "true").status, 0)
        self.assert_nothing_left()

    def test_behind_one_who_waits_for_it_the_orphan_is_still_named(self):
        dead = self.killed()
        first = self.start_lockstep("exec", "--wait", "forever", self.lock, "--", "echo", "mine")
        first.says(self.orphan(dead))
        for options in ((), ("--shared",)):
            busy = self.execute(*options, self.lock, "--", "true")
            self.assertEqual(busy.status, 75)
            self.assertIn(f"busy: {self.orphan(dead)}; a run that takes over from it waits already", busy.err)
        for options in ((), ("--terminate",)):
            refused = self.lockstep("unlock", self.lock, "--run", dead.run, *options)
            self.assertEqual(refused.status, 75, refused.err)
            self.assertIn(f"Wait for that, or end it: kill {dead.command_pid}", refused.err)
            self.assertNotIn("--terminate", refused.err)
        kill(dead.command_pid)
        self.assertEqual(first.wait(), 0, first.err())
        self.assert_nothing_left()

    def test_what_a_dead_reader_left_running_is_not_part_of_its_run_any_more(self):
        dead = self.killed("--shared", with_its_command=True)
        living = self.hold("--shared", self.lock)
        result = self.execute("--shared", self.lock, "--", "echo", "beside", env=self.environment(LOCKSTEP_RUN_ID=dead.run))
        self.assertEqual((result.status, result.out), (0, "beside\n"), result.err)
        # But its command, as long as it is at work, would wait for itself.
        at_work = self.killed("--shared")
        result = self.execute(self.lock, "--", "true", env=self.environment(LOCKSTEP_RUN_ID=at_work.run))
        self.assertEqual(result.status, 73, result.err)
        kill(at_work.command_pid)
        # Dead it still holds the lock until the kernel has closed its descriptors.
        wait_until(lambda: self.reap() or not os.path.exists(f"/proc/{at_work.command_pid}"), "the end of its command")
        living.let_go()
        self.assertEqual(living.wait(), 0)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

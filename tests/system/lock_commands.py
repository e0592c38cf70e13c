"""`lockstep locks` and `unlock` beside locks that are held, left behind, foreign."""

import json
import os

from processes import kill
from support import SystemTest, wait_until


class LocksTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.place = self.root / "locks"
        self.place.mkdir()
        self.lock = self.place / "job.lock"

    def locks(self, *options, expected=0, **more):
        result = self.lockstep("locks", "--root", self.place, "--state-dir", self.state, "--json", *options, **more)
        self.assertEqual(result.status, expected, result.err)
        return {os.path.basename(lock["path"]): lock for lock in json.loads(result.out)}

    def table(self, *options):
        result = self.lockstep("locks", "--root", self.place, "--state-dir", self.state, *options)
        self.assertEqual(result.status, 0, result.err)
        return result.out

    def hold(self, lock=None, *options):
        return super().hold(*options, lock or self.lock)

    def leave_behind(self, lock=None, orphan=False):
        """A run that was killed with all it had, unless its command is to work on. Returns its id."""
        holder = self.hold(lock)
        victims = [holder.pid, holder.guardian()] + ([] if orphan else [holder.command_pid])
        run = self.run_of(lock)
        for pid in victims:
            kill(pid)
        holder.wait()
        wait_until(lambda: self.reap() or not set(self.my_processes()) & set(victims), "the end of the killed")
        return run

    def run_of(self, lock=None):
        return self.locks()[os.path.basename(lock or self.lock)]["run"]

    def unlock(self, *words, **more):
        return self.lockstep("unlock", *words, **more)

    def refused(self, status, *words, **more):
        result = self.unlock(*words, **more)
        self.assertEqual((result.status, result.out), (status, ""), result.err)
        self.assertEqual(len(result.err.splitlines()), 1, result.err)
        return result.err

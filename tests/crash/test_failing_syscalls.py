"""Each system call that makes, writes, syncs or removes a file fails in turn: a clear error, never a false success, and one plain
run afterwards puts everything right.

A deterministic selection, unless LOCKSTEP_CRASH_FULL=1.
"""

import errno
import os
import time
import unittest

from crash_support import PointTest, for_each_scenario

POINTS = 12  # a scenario
ERRORS = (errno.EIO, errno.ENOSPC)
# Some items failed, no items, no process, no lock, no journal, work left.
CLEAR = (1, 69, 71, 73, 74, 75)
# SQLite does not always keep errno; what it does keep is said in words of ours.
REASONS = ("the disk failed", "no room is left on the device", "it cannot be opened", "it cannot be written")


@for_each_scenario("nothing_is_lost_or_doubled")
class FailingSyscalls(PointTest):
    def points_of(self, calls):
        durable = sorted((call.thread, call.name, call.nth_durable, os.path.basename(call.file)) for call in calls if call.file)
        return [(*call, error) for call in durable for error in ERRORS]

    @staticmethod
    def fail_and_run_again(place, point):
        thread, name, nth, _, error = point
        status, said, struck = place.traced("fail", thread, name, nth, error)
        file = struck.strip().split(" ", 2)[2] if struck else ""
        ordinary = int(place.scenario.refused)
        if status == 0:
            place.assert_all_done()
        elif struck and status != ordinary:
            assert status in CLEAR, f"{struck.strip()}: exit status {status}: {said}"
            assert any(words in said for words in (os.strerror(error), *REASONS)), f"{struck.strip()}: exit status {status}, but no word of the reason: {said}"
        if os.path.basename(file).startswith("err."):
            assert status == ordinary, f"what is said must never matter to what is done: exit status {status}: {said}"
        # What SQLite's own syncs of the directory (fdatasync) tell is lost in it: ours comes before the first effect.
        ours = name == "fsync" or (name == "fdatasync" and file != str(place.state))
        if ours and file.startswith(str(place.state)):
            assert status == 74, f"{struck.strip()}: a sync that failed must end the run: exit status {status}: {said}"
        place.assert_whole(*place.run())
        return (name, status) if struck else None

    def try_scenario(self, scenario):
        began = time.monotonic()
        points = self.points_of(self.calls_of(scenario))
        struck = self.try_some(scenario, points, POINTS, self.fail_and_run_again)
        ends = sorted({status for _, status in struck})
        print(f"\n{scenario.name}: failed at {len(struck)} of {len(points)} calls ({', '.join(sorted({name for name, _ in struck}))}), "
              f"exit statuses {ends}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    unittest.main()

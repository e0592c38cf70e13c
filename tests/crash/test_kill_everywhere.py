"""The guardian is killed at each of its system calls in turn; one plain run afterwards puts everything right.

Every journal write, every sync and every effect is a system call or stands between two, so that these are all the states that a
kill can leave. Without LOCKSTEP_CRASH_FULL=1 a selection: calls that change something, and those after them.
"""

import signal
import time
import unittest

from crash_support import FULL, PointTest, for_each_scenario, that_matter

POINTS = 12  # a scenario


@for_each_scenario("one_run_puts_it_right")
class KillEverywhere(PointTest):
    def points_of(self, calls):
        """(thread, nth call of it, victim) for all calls of an undisturbed run."""
        ordered = sorted((call.thread, call.nth) for call in calls)
        return [(thread, nth, ("guardian", "both")[number % 2]) for number, (thread, nth) in enumerate(ordered)]

    @staticmethod
    def kill_and_run_again(place, point):
        thread, nth, victim = point
        status, said, struck = place.traced("kill", thread, nth, victim)
        if struck:
            expected = -signal.SIGKILL if victim == "both" else 70
            assert status == expected, f"killed at {struck.strip()!r}, but the exit status is {status}: {said}"
        elif status == 0:
            place.assert_all_done()
        place.assert_whole(*place.run())
        place.assert_nothing_left()
        return struck.split(" ")[1] if struck else ""

    def try_scenario(self, scenario):
        began = time.monotonic()
        calls = self.calls_of(scenario)
        points = self.points_of(calls if FULL else that_matter(calls))
        struck = self.try_some(scenario, points, POINTS, self.kill_and_run_again)
        print(f"\n{scenario.name}: killed at {len(struck)} of {len(calls)} system calls ({len(set(struck))} names), "
              f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    unittest.main()

"""Both roads of `lockstep exec`, and how to see which one a process has gone."""

import pathlib
import re
import unittest

from support import LOCKSTEP, SystemTest

OTHER_ROAD = ("--wait", "0000s")
ROADS = {"plain": (), "other": OTHER_ROAD}


def has_heap(pid):
    return "[heap]" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def has_dealt_with(pid, number):
    """The signal is no longer pending, and the process sleeps in rt_sigtimedwait(2) for the next one."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    pending = int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16) >> (number - 1) & 1
    return not pending and "\nState:\tS" in status and pathlib.Path(f"/proc/{pid}/syscall").read_text().startswith("128 ")


def goes_the_plain_road():
    """Sanitizers and other processors than x86-64 have only the other one."""
    file = pathlib.Path(LOCKSTEP).read_bytes()
    return b"lockstep_entry" in file


@unittest.skipUnless(goes_the_plain_road(), "this lockstep was built without the plain road")
class PlainRoadTest(SystemTest):
    def execute(self, *command, options=(), **more):
        return self.lockstep("exec", *options, self.lock, "--", *command, **more)

    def hold(self, *options, **more):
        return super().hold(*options, self.lock, **more)

    def on_both_roads(self, *command, **more):
        """The results, which must agree in status, stdout and stderr but for what differs in any two runs."""
        results = {name: self.execute(*command, options=options, **more) for name, options in ROADS.items()}
        self.assertEqual(*((each.status, self.without_accidents(each.out), self.without_accidents(each.err))
                           for each in results.values()))
        return results["plain"]

    @staticmethod
    def without_accidents(text):
        text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "RUN", text)
        text = re.sub(r"pid \d+", "pid N", text)
        text = re.sub(r"(/proc/|pipe:\[)\d+", r"\1N", text)
        return re.sub(r"\d\d:\d\d:\d\d", "TIME", text)

"""strace(1) as a hand that stops a process right after one of its system calls, until it gets SIGCONT."""

import re
import shutil
import unittest

from support import wait_until

needs_strace = unittest.skipUnless(shutil.which("strace"), "Debian's package strace is not installed")


def start_and_stop_after(test, calls, *argv):
    """Returns what was started, and the pid of the process that has stopped after the first of these calls that it made."""
    trace = test.root / f"trace.{test.started}"
    process = test.start("strace", "-f", "-o", trace, "-e", f"trace={calls}", "-e", f"inject={calls}:signal=STOP:when=1", *argv)

    def stopped():
        return trace.exists() and re.search(r"^(\d+) +--- stopped by SIGSTOP ---$", trace.read_text(errors="replace"), re.MULTILINE)
    return process, int(wait_until(stopped, f"a stop after {calls}")[1])

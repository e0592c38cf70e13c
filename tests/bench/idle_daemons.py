#!/usr/bin/python3
"""What idle daemons cost under a real supervisord, beside daemons of sh: memory, stopping twenty, and how soon one is gone.

    tests/bench/idle_daemons.py LOCKSTEP [ROUNDS [STOPS]]
"""

import os
import pathlib
import select
import statistics
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
os.environ["LOCKSTEP"] = sys.argv[1]
ROUNDS, STOPS = (int(word) for word in (sys.argv[2:] + ["5", "100"][len(sys.argv) - 2:])[:2])

from supervisor import Supervisord  # noqa: E402
from processes import children_of, guardian_of  # noqa: E402
from support import LOCKSTEP, SystemTest, wait_until  # noqa: E402

DAEMONS = 20
# The least that can be told to stop: it ends as soon as it hears of it.
SHELL = "/bin/sh -c 'trap \"kill $!; exit 0\" TERM; echo done 1; sleep 100000 & wait'"


def pss(pid):
    """Proportional set size in KiB: what is shared counts for its part."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


class IdleDaemons(SystemTest):
    def job(self, directory):
        directory.mkdir()
        return self.write_job({"lockstep": 1, "job": "idle", "lock": str(directory / "job.lock"), "every": "1h",
                               "steps": [{"step": "s", "first": self.command("true")}]}, directory=directory)

    def test_under_supervisord(self):
        names = [f"job{number:02}" for number in range(DAEMONS)]
        programs = {name: {"command": f"{LOCKSTEP} loop {self.job(self.root / name)} --state-dir {self.state / name}",
                           "stopwaitsecs": "60"} for name in names}
        shells = [f"shell{number:02}" for number in range(DAEMONS)]
        programs |= {name: {"command": SHELL} for name in shells}
        supervisord = Supervisord(self, programs, more=["[group:ours]", f"programs={','.join(names)}",
                                                        "[group:shells]", f"programs={','.join(shells)}"])
        times = {"shells": [], "ours": []}
        for round_ in range(1, ROUNDS + 2):
            # A SIGTERM between supervisord's fork and its exec would be lost on both.
            for name in [*names, *shells]:
                wait_until(lambda: supervisord.log(name).count("done 1") == round_, "every daemon to be idle")
            if round_ == 1:
                self.tell_memory(supervisord)
            if round_ > ROUNDS:
                break
            for group, taken in times.items():
                taken.append(self.stop_all(supervisord, group))
                supervisord.call("startProcessGroup", group, True)
        ours, shells = (statistics.median(times[group]) for group in ("ours", "shells"))
        print(f"stopping {DAEMONS}: {ours:.0f} ms, daemons of sh {shells:.0f} ms: {ours / shells:.1f}")
        supervisord.shut_down()

    def stop_all(self, supervisord, group):
        """Milliseconds from the request to the last one's end. When supervisord's answer comes is another matter: where it could
        not reap all at once it sleeps a second first."""
        ended = [os.pidfd_open(info["pid"]) for info in supervisord.call("getAllProcessInfo") if info["group"] == group]
        self.assertEqual(len(ended), DAEMONS)
        start = time.monotonic()
        supervisord.call("stopProcessGroup", group, False)
        for one in ended:
            select.select([one], [], [])
            os.close(one)
        taken = (time.monotonic() - start) * 1000
        wait_until(lambda: all(info["statename"] in ("STOPPED", "EXITED") for info in supervisord.call("getAllProcessInfo")
                               if info["group"] == group), "supervisord to have reaped them")
        return taken

    @staticmethod
    def tell_memory(supervisord):
        front = supervisord.info("ours:job00")["pid"]
        guardian, = children_of(front)
        ours, theirs = pss(front) + pss(guardian), pss(supervisord.process.pid)
        print(f"memory of one of {DAEMONS}: front {pss(front)} KiB, guardian {pss(guardian)} KiB; "
              f"{ours / theirs:.3f} of supervisord's {theirs} KiB, wanted at most 0.15")

    def test_one_alone(self):
        program = {"one": {"command": f"{LOCKSTEP} loop {self.job(self.root / 'one')} --state-dir {self.state}"}}
        supervisord = Supervisord(self, program)
        wait_until(lambda: "done 1" in supervisord.log("one"), "the daemon to be idle")
        front = supervisord.info("one")["pid"]
        ours, theirs = pss(front) + pss(guardian_of(front)), pss(supervisord.process.pid)
        print(f"memory of one alone: front {pss(front)} KiB, guardian {pss(guardian_of(front))} KiB; "
              f"{ours / theirs:.3f} of supervisord's {theirs} KiB")
        supervisord.shut_down()

    def test_from_sigterm_to_exit(self):
        job = self.job(self.root / "one")

        def idle(daemon):
            daemon.says("done 1")
            return None
        self.tell_times("from SIGTERM to exit, idle", job, idle)

    def test_from_the_end_of_the_last_pair_to_exit(self):
        told = self.root / "told"
        os.mkfifo(told)
        job = self.write_job({"lockstep": 1, "job": "busy", "lock": str(self.lock), "every": "1h", "steps": [
            {"step": "s", "first": self.command("true"),
             "second": self.command("sh", "-c", 'echo $$$$ >"$1"; exec sleep 0.2', "sh", str(told))}]})

        def in_the_second_phase(_):
            # The command tells its pid itself: a look at the daemon's directory in /proc would be paid for by the wait4(2) that
            # reaps it, by up to 5 ms.
            return int(told.read_text())
        self.tell_times("from the end of the last pair to exit", job, in_the_second_phase)

    def tell_times(self, what, job, ready):
        """`ready` returns the pid of what is still to be finished, or None: measured from its end, or from SIGTERM."""
        taken = []
        for _ in range(STOPS):
            daemon = self.start_lockstep("loop", job, "--state-dir", self.state)
            last = ready(daemon)
            ended = os.pidfd_open(daemon.pid)
            last_ended = os.pidfd_open(last) if last else None
            start = time.monotonic()
            daemon.send(15)
            if last:
                select.select([last_ended], [], [])
                os.close(last_ended)
                start = time.monotonic()
            select.select([ended], [], [])
            taken.append((time.monotonic() - start) * 1000)
            os.close(ended)
            daemon.wait()
        taken.sort()
        print(f"{what}: p50 {taken[len(taken) // 2]:.2f} ms, p99 {taken[len(taken) * 99 // 100 - 1]:.2f} ms, wanted below 5 ms")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)

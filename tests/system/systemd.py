"""A real systemd as the first process of namespaces of its own: it sees the machine's files, and its own /run, /proc and control
groups. It starts nothing but what a test asks for, and cannot write the kernel's settings."""

import os
import pathlib
import subprocess
import unittest

from processes import kill
from support import LOCKSTEP, wait_until

SYSTEMD = "/lib/systemd/systemd"

# $1: the directory of the units. /proc/sys is read-only, for systemd would change the settings of the whole machine.
BOOT = """
    mount -t proc proc /proc && mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys &&
        mount -t tmpfs -o mode=755 run /run && umount -lR /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 99
    exec env -i container=lockstep-test PATH="$PATH" SYSTEMD_UNIT_PATH="$1" \\
        "$2" --system --unit=ready.target --show-status=no --log-target=console
"""
UNSHARE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "--cgroup"]


def _control_groups():
    """Where control groups of version 2 are mounted, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and os.access(fields[1], os.W_OK):
            return pathlib.Path(fields[1])
    return None


def _why_not():
    if not os.access(SYSTEMD, os.X_OK):
        return "Debian's package systemd is not installed"
    if os.geteuid() != 0 or not _control_groups():
        return "needs root and control groups of version 2"
    tried = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "namespaces are not allowed here"


_reason = _why_not()
needs_systemd = unittest.skipIf(_reason is not None, _reason or "")

# What every service would depend on in a whole system; here there are only the tests' own.
FOR_ALL = "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n"


class Systemd:
    """Boots; services lie in `units` and write to `log(NAME)`."""

    def __init__(self, test):
        self.test = test
        self.units = test.root / "units"
        (self.units / "service.d").mkdir(parents=True)
        (self.units / "timer.d").mkdir()
        for name in ("service.d", "timer.d"):
            (self.units / name / "00-alone.conf").write_text(FOR_ALL)
        for name in ("ready", "shutdown"):
            (self.units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n")
        self.group = _control_groups() / f"lockstep-test-{test.mark}"
        self.group.mkdir()
        enter = f'echo $$ >"{self.group}/cgroup.procs" && exec "$@"'
        self.process = test.start("sh", "-c", enter, "sh", *UNSHARE, "sh", "-c", BOOT, "sh", self.units, SYSTEMD)
        test.addCleanup(self._remove_group)
        self.pid = wait_until(self._first_process, "systemd's process")
        try:
            wait_until(lambda: self.systemctl("is-system-running").out.strip() == "running", "systemd to have started")
        except AssertionError as late:
            raise AssertionError(f"{late}; it said:\n{self.process.err()}{self.process.out()}") from None

    def _first_process(self):
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        if not found or b"systemd" not in pathlib.Path(f"/proc/{found[0]}/cmdline").read_bytes().split(b"\0")[0]:
            return None
        return int(found[0])

    def _remove_group(self):
        kill(self.process.pid)
        self.process.wait()

        def removed():
            for path, _, _ in os.walk(self.group, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    return False
            return True
        wait_until(removed, "the end of what systemd ran")

    def run(self, *argv, **options):
        """A program inside, as a person there would run it."""
        return self.test.run_to_end("nsenter", "-t", self.pid, "-m", "-p", "-C", "--", *argv, **options)

    def lockstep(self, *argv, **options):
        return self.run(LOCKSTEP, *argv, **options)

    def systemctl(self, *argv, **options):
        return self.run("systemctl", *argv, **options)

    def do(self, *argv, **options):
        result = self.systemctl(*argv, **options)
        self.test.assertEqual(result.status, 0, result.err)
        return result.out

    def show(self, unit, name):
        return self.do("show", "--value", "-p", name, unit).strip()

    def add(self, name, text):
        (self.units / name).write_text(text)
        self.do("daemon-reload")

    def service(self, name, command, *settings, unit=""):
        lines = [f"ExecStart={command}", f"StandardOutput=append:{self.test.root}/{name}.log",
                 f"StandardError=append:{self.test.root}/{name}.log", *settings]
        self.add(f"{name}.service", f"[Unit]\n{unit}\n[Service]\n" + "\n".join(lines) + "\n")

    def log(self, name):
        path = self.test.root / f"{name}.log"
        return path.read_text() if path.exists() else ""

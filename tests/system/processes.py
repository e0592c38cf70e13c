"""Processes, as /proc tells of them, and their signals; a test's own are known by a mark in their environment."""

import os
import pathlib
import signal
import time

MARK = "LOCKSTEP_SYSTEM_TEST"

_GONE = (FileNotFoundError, ProcessLookupError)
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, in the flags of /proc/PID/stat


def stat_of(pid):
    """The fields of /proc/PID/stat from the state on (field 3), or None if there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except _GONE:
        return None
    return text[text.rindex(")") + 2:].split()


def is_alive(pid):
    """Also where only the first thread has ended: the others keep the process's descriptors, and with them its locks."""
    fields = stat_of(pid)
    return fields is not None and (fields[0] not in "ZX" or int(fields[17]) > 1)


def parent_of(pid):
    fields = stat_of(pid)
    return int(fields[1]) if fields else None


def children_of(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except _GONE:
        pass
    return found


def guardian_of(front):
    """The child of this pid that leads a session, or None: it has not been forked yet, or is no more."""
    for child in children_of(front):
        fields = stat_of(child)
        if fields and int(fields[3]) == child:
            return child
    return None


def command_line_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except _GONE:
        return ""


def open_files_of(pid):
    """What /proc/PID/fd names, sorted."""
    names = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            pass
    return sorted(names)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def _environment_of(pid):
    """A process has none for a moment of its execve(2), and none while it ends but has not closed its files yet: waits that out.

    A process whose environment is empty has one that ends somewhere (field 51 of its stat).
    """
    end = time.monotonic() + 1
    while True:
        text = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        if text:
            return text
        fields = stat_of(pid)
        if not fields or not is_alive(pid) or int(fields[6]) & _KERNEL_THREAD or int(fields[48]) or time.monotonic() >= end:
            return b""
        os.sched_yield()


def processes_marked(mark):
    """Every live process that carries the mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if wanted in _environment_of(pid).split(b"\0") and is_alive(pid):
                found.append(pid)
        except (*_GONE, PermissionError):
            pass
    return found

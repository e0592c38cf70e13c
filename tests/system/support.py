"""What all system tests share: a root of their own, processes that are known by pid, conditions with a deadline.

Everything that a test starts carries LOCKSTEP_SYSTEM_TEST=<the test's mark> in its environment, so that a test finds all of
its own processes and nobody else's, however they were forked, and two runs at once do not disturb each other.
"""

import ctypes
import errno
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid

from processes import MARK, children_of, command_line_of, guardian_of, kill, parent_of, processes_marked, stat_of

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LOCKSTEP = os.path.abspath(os.environ.get("LOCKSTEP", REPOSITORY / "build/release/lockstep"))

PATIENCE = 60.0  # seconds; generous, for it is only ever used up when something is wrong

PR_SET_CHILD_SUBREAPER = 36


def _prepare_this_process():
    # Orphans come to us, so that a container whose first process reaps nobody does not show them as zombies of lockstep's.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # A test run in the background of a shell ignores INT and QUIT, and children would inherit that; a handler they do not.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


_prepare_this_process()


def wait_until(condition, what, deadline=PATIENCE):
    """Returns the condition's first true value; fails, naming what was waited for, when the deadline passes first."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline:g} s in vain: {what}")
        time.sleep(0.004)


def wait_for_moment(moment):
    """Until a point of the monotonic clock: for tests that vary when something happens, never to let something finish."""
    wait_until(lambda: time.monotonic() >= moment, "a moment of the clock", max(0.0, moment - time.monotonic()) + PATIENCE)


def open_for_writing(fifo):
    """A descriptor once somebody reads there, else None."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno != errno.ENXIO:
            raise
        return None


def own_address():
    """An address of this machine that no other test uses: each port of it is free, and stays so until it is bound."""
    return ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])


def as_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root, for another user or a private mount namespace")(test)


class Process:
    """A started program; its output goes to files, so that no pipe of ours can ever fill up."""

    def __init__(self, argv, directory, number, **options):
        self.argv = argv
        self.out_file = directory / f"out.{number}"
        self.err_file = directory / f"err.{number}"
        files = []
        for name, path in (("stdout", self.out_file), ("stderr", self.err_file)):
            if name not in options:
                files.append(open(path, "wb"))
                options[name] = files[-1]
        options.setdefault("stdin", subprocess.DEVNULL)
        self.popen = subprocess.Popen([str(word) for word in argv], **options)
        self.pid = self.popen.pid
        for file in files:
            file.close()

    def send(self, number):
        self.popen.send_signal(number)

    def running(self):
        return self.popen.poll() is None

    def wait(self, deadline=PATIENCE):
        """The exit status; -N if signal N ended it."""
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(map(str, self.argv))} did not end within {deadline:g} s; "
                                 f"it said:\n{self.err()}") from None

    def out(self):
        return self.out_file.read_text(errors="replace")

    def err(self):
        return self.err_file.read_text(errors="replace") if self.err_file.exists() else "(not kept)"

    def says(self, text, deadline=PATIENCE):
        wait_until(lambda: text in self.err(), f"{text!r} on stderr of {' '.join(map(str, self.argv))}", deadline)

    def guardian(self):
        """The guardian's pid, once there is one."""
        return wait_until(lambda: guardian_of(self.pid), "the guardian")


class Result:
    """What a program that ran to its end left."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err


class SystemTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if not os.access(LOCKSTEP, os.X_OK):
            self.fail(f"no lockstep at {LOCKSTEP}: build it, or name it by LOCKSTEP=")
        # Not below a directory that others may write: the lock's parent must be ours alone.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="lockstep-system-"))
        self.mark = uuid.uuid4().hex
        self.lock = self.root / "job.lock"
        self.state = self.root / "state"
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()
        self.story_file = self.root / "story.log"
        self.started = 0
        self.processes = []
        self.addCleanup(self._remove_root)
        self.addCleanup(self._end_everything)

    # ---- processes ----------------------------------------------------------------------------------------------------

    def environment(self, **more):
        environment = dict(os.environ, TMPDIR=str(self.temporary), LC_ALL="C.UTF-8", **{MARK: self.mark})
        environment.pop("NOTIFY_SOCKET", None)
        for name, value in more.items():
            environment[name] = str(value)
        return environment

    def start(self, *argv, **options):
        options.setdefault("env", self.environment())
        options.setdefault("cwd", self.root)
        self.started += 1
        process = Process(argv, self.root, self.started, **options)
        self.processes.append(process)
        return process

    def start_lockstep(self, *argv, **options):
        return self.start(LOCKSTEP, *argv, **options)

    def run_to_end(self, *argv, deadline=PATIENCE, **options):
        process = self.start(*argv, **options)
        status = process.wait(deadline)
        return Result(status, process.out() if process.out_file.exists() else "", process.err())

    def lockstep(self, *argv, **options):
        return self.run_to_end(LOCKSTEP, *argv, **options)

    def run_job(self, job, *options, **more):
        return self.lockstep("run", job, "--state-dir", self.state, *options, **more)

    def hold(self, *arguments, **options):
        """`lockstep exec` of these arguments, surely inside its command: one process, `.command_pid`, until `.let_go()`."""
        inside, gate = (self.root / f"{name}.{self.started}" for name in ("inside", "gate"))
        os.mkfifo(gate)
        holder = self.start_lockstep("exec", *arguments, "--", "sh", "-c", 'echo $$ >"$1.new"; mv "$1.new" "$1"; exec cat "$2"',
                                     "sh", inside, gate, **options)
        wait_until(inside.exists, "the command to run")
        holder.command_pid = int(inside.read_text())
        holder.let_go = lambda: os.close(wait_until(lambda: open_for_writing(gate), "the command at its gate"))
        return holder

    def my_processes(self):
        """Every live process that carries this test's mark."""
        return processes_marked(self.mark)

    def kill_everything(self, *others):
        """SIGKILL to all that the test has started, but for `others`, until nothing is left: also what was just being started."""
        stay = {process.pid for process in others}

        def gone():
            left = [pid for pid in self.my_processes() if pid not in stay]
            for pid in left:
                kill(pid)
            self.reap()
            return not left
        wait_until(gone, "the end of every process")

    def _end_everything(self):
        self.kill_everything()
        for process in self.processes:
            # Not poll(): the first thread of a killed program is a zombie while its other threads still end.
            process.popen.wait(PATIENCE)
        self.reap()

    def reap(self):
        """Collects what ended: our own children by their Popen, orphans that came to us by pid."""
        known = {process.pid for process in self.processes}
        for process in self.processes:
            process.popen.poll()
        for pid in children_of(os.getpid()):
            if pid not in known and (stat_of(pid) or ["X"])[0] == "Z":
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass

    def _remove_root(self):
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- what must hold after every run -----------------------------------------------------------------------------------

    def assert_nothing_left(self, *locks, deadline=PATIENCE):
        """No process, no zombie, no lock directory, no temporary file."""
        def gone():
            self.reap()
            return not self.my_processes()
        try:
            wait_until(gone, "the end of every process", deadline)
        except AssertionError as late:
            left = [f"{pid} (child of {parent_of(pid)}): {command_line_of(pid)}" for pid in self.my_processes()]
            raise AssertionError(f"{late}; still there: {left}") from None
        for lock in locks or (self.lock,):
            self.assertFalse(os.path.lexists(lock), f"the lock was left behind: {lock}")
        self.assertEqual(sorted(os.listdir(self.temporary)), [], "temporary files were left behind")

    def assert_no_zombie_of(self, pid):
        zombies = [child for child in children_of(pid) if (stat_of(child) or ["X"])[0] == "Z"]
        self.assertEqual(zombies, [], f"zombies of {pid}")

    # ---- the article's job ---------------------------------------------------------------------------------------------------

    def write_proc(self, directory=None):
        """proc.sh N SECONDS: one API call of the article, which tells its beginning and its end."""
        path = (directory or self.root) / "proc.sh"
        path.write_text('#!/bin/sh\necho "start proc $1" >>story.log\nsleep "${2:-0.2}"\n'
                        'while [ -e "hold.$(wc -l <story.log)" ]; do sleep 0.01; done\necho "end proc $1" >>story.log\n')
        path.chmod(0o755)
        return path

    def write_job(self, job, name="job.json", directory=None):
        path = (directory or self.root) / name
        path.write_text(json.dumps(job, indent=2))
        return path

    def article(self, seconds=0.15, pause="100ms", directory=None, lock=None, name="article", **more):
        """The job of the article: proc 1, then proc 2, as a pair of commands."""
        directory = directory or self.root
        self.write_proc(directory)
        job = {"lockstep": 1, "job": name, "lock": str(lock or directory / "job.lock"), "every": pause,
               "steps": [{"step": "proc", "first": self.command("./proc.sh", "1", seconds),
                          "second": self.command("./proc.sh", "2", seconds)}]}
        job.update(more)
        return self.write_job(job, directory=directory)

    @staticmethod
    def command(*argv, timeout="20s", in_doubt=("park",), **more):
        return {"command": [str(word) for word in argv], "timeout": timeout, "inDoubt": list(in_doubt), **more}

    def story(self, directory=None):
        path = (directory or self.root) / "story.log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_story(self, lines, directory=None, deadline=PATIENCE):
        return wait_until(lambda: len(self.story(directory)) >= lines and self.story(directory),
                          f"{lines} lines in the story", deadline)

    def hold_story(self, line, directory=None):
        """The call that begins with this line of the story lasts until what is returned is called: its pair is surely in hand."""
        path = (directory or self.root) / f"hold.{line}"
        path.touch()
        return path.unlink

    WHOLE_PAIR = ["start proc 1", "end proc 1", "start proc 2", "end proc 2"]

    def assert_whole_pairs(self, directory=None, at_least=0):
        """Only whole pairs, each in order. Returns their number."""
        lines = self.story(directory)
        self.assertEqual(lines, self.WHOLE_PAIR * (len(lines) // 4), "a half pair, or one out of order")
        self.assertGreaterEqual(len(lines) // 4, at_least)
        return len(lines) // 4

"""Programs on a terminal: what is typed, what is shown, who is in the foreground."""

import fcntl
import os
import signal
import struct
import termios

from processes import command_line_of
from support import PATIENCE, wait_until


class Terminal:
    """A pseudo-terminal with a program as the leader of its session, as a login gives it."""

    def __init__(self, test, *argv, env=None, nohup=False):
        self.test = test
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST  # no CR before every LF in what we read
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        os.set_blocking(self.master, False)
        self.text = ""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if nohup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.process = test.start(*argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal,
                                  env=env or test.environment())
        os.close(slave)
        test.addCleanup(self.hang_up)

    def read(self):
        """Everything that was shown so far."""
        while self.master is not None:
            try:
                piece = os.read(self.master, 65536)
            except (BlockingIOError, OSError):
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        return self.text

    def type(self, text):
        os.write(self.master, text.encode())

    def ctrl_c(self):
        self.type("\x03")

    def ctrl_z(self):
        self.type("\x1a")

    def shows(self, text, deadline=PATIENCE):
        try:
            wait_until(lambda: text in self.read(), f"{text!r} on the terminal", deadline)
        except AssertionError as late:
            raise AssertionError(f"{late}; it shows:\n{self.read()}") from None

    def foreground(self):
        """The process group that has the terminal."""
        return os.tcgetpgrp(self.master)

    def leaves_foreground(self, group):
        """Waits until another process group than this has the terminal: before that, what is typed is not for the other."""
        wait_until(lambda: self.foreground() not in (group, 0), f"another group than {group} in the foreground")

    def fg(self):
        """Has the shell, which the terminal was opened for, continue its job in the foreground."""
        self.type("fg\n")
        self.leaves_foreground(self.process.pid)

    def check_job_control(self):
        """The shell that reads here stops a program of its own on Ctrl-Z, continues it by fg, and has the terminal after its end."""
        self.type("sleep 60\n")
        wait_until(lambda: any(command_line_of(pid) == "sleep 60" for pid in self.test.my_processes()), "the shell's command")
        sleeping = self.foreground()
        self.ctrl_z()
        self.shows("Stopped")
        self.leaves_foreground(sleeping)
        self.type("fg\n")
        wait_until(lambda: self.foreground() == sleeping, "the shell's command in the foreground again")
        self.ctrl_c()
        self.leaves_foreground(sleeping)

    def hang_up(self):
        if self.master is not None:
            os.close(self.master)
            self.master = None

    def wait(self, deadline=PATIENCE):
        """The exit status. Reads on meanwhile, as a terminal does."""
        def ended():
            self.read()
            return not self.process.running()
        try:
            wait_until(ended, "the end of the program on the terminal", deadline)
        except AssertionError as late:
            raise AssertionError(f"{late}; it shows:\n{self.read()}") from None
        self.read()
        return self.process.wait()

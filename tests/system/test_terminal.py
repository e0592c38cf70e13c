"""What a person at a terminal does: Ctrl-C once, twice, four times, closing the window."""

import signal
import time
import unittest

from plain_road import ROADS
from processes import is_alive
from strace import needs_strace
from support import LOCKSTEP, SystemTest, wait_for_moment, wait_until
from terminal import Terminal


class TerminalTest(SystemTest):
    def on_terminal(self, *argv, **options):
        return Terminal(self, LOCKSTEP, *argv, **options)

    def job_on_terminal(self, command, job, **options):
        return self.on_terminal(command, job, "--state-dir", self.state, **options)

    def press(self, terminal, answer):
        """Ctrl-C, and then so long a pause, after what it is answered with, that the next is a press of its own."""
        terminal.ctrl_c()
        terminal.shows(answer)
        wait_for_moment(time.monotonic() + 1.1)


class WithoutANullDevice(TerminalTest):
    @needs_strace
    def test_no_command_is_given_the_terminal_in_its_place(self):
        for name, options in ROADS.items():
            with self.subTest(road=name):
                marker = self.root / "ran"
                terminal = Terminal(self, "strace", "-f", "-o", self.root / "trace", "-P", "/dev/null", "-e", "trace=openat",
                                    "-e", "inject=openat:error=EMFILE", LOCKSTEP, "exec", *options, self.lock, "--", "touch", marker)
                self.assertEqual(terminal.wait(), 71, terminal.read())
                terminal.shows("opening /dev/null, the command's stdin where ours is a terminal: Too many open files")
                self.assertFalse(marker.exists())
                self.assert_nothing_left()


class ControlC(TerminalTest):
    def test_once_finishes_the_pair_and_dies_by_sigint(self):
        for command in ("run", "loop"):
            with self.subTest(command=command):
                self.story_file.unlink(missing_ok=True)
                let_go = self.hold_story(1)
                terminal = self.job_on_terminal(command, self.article(seconds=0))
                self.wait_for_story(1)
                terminal.ctrl_c()
                terminal.shows("SIGINT from the keyboard")
                let_go()
                self.assertEqual(terminal.wait(), -signal.SIGINT)
                self.assertEqual(self.assert_whole_pairs(), 1)
                self.assert_nothing_left()

    def test_the_shell_loop_around_it_ends(self):
        loops = {
            "while": 'while :; do "$0" run "$1" --state-dir "$2"; echo again; done',
            "for": 'for n in 1 2 3 4 5; do "$0" run "$1" --state-dir "$2"; echo again; done',
        }
        for shell in ("sh", "bash"):
            for name, script in loops.items():
                with self.subTest(shell=shell, loop=name):
                    self.story_file.unlink(missing_ok=True)
                    let_go = self.hold_story(5)
                    terminal = Terminal(self, shell, "-c", script, LOCKSTEP, self.article(seconds=0), self.state)
                    self.wait_for_story(5)
                    terminal.ctrl_c()
                    terminal.shows("SIGINT from the keyboard")
                    let_go()
                    self.assertEqual(terminal.wait(), -signal.SIGINT, terminal.read())
                    self.assertEqual(terminal.read().count("again"), 1, "the second run was the last")
                    self.assertEqual(self.assert_whole_pairs(), 2)
                    self.assert_nothing_left()

    def test_twice_says_what_is_still_being_finished_and_cuts_nothing(self):
        let_go = self.hold_story(1)
        terminal = self.job_on_terminal("loop", self.article(seconds=0))
        self.wait_for_story(1)
        self.press(terminal, "SIGINT from the keyboard")
        terminal.ctrl_c()
        terminal.shows("already stopping; still finishing")
        let_go()
        self.assertEqual(terminal.wait(), -signal.SIGINT)
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()

    def test_a_key_held_down_is_one_press(self):
        let_go = self.hold_story(1)
        terminal = self.job_on_terminal("loop", self.article(seconds=0))
        self.wait_for_story(1)
        held_until = time.monotonic() + 0.4  # however many presses the machine makes of it
        while time.monotonic() < held_until:
            terminal.ctrl_c()
            wait_for_moment(time.monotonic() + 0.02)
        terminal.shows("SIGINT from the keyboard")
        let_go()
        self.assertEqual(terminal.wait(), -signal.SIGINT)
        self.assertNotIn("press Ctrl-C once more", terminal.read())
        self.assertEqual(self.assert_whole_pairs(), 1)

    def test_the_third_asks_and_the_fourth_cuts(self):
        self.hold_story(1)
        terminal = self.job_on_terminal("run", self.article(seconds=0, key="k"))
        self.wait_for_story(1)
        for answer in ("SIGINT from the keyboard", "already stopping; still finishing", "press Ctrl-C once more within 5 s to cut it"):
            self.press(terminal, answer)
        self.assertTrue(terminal.process.running())
        terminal.ctrl_c()
        terminal.shows("cutting")
        self.assertEqual(terminal.wait(), 124)
        self.assertEqual(self.story(), ["start proc 1"])
        self.assert_nothing_left()
        again = self.lockstep("run", self.root / "job.json", "--state-dir", self.state)
        self.assertEqual(again.status, 1, "what was cut is in doubt, and the next run says so: " + again.err)
        self.assertIn("k: proc, begun by run", again.err)

    UNTIL_GO = "until [ -e go ]; do sleep 0.01; done"

    def interrupt(self, terminal):
        """Ctrl-C in the midst of the command, which ends after that was seen."""
        terminal.shows("begun")
        terminal.ctrl_c()
        terminal.shows("SIGINT from the keyboard")
        (self.root / "go").touch()

    def test_on_exec_is_deferred_like_any_stop(self):
        terminal = self.on_terminal("exec", self.lock, "--", "sh", "-c", f"echo begun; {self.UNTIL_GO}; echo ended")
        self.interrupt(terminal)
        self.assertEqual(terminal.wait(), -signal.SIGINT, "0 after a Ctrl-C: the shell's loop is to end")
        self.assertIn("ended", terminal.read())
        self.assert_nothing_left()

    def test_on_exec_keeps_the_status_of_a_command_that_failed(self):
        terminal = self.on_terminal("exec", self.lock, "--", "sh", "-c", f"echo begun; {self.UNTIL_GO}; exit 3")
        self.interrupt(terminal)
        self.assertEqual(terminal.wait(), 3)

    def test_while_waiting_for_the_lock_ends_at_once(self):
        holder = self.hold(self.lock)
        terminal = self.job_on_terminal("loop", self.article())
        terminal.shows("waiting for the lock")
        terminal.ctrl_c()
        self.assertEqual(terminal.wait(), -signal.SIGINT)
        self.assertTrue(holder.running())
        self.assertEqual(self.story(), [])


class HangUp(TerminalTest):
    def test_without_a_guard_a_hang_up_divides_the_pair(self):
        self.hold_story(1)
        script = f"{self.write_proc()} 1 0; {self.root}/proc.sh 2 0"
        terminal = Terminal(self, "sh", "-c", script)
        self.wait_for_story(1)
        terminal.hang_up()
        terminal.process.wait()
        wait_until(lambda: not self.my_processes(), "the end of the naive script")
        self.assertEqual(self.story(), ["start proc 1"])

    def test_finishes_the_pair_and_gives_the_lock_back(self):
        let_go = self.hold_story(1)
        terminal = self.job_on_terminal("loop", self.article(seconds=0, pause="1h"))
        self.wait_for_story(1)
        terminal.hang_up()
        let_go()
        self.assertEqual(terminal.process.wait(), 0)
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left()

    def test_with_nohup_the_loop_goes_on(self):
        terminal = self.job_on_terminal("loop", self.article(seconds=0.1), nohup=True)
        self.wait_for_story(1)
        terminal.hang_up()
        # Its terminal is gone, every write fails, and it works all the same.
        self.wait_for_story(9)
        self.assertTrue(is_alive(terminal.process.pid))
        terminal.process.send(signal.SIGTERM)
        self.assertEqual(terminal.process.wait(), 0)
        self.assert_whole_pairs(at_least=2)
        self.assert_nothing_left()

    def test_on_exec_lets_the_command_end(self):
        terminal = self.on_terminal("exec", self.lock, "--", "sh", "-c", "echo begun; sleep 0.3; echo ended >ended")
        terminal.shows("begun")
        terminal.hang_up()
        terminal.process.wait()
        self.assert_nothing_left()
        self.assertEqual((self.root / "ended").read_text(), "ended\n")


class ControlS(TerminalTest):
    def test_a_stopped_terminal_delays_no_pair(self):
        terminal = self.job_on_terminal("loop", self.article(seconds=0.1))
        terminal.shows("start daemon")
        terminal.type("\x13")
        pairs = len(self.story()) // 4
        self.wait_for_story(4 * pairs + 12)
        terminal.process.send(signal.SIGTERM)
        self.assertEqual(terminal.process.wait(), 0)
        self.assert_whole_pairs(at_least=3)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

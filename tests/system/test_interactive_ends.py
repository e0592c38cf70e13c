"""`lockstep exec --interactive`: stop requests, kills and hang-ups, and shells without job control."""

import signal
import unittest

from interactive import ECHO, Interactive
from processes import children_of, kill
from support import LOCKSTEP, wait_until
from terminal import Terminal


class StopsAndEnds(Interactive):
    def test_a_stop_request_from_elsewhere_waits_for_the_command(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        kill(self.front(terminal), signal.SIGTERM)
        terminal.shows("SIGTERM from pid")
        self.echo_ends(terminal, "one")

    def test_the_guardian_is_killed_and_the_terminal_comes_back(self):
        terminal = self.shell()
        self.script('stty -echo; echo begun; read -r line; echo "heard $line"; exit 3')
        terminal.type('"$L" exec -i "$N" -- sh script\n')
        terminal.shows("begun\n")
        [guardian] = children_of(self.front(terminal))
        kill(guardian)
        terminal.shows("was killed by SIGKILL")
        terminal.ctrl_z()  # nobody is left who could manage this: the command goes on
        terminal.type("words\n")
        terminal.shows("heard words\n")
        self.prompt(terminal)
        self.assertTrue(self.echoes(terminal))
        self.assertIn("status 70", self.run_line(terminal, "echo status $?"))
        self.assertEqual(self.lockstep("exec", self.lock, "--", "true").status, 0)
        self.end(terminal)

    def test_the_front_is_killed_and_the_lock_goes_with_the_end_of_the_command(self):
        terminal = self.shell()
        self.script(ECHO)
        terminal.type('"$L" exec -i --grace 1s "$N" -- sh script\n')
        terminal.shows("begun\n")
        kill(self.front(terminal))
        self.prompt(terminal)
        # The shell has the terminal again. A command that reads by then is told to end when the grace is over; one that
        # begins to read gets SIGHUP, for nobody could give it the terminal.
        wait_until(lambda: not self.lock.exists(), "the end of the command")
        self.assertIn("42", self.run_line(terminal, "echo $((6 * 7))") + self.run_line(terminal, ""))
        self.end(terminal)

    def test_the_window_is_closed(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        terminal.hang_up()
        terminal.process.wait()
        self.assert_nothing_left()

    def test_the_window_is_closed_while_it_is_stopped(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        terminal.ctrl_z()
        self.prompt(terminal)
        terminal.hang_up()
        terminal.process.wait()
        self.assert_nothing_left()


class WithoutJobControl(Interactive):
    def test_as_the_only_program_of_a_terminal(self):
        """As `xterm -e` has it: nobody could continue what Ctrl-Z stops, and so it goes on."""
        self.script(ECHO)
        terminal = Terminal(self, LOCKSTEP, "exec", "-i", self.lock, "--", "sh", "script")
        terminal.shows("begun\n")
        terminal.ctrl_z()
        self.echo_works(terminal, "one")
        terminal.type("end\n")
        self.assertEqual(terminal.wait(), 5)
        self.assert_nothing_left()

    def test_from_a_script(self):
        self.script(ECHO)
        outer = self.script('"$L" exec -i "$N" -- sh script; echo "status $?"; read -r line; echo "the script reads $line"', "outer")
        for line in (f"sh {outer}", f"bash {outer}"):
            with self.subTest(line=line):
                terminal = self.shell()
                terminal.type(line + "\n")
                terminal.shows("begun\n")
                self.echo_works(terminal, "one")
                terminal.ctrl_z()
                self.assertIn("Stopped", self.prompt(terminal))
                terminal.fg()
                self.echo_works(terminal, "two")
                terminal.type("end\n")
                terminal.shows("status 5\n")
                terminal.type("words\n")
                terminal.shows("the script reads words\n")
                self.prompt(terminal)
                self.end(terminal)

    def test_without_a_terminal_it_is_as_if_it_were_not_said(self):
        result = self.run_to_end("setsid", LOCKSTEP, "exec", "-i", self.lock, "--", "sh", "-c", "cat; echo done; exit 3")
        self.assertEqual((result.status, result.out, result.err), (3, "done\n", ""))
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

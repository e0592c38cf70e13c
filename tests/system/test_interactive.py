"""`lockstep exec --interactive` on a terminal, under real shells: what is typed is for the command, Ctrl-Z and fg work as without us."""

import os
import signal
import termios
import unittest

from processes import children_of, is_alive, kill, stat_of
from support import LOCKSTEP, SystemTest, wait_until
from terminal import Terminal

PROMPT = "ready> "
# Says what it is told, and by which signals; runs until it reads "end".
ECHO = r"""
trap 'echo "told INT"' INT
echo begun
while read -r line; do
    [ "$line" = end ] && exit 5
    echo "heard $line"
done
echo "no more input"
"""


class Interactive(SystemTest):
    def shell(self, *arguments):
        """bash -i, or another interactive shell, with its prompt on the terminal."""
        arguments = arguments or ("bash", "--norc", "--noprofile", "--noediting", "-i")
        terminal = Terminal(self, *arguments, env=self.environment(PS1=PROMPT, L=LOCKSTEP, N=self.lock, ENV="", HISTFILE=""))
        self.prompt(terminal)
        return terminal

    def prompt(self, terminal):
        """Waits for the next prompt, and forgets what was shown before it."""
        terminal.shows(PROMPT)
        before, _, terminal.text = terminal.text.partition(PROMPT)
        return before

    def run_line(self, terminal, line):
        terminal.type(line + "\n")
        return self.prompt(terminal)

    def script(self, text, name="script"):
        path = self.root / name
        path.write_text(text)
        return path

    def begin_echo(self, terminal, line='"$L" exec -i "$N" -- bash script'):
        self.script(ECHO)
        terminal.type(line + "\n")
        terminal.shows("begun\n")

    def echo_works(self, terminal, word):
        terminal.type(word + "\n")
        terminal.shows(f"heard {word}\n")

    def echo_ends(self, terminal, word=None):
        """The command, when it has heard the word, is told to end; then the shell ends, and nothing is left."""
        if word:
            self.echo_works(terminal, word)
        terminal.type("end\n")
        self.prompt(terminal)
        self.end(terminal)

    def end(self, terminal):
        """The shell ends, and nothing is left."""
        terminal.type("exit 0\n")
        self.assertEqual(terminal.wait(), 0)
        self.assert_nothing_left()

    @staticmethod
    def echoes(terminal):
        return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)

    def front(self, terminal):
        [front] = wait_until(lambda: [child for child in children_of(terminal.process.pid) if is_alive(child)], "the front")
        return front

    def wait_for_state(self, pid, state):
        wait_until(lambda: (stat_of(pid) or ["gone"])[0] == state, f"state {state} of {pid}")


class InAShell(Interactive):
    def test_the_command_reads_what_is_typed_and_its_status_comes_back(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        self.echo_works(terminal, "one")
        terminal.type("end\n")
        self.prompt(terminal)
        self.assertEqual(self.run_line(terminal, "echo status $?").splitlines()[-1], "status 5")
        self.end(terminal)

    def test_without_it_the_command_finds_no_input(self):
        terminal = self.shell()
        self.begin_echo(terminal, '"$L" exec "$N" -- sh script')
        terminal.shows("no more input")
        self.end(terminal)

    def test_end_of_input_is_the_commands(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        terminal.type("\x04")
        terminal.shows("no more input\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_control_c_is_the_commands(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        terminal.ctrl_c()
        terminal.shows("told INT")
        self.assertNotIn("lockstep:", terminal.read())
        self.echo_ends(terminal, "more")

    def test_control_c_that_ends_the_command_ends_a_loop_around_it(self):
        terminal = self.shell()
        terminal.type('while :; do "$L" exec -i "$N" -- sh -c "echo begun; exec sleep 60"; done\n')
        terminal.shows("begun\n")
        terminal.ctrl_c()
        self.prompt(terminal)
        self.assertIn("status 130", self.run_line(terminal, "echo status $?"))
        self.end(terminal)

    def test_control_backslash_is_the_commands(self):
        terminal = self.shell()
        terminal.type('"$L" exec -i "$N" -- sh -c "ulimit -c 0; echo begun; exec sleep 60"\n')
        terminal.shows("begun\n")
        terminal.type("\x1c")
        self.prompt(terminal)
        self.assertIn("status 131", self.run_line(terminal, "echo status $?"))
        self.end(terminal)

    def test_control_z_stops_all_of_us_and_fg_goes_on(self):
        for shell in (None, ("dash", "-i"), ("bash", "--norc", "--noprofile", "-i")):
            if shell and shell[0] == "dash" and not os.access("/bin/dash", os.X_OK):
                continue
            with self.subTest(shell=shell):
                terminal = self.shell(*(shell or ()))
                self.begin_echo(terminal)
                for word in ("one", "two", "three"):
                    terminal.ctrl_z()
                    self.assertIn("Stopped", self.prompt(terminal) + self.run_line(terminal, "jobs"))
                    front = self.front(terminal)
                    [guardian] = children_of(front)
                    [command] = children_of(guardian)
                    for pid in (front, guardian, command):
                        self.wait_for_state(pid, "T")
                    self.assertTrue(self.lock.exists())
                    terminal.fg()
                    self.echo_works(terminal, word)
                self.echo_ends(terminal)

    def test_the_lock_of_a_stopped_job_is_busy_and_names_it(self):
        terminal = self.shell()
        self.begin_echo(terminal)
        terminal.ctrl_z()
        self.prompt(terminal)
        result = self.lockstep("exec", self.lock, "--", "true")
        self.assertEqual(result.status, 75)
        self.assertIn(f"pid {self.front(terminal)} since", result.err)
        terminal.type("fg\nend\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_bg_lets_it_go_on_in_the_background_until_it_wants_to_read(self):
        terminal = self.shell()
        # Not for sh: Ctrl-Z at the moment in which it starts a program (vfork) stops the half-made child only, with or without us.
        self.script('import os, time\nprint("begun", flush=True)\nwhile not os.path.exists("go"): time.sleep(0.02)\n'
                    'print("now I read", flush=True)\nprint("got", input())')
        terminal.type('"$L" exec -i "$N" -- python3 script\n')
        terminal.shows("begun\n")
        terminal.ctrl_z()
        self.prompt(terminal)
        self.run_line(terminal, "bg")
        (self.root / "go").touch()
        terminal.shows("now I read")
        front = self.front(terminal)
        self.wait_for_state(front, "T")
        self.assertIn("Stopped", self.run_line(terminal, "echo $((6 * 7)); jobs"))
        terminal.type("fg\nwords\n")
        terminal.shows("got words\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_started_in_the_background_it_takes_nothing_from_the_shell(self):
        terminal = self.shell()
        self.script(ECHO)
        terminal.type('"$L" exec -i "$N" -- sh script &\n')
        terminal.shows("begun\n")
        self.wait_for_state(self.front(terminal), "T")
        self.assertIn("42", self.run_line(terminal, "echo $((6 * 7))") + self.run_line(terminal, ""))
        terminal.fg()
        self.echo_ends(terminal, "one")

    def test_fg_of_one_that_runs_in_the_background(self):
        """Of this no shell tells anybody: the command gets the terminal when it first wants it, and signals before that, too."""
        terminal = self.shell()
        self.script("trap 'echo told INT; touch told' INT; echo begun; until [ -e told ]; do sleep 0.02; done;"
                    'read line; echo "got $line"')
        terminal.type('"$L" exec -i "$N" -- sh script &\n')
        terminal.shows("begun\n")
        self.prompt(terminal)
        terminal.fg()
        terminal.ctrl_c()
        terminal.shows("told INT")
        self.assertNotIn("lockstep:", terminal.read())
        terminal.type("words\n")
        terminal.shows("got words\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_control_z_on_one_that_was_brought_to_the_foreground_while_it_ran(self):
        terminal = self.shell()
        terminal.type('"$L" exec -i "$N" -- sh -c "echo begun; exec sleep 60" &\n')
        terminal.shows("begun\n")
        self.prompt(terminal)
        terminal.fg()
        terminal.ctrl_z()
        self.assertIn("Stopped", self.prompt(terminal))
        terminal.fg()
        terminal.ctrl_c()
        self.prompt(terminal)
        self.end(terminal)

    def test_a_pipeline_stops_and_goes_on_as_a_whole(self):
        terminal = self.shell()
        self.begin_echo(terminal, '"$L" exec -i "$N" -- bash script | cat')
        terminal.ctrl_z()
        self.assertIn("Stopped", self.prompt(terminal))
        for child in children_of(terminal.process.pid):
            self.wait_for_state(child, "T")
        terminal.fg()
        self.echo_ends(terminal, "one")

    def test_a_password_prompt(self):
        terminal = self.shell()
        terminal.type("\"$L\" exec -i \"$N\" -- bash -c 'read -rsp \"Password: \" p; echo; echo \"it was ${#p} long\"'\n")
        terminal.shows("\nPassword: ")
        self.assertFalse(self.echoes(terminal))
        terminal.type("secret\n")
        terminal.shows("it was 6 long\n")
        self.prompt(terminal)
        self.assertNotIn("secret", terminal.read())
        self.assertTrue(self.echoes(terminal))
        self.end(terminal)

    def test_a_password_prompt_on_dev_tty_though_stdin_is_a_file(self):
        terminal = self.shell()
        self.script("data\n", "input")
        terminal.type("\"$L\" exec -i \"$N\" -- bash -c 'read -rsp \"Password: \" p </dev/tty; read -r d; echo \"$d ${#p}\"' <input\n")
        terminal.shows("\nPassword: ")
        terminal.type("secret\n")
        terminal.shows("data 6\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_a_stopped_program_leaves_the_shell_its_modes_and_finds_its_own_again(self):
        terminal = self.shell()
        self.script('stty -echo; echo begun; while read -r line; do [ "$line" = end ] && break; echo "heard $line"; done; stty echo')
        terminal.type('"$L" exec -i "$N" -- sh script\n')
        terminal.shows("begun\n")
        self.assertFalse(self.echoes(terminal))
        for word in ("one", "two"):
            terminal.ctrl_z()
            self.prompt(terminal)
            self.assertTrue(self.echoes(terminal), "at the shell's prompt")
            terminal.fg()
            self.echo_works(terminal, word)
            self.assertFalse(self.echoes(terminal), "in the program")
        terminal.type("end\n")
        self.prompt(terminal)
        self.assertTrue(self.echoes(terminal))
        self.end(terminal)

    def test_a_command_that_cannot_be_started(self):
        terminal = self.shell()
        self.assertIn("no-such-program: No such file", self.run_line(terminal, '"$L" exec -i "$N" -- no-such-program'))
        self.assertIn("status 127", self.run_line(terminal, "echo status $?"))
        self.end(terminal)

    def test_modes_that_a_killed_program_leaves_are_put_right(self):
        terminal = self.shell()
        terminal.type("\"$L\" exec -i \"$N\" -- sh -c 'stty raw -echo; kill -KILL $$'\n")
        self.prompt(terminal)
        self.assertTrue(self.echoes(terminal))
        self.assertTrue(termios.tcgetattr(terminal.master)[3] & termios.ICANON)
        self.end(terminal)

    def test_modes_that_a_program_sets_and_ends_stay(self):
        terminal = self.shell()
        self.run_line(terminal, "\"$L\" exec -i \"$N\" -- stty -echo")
        self.assertFalse(self.echoes(terminal))
        terminal.type("stty echo\n")
        self.prompt(terminal)
        self.end(terminal)

    def test_a_time_limit_puts_the_modes_right(self):
        terminal = self.shell()
        terminal.type("\"$L\" exec -i --limit 300ms \"$N\" -- sh -c 'stty -echo; exec sleep 60'\n")
        terminal.shows("its limit of 300ms is over")
        self.prompt(terminal)
        self.assertTrue(self.echoes(terminal))
        self.assertIn("status 124", self.run_line(terminal, "echo status $?"))
        self.end(terminal)

    def begin_to_wait(self):
        """A shell whose command waits for the lock, and what ends the other run that holds it."""
        holder = self.start_lockstep("exec", self.lock, "--", "sh", "-c", "touch held; while [ -e held ]; do sleep 0.02; done")
        wait_until((self.root / "held").exists, "the holder")
        terminal = self.shell()
        self.script(ECHO)
        terminal.type('"$L" exec -i -w forever "$N" -- sh script\n')
        terminal.shows("waiting: pid")

        def let_go():
            (self.root / "held").unlink()
            self.assertEqual(holder.wait(), 0)
        return terminal, let_go

    def test_control_z_while_it_waits_for_the_lock(self):
        terminal, let_go = self.begin_to_wait()
        terminal.ctrl_z()
        self.assertIn("Stopped", self.prompt(terminal))
        terminal.fg()
        let_go()
        self.echo_ends(terminal, "one")

    def test_it_gets_the_lock_while_it_is_stopped_and_the_terminal_later(self):
        terminal, let_go = self.begin_to_wait()
        terminal.ctrl_z()
        self.prompt(terminal)
        let_go()
        terminal.shows("begun\n")
        self.assertIn("42", self.run_line(terminal, "echo $((6 * 7))") + self.run_line(terminal, ""))
        terminal.fg()
        self.echo_ends(terminal, "one")

    def test_a_shell_under_the_lock_has_its_own_job_control(self):
        terminal = self.shell()
        terminal.type('PS1="inner> " "$L" exec -i "$N" -- bash --norc --noprofile --noediting -i\n')
        terminal.shows("\ninner> ")
        terminal.check_job_control()
        terminal.type("suspend\n")
        self.prompt(terminal)
        self.wait_for_state(self.front(terminal), "T")
        terminal.type("fg\necho back again\nexit\n")
        terminal.shows("back again\n")
        self.prompt(terminal)
        self.end(terminal)


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

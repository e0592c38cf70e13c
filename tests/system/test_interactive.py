"""`lockstep exec --interactive` on a terminal, under real shells: what is typed is for the command, Ctrl-Z and fg work as without us."""

import os
import termios
import unittest

from interactive import ECHO, Interactive
from processes import children_of
from support import wait_until


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


if __name__ == "__main__":
    unittest.main()

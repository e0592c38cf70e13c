"""`lockstep exec --interactive` under a shell on a terminal."""

import termios

from processes import children_of, is_alive, stat_of
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

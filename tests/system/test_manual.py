"""The manual page and the shells' completions, each as its own program takes them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from support import LOCKSTEP, SystemTest

COMMANDS = ("run", "loop", "exec", "check", "status", "history", "resolve", "locks", "unlock", "convert", "setup", "init")


class Manual(SystemTest):
    def said(self, *argv):
        result = self.lockstep(*argv)
        self.assertEqual((result.status, result.err), (0, ""))
        return result.out

    def test_every_option_of_every_help_text_stands_in_the_manual_and_in_each_completion(self):
        # roff writes a dash that is to be typed as \\-
        texts = {"manual": self.said("manual").replace("\\-", "-")}
        texts.update({shell: self.said("completion", shell) for shell in ("bash", "zsh")})
        fish = self.said("completion", "fish")
        for command in COMMANDS:
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(
                line for line in self.said(command, "--help").splitlines() if re.match(r" +(-\w, ?)?--", line))))
            self.assertTrue(options, command)
            for option in options - {"--help"}:
                for name, text in texts.items():
                    with self.subTest(command=command, option=option, text=name):
                        self.assertTrue(option in text, "it is missing")
                with self.subTest(command=command, option=option, text="fish"):
                    self.assertTrue(re.search(rf"seen_subcommand_from {command}[^']*' .*-l {option[2:]} ", fish), "it is missing")

    def test_another_word_than_those_that_there_are_is_answered_with_all_of_them(self):
        wrong = {("setup", "supervisor"): (), ("init", "kind"): (), ("completion", "shell"): ()}
        for command in (*COMMANDS, "completion"):
            # "  --log-format text|json"; a positional word: "  supervisor supervisord|systemd|…"
            for name, words in re.findall(r"(?m)^ +(?:-\w, ?)?(-*[a-z][a-z-]+) ([a-z]+(?:\|[a-z]+)+)", self.said(command, "--help")):
                wrong[command, name] = words.split("|")
        self.assertIn(("run", "--log-format"), wrong)
        for (command, name), words in wrong.items():
            with self.subTest(command=command, name=name):
                self.assertTrue(words, "its help does not tell the words")
                place = (name, "nonsense") if name.startswith("-") else ("nonsense", "x")
                result = self.lockstep(command, *place)
                self.assertEqual((result.status, result.out), (64, ""))
                said, advice = result.err.splitlines()
                self.assertEqual(said, f'lockstep: {name}: "nonsense" is not {", ".join(words[:-1])} or {words[-1]}')
                self.assertEqual(advice, f"Try: lockstep {command} --help")
        self.assertIn("; did you mean json?", self.lockstep("run", "--log-format", "jsn").err)

    def test_a_wrong_value_is_told_with_the_option_that_it_stood_behind(self):
        for line in (["run", "x.json", "--wait", "soon"], ["loop", "x.json", "--every", "soon"], ["run", "x.json", "--stop-timeout", "x"],
                     ["unlock", "x", "--terminate", "--wait", "soon"], ["run", "x.json", "--busy-status", "soon"],
                     ["exec", "--wait", "soon", "x", "true"]):
            with self.subTest(line=line):
                option = [word for word in line if word.startswith("--") and word != "--terminate"][0]
                result = self.lockstep(*line)
                self.assertEqual(result.status, 64)
                self.assertRegex(result.err, rf"^lockstep: (exec: )?{option}: ")

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_shows_the_page_without_a_warning(self):
        page = self.root / "lockstep.1"
        page.write_text(self.said("manual"))
        shown = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=60, check=False,
                               env=self.environment(MANWIDTH="100", PAGER="cat"))
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        for section in ("NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES"):
            self.assertRegex(shown.stdout, rf"(?m)^{section}$")


class ManualOfJobFiles(SystemTest):
    SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "jobs/job.schema.json"

    def page(self):
        page = self.root / "lockstep-job.5"
        page.write_text(self.lockstep("manual", "job").out)
        return page

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_shows_it_without_a_warning_and_its_example_is_a_job_file(self):
        shown = subprocess.run(["man", "--warnings", "-l", self.page()], capture_output=True, text=True, timeout=60, check=False,
                               env=self.environment(MANWIDTH="100", PAGER="cat"))
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        example, = re.findall(r"(?ms)^EXAMPLE\n(.*?)^ {7}\w", shown.stdout)
        job = self.root / "example.json"
        job.write_text(example)
        checked = self.lockstep("check", job)
        self.assertEqual(checked.status, 0, checked.err)
        self.assertNotIn("`", shown.stdout)

    def test_it_tells_of_every_key_and_every_value_that_the_schema_knows_and_of_every_expression(self):
        page = self.page().read_text().replace("\\-", "-")
        schema = json.loads(self.SCHEMA.read_text())
        keys = {key for node in (schema, *schema["definitions"].values()) for key in node.get("properties", ())} - {"$comment"}
        self.assertGreater(len(keys), 70)
        for key in keys:
            with self.subTest(key=key):
                self.assertRegex(page, rf"(?m)^\.TP\n\\fB{re.escape(key)}\\fR: .*\n\S")
        for word in {word for node in schema["definitions"].values() for word in node.get("enum", ())}:
            self.assertIn(word, page)
        for root in ("$inputs.", "$params.", "$secrets.", "$steps.", "$idempotencyKey", "$run.id", "$run.date", "$statusCode",
                     "$response.header.", "$response.body", "$exitStatus", "$stdout"):
            self.assertIn(root, page.partition(".SH EXPRESSIONS")[2].partition(".SH CONDITIONS")[0])

    def test_the_schema_is_printed_as_it_is_kept(self):
        self.assertEqual(self.lockstep("schema").out, self.SCHEMA.read_text())

    def test_there_are_no_other_pages(self):
        result = self.lockstep("manual", "jobs")
        self.assertEqual((result.status, result.out), (64, ""))
        self.assertIn('"jobs" is not lockstep or job; did you mean job?', result.err)


class Completions(SystemTest):
    def script(self, shell):
        path = self.root / f"completion.{shell}"
        path.write_text(self.lockstep("completion", shell).out)
        return path

    def bash(self, *words, env=None):
        """What bash offers for the last of `words`."""
        code = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lockstep; '
                'for word in "${COMPREPLY[@]}"; do echo "$word"; done')
        done = self.run_to_end("bash", "--norc", "-c", code, "bash", self.script("bash"), *words,
                               env=self.environment(**(env or {})))
        self.assertEqual(done.err, "")
        return set(done.out.split())

    def test_bash(self):
        (self.root / "ship.json").touch()
        self.assertEqual(self.bash("lockstep", "r"), {"run", "resolve"})
        self.assertEqual(self.bash("lockstep", "run", "--l"), {"--lock", "--log-format", "--log-level"})
        self.assertEqual(self.bash("lockstep", "run", "--log-format", ""), {"text", "json"})
        self.assertEqual(self.bash("lockstep", "run", "sh"), {"ship.json"})
        self.assertEqual(self.bash("lockstep", "setup", "s"), {"systemd", "supervisord"})
        self.assertEqual(self.bash("lockstep", "setup", "--user", "me", ""), {"cron", "systemd", "supervisord", "kubernetes"})
        self.assertEqual(self.bash("lockstep", "setup", "cron", "s"), {"ship.json"})
        self.assertEqual(self.bash("lockstep", "check", "a.json", "s"), {"ship.json"})
        self.assertEqual(self.bash("lockstep", "exec", "--wait", "f"), {"forever"})
        self.assertIn("sleep", self.bash("lockstep", "exec", "x", "--", "slee"))
        self.assertIn("sleep", self.bash("lockstep", "exec", "x", "slee"))
        (self.root / "some-lock.lock").mkdir()
        self.assertEqual(self.bash(LOCKSTEP, "unlock", "some-l", env={"LOCKSTEP_LOCK_ROOT": str(self.root)}), {"some-lock", "some-lock.lock"})

    def test_bash_completes_a_value_behind_an_equals_sign(self):
        (self.root / "ship.json").touch()
        self.assertEqual(self.bash("lockstep", "run", "--log-format", "="), {"text", "json"})
        self.assertEqual(self.bash("lockstep", "run", "--log-format", "=", "j"), {"json"})
        self.assertEqual(self.bash("lockstep", "setup", "--user", "=", "me", "s"), {"systemd", "supervisord"})
        self.assertIn("sleep", self.bash("lockstep", "exec", "--wait", "=", "1s", "x", "slee"))

    def test_no_option_of_ours_is_offered_behind_the_dashes_or_to_the_command(self):
        (self.root / "ship.json").touch()
        for words in (["exec", "x", "--"], ["exec", "x", "--", "./script"], ["exec", "x", "./script"], ["exec", "--lock", "x", "./script"],
                      ["exec", "--wait", "1s", "x", "./script", "a"], ["check", "--"], ["convert", "--", "line"]):
            self.assertEqual(self.bash("lockstep", *words, "--"), set(), words)
        self.assertEqual(self.bash("lockstep", "check", "--", "sh"), {"ship.json"})
        self.assertEqual(self.bash("lockstep", "exec", "x", "./script", "sh"), {"ship.json"})
        self.assertIn("--wait", self.bash("lockstep", "exec", "--quiet", "--w"))
        self.assertIn("--wait", self.bash("lockstep", "exec", "--lock", "x", "--w"))

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        def fish(line):
            done = self.run_to_end("fish", "--no-config", "-c", "source $argv[1]; complete -c ls -l all; complete -C $argv[2]", self.script("fish"), line,
                                   env=self.environment(LOCKSTEP_LOCK_ROOT=str(self.root), PATH=f"{LOCKSTEP.rpartition('/')[0]}:{os.environ['PATH']}"))
            self.assertEqual(done.err, "")
            return {text.split("\t")[0] for text in done.out.splitlines()}
        self.assertEqual(fish("lockstep re"), {"resolve"})
        self.assertEqual(fish("lockstep run --log-f"), {"--log-format"})
        self.assertEqual(fish("lockstep run --log-format "), {"text", "json"})
        self.assertLessEqual({"systemd", "supervisord"}, fish("lockstep setup s"))
        self.assertEqual(fish("lockstep setup cron syst"), set())
        (self.root / "some-lock.lock").mkdir()
        self.assertIn("some-lock", fish("lockstep unlock some-l"))
        self.assertEqual({word for word in fish("lockstep exec x -- --w") if word == "--wait"}, set())
        (self.root / "ship.json").touch()
        for ours in ("x", "--quiet x", "--wait 1s x", "--wait=1s x", "--lock x --lock y"):
            with self.subTest(ours=ours):
                self.assertIn("ship.json", fish(f"lockstep exec {ours} -- cat sh"))
                self.assertIn("--all", fish(f"lockstep exec {ours} -- ls --al"))
                self.assertIn("sleep", fish(f"lockstep exec {ours} -- slee"))
                self.assertIn("ship.json", fish(f"lockstep exec {ours} cat sh"))
                self.assertIn("--all", fish(f"lockstep exec {ours} ls --al"))
                self.assertIn("sleep", fish(f"lockstep exec {ours} slee"))
        self.assertIn("some-lock", fish("lockstep exec --wait 1s some-l"))
        self.assertNotIn("sleep", fish("lockstep exec slee"))
        self.assertEqual(fish("lockstep exec x ./script --wa"), set())
        self.assertEqual(fish("lockstep exec --lock x --wa"), {"--wait"})

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        """In a zsh on a terminal of its own, as nothing else runs its completion."""
        script = self.script("zsh")
        code = r'''
            zmodload zsh/zpty
            zpty inner zsh -f -i
            inner() { zpty -w inner "$1"; zpty -r inner text "*$2*" }
            zpty -w inner "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u; source $1; LISTMAX=1000; frobnicate() { : }; _frobnicate() { _arguments '--colour[x]' }; compdef _frobnicate frobnicate; compdef _lockstep $LOCKSTEP; echo rea''dy"
            zpty -r inner text "*ready*"
            zpty -w -n inner "lockstep run --log-f"$'\t'
            zpty -r inner text "*--log-format*" && print -r -- option
            zpty -w -n inner $'\x15'"lockstep conv"$'\t'
            zpty -r inner text "*convert*" && print -r -- command
            zpty -w -n inner $'\x15'"lockstep setup syst"$'\t'
            zpty -r inner text "*systemd*" && print -r -- word
            zpty -w -n inner $'\x15'"lockstep run --log-format=js"$'\t'
            zpty -r inner text "*=json*" && print -r -- value
            zpty -w -n inner $'\x15'"lockstep exec --wai"$'\t'
            zpty -r inner text "*--wait*" && print -r -- ours
            zpty -w -n inner $'\x15'"lockstep exec x -- cat --wai"$'\t'
            zpty -w inner $'\x15'"echo mar''ker"
            zpty -r inner text "*marker*" && [[ $text != *--wait* ]] && print -r -- no option
            for ours in "x --" "x" "--quiet x --" "--wait 1s x --" "--lock x --lock=y --"; do
                zpty -w -n inner $'\x15'"lockstep exec $ours frob"$'\t'
                zpty -r inner text "*frobnicate*" && print -r -- its name
                zpty -w -n inner $'\x15'"lockstep exec $ours frobnicate --co"$'\t'
                zpty -r inner text "*--colour*" && print -r -- its option
            done
            zpty -w -n inner $'\x15'"$LOCKSTEP unlock some-l"$'\t'
            zpty -r inner text "*some-lock*" && print -r -- lock
            zpty -d inner
        '''
        (self.root / "some-lock.lock").mkdir()
        done = self.run_to_end("zsh", "-f", "-c", code, "zsh", script, deadline=60,
                               env=self.environment(LOCKSTEP=str(LOCKSTEP), LOCKSTEP_LOCK_ROOT=str(self.root)))
        self.assertEqual(done.out.split("\n"), ["option", "command", "word", "value", "ours", "no option",
                                                *["its name", "its option"] * 5, "lock", ""], done.err)

    @unittest.skipUnless(shutil.which("zsh") and shutil.which("fish"), "zsh or fish is not installed")
    def test_apostrophes_are_kept_and_close_no_word(self):
        for shell, apostrophe in (("zsh", r"'\''"), ("fish", r"\'")):
            script = self.script(shell)
            self.assertIn(f"a supervisor{apostrophe}s entry", script.read_text().lower())
            self.assertEqual(self.run_to_end(shell, "-n", script).err, "")


if __name__ == "__main__":
    unittest.main()

"""`lockstep convert`: what it prints can be given to crontab, and does what the old line did."""

import os
import unittest

from support import LOCKSTEP, SystemTest, wait_until


class ConvertTest(SystemTest):
    def convert(self, *words, text=None, expected=0, program="lockstep"):
        (self.root / "input").write_text(text or "")
        with open(self.root / "input", "rb") as file:
            result = self.lockstep("convert", *(["--program", program] if program else []), *words, stdin=file)
        self.assertEqual(result.status, expected, result.err)
        return result


class Output(ConvertTest):
    CRONTAB = ("# my jobs\nMAILTO=root\n\n"
               "*/5 * * * * flock -n /tmp/a.lock ./a --date $(date +\\%F)\n"
               "0 * * * * (flock 9; ./b) 9>/tmp/b.lock\n"
               "1 * * * * ./c")

    def test_a_directory_is_no_crontab(self):
        result = self.lockstep("convert", self.root)
        self.assertEqual((result.status, result.err), (66, f"lockstep: reading {self.root}: Is a directory\n"))

    def test_all_of_it_is_printed_with_what_changes_above_each_line(self):
        result = self.convert(text=self.CRONTAB, expected=1)
        lines = result.out.splitlines()
        self.assertEqual([line for line in lines if not line.startswith("# lockstep convert: ")],
                         ["# my jobs", "MAILTO=root", "", "*/5 * * * * lockstep exec --quiet a -- ./a --date $(date +\\%F)",
                          "0 * * * * (flock 9; ./b) 9>/tmp/b.lock", "1 * * * * ./c"])
        self.assertIn("# lockstep convert: was: */5 * * * * flock -n /tmp/a.lock ./a --date $(date +\\%F)", lines)
        self.assertIn("left as it is: it locks an open descriptor", result.out)
        self.assertEqual(result.err, "lockstep: convert: 1 line converted, 1 left as it is\n")

    def test_a_file_stdin_and_lines_are_read_alike(self):
        line = "*/5 * * * * flock -n /tmp/a.lock ./a"
        file = self.root / "crontab"
        file.write_text(line + "\n")
        outputs = {self.convert(file).out, self.convert("-", text=line + "\n").out, self.convert(text=line).out,
                   self.convert("--", line).out}
        self.assertEqual(len(outputs), 1, outputs)
        self.assertEqual(self.convert("--", line, line).out.count("\n*/5"), 2)

    def test_what_was_converted_is_not_converted_again(self):
        once = self.convert(text=self.CRONTAB.replace("(flock 9; ./b) 9>/tmp/b.lock", "./b")).out
        self.assertEqual(self.convert(text=once).out, once)

    def test_a_line_runs_under_the_path_that_its_crontab_has(self):
        bin_directory = self.root / "bin"
        bin_directory.mkdir()
        for path, name in (("/nowhere:/bin", str(LOCKSTEP)), (f"{bin_directory}:/bin", "lockstep")):
            with self.subTest(path=path):
                if name == "lockstep":
                    (bin_directory / "lockstep").symlink_to(LOCKSTEP)
                text = f"PATH={path}\n@daily flock -n {self.lock} echo ran\n"
                out = self.convert(text=text, program=None).out
                self.assertIn(f"\n@daily {name} exec ", out)
                self.assertEqual(name != "lockstep", f"the PATH of this line is {path}\n" in out, out)
                self.assertEqual(self.convert(text=out, program=None).out, out)
                line = out.splitlines()[-1].removeprefix("@daily ")
                result = self.run_to_end("/bin/sh", "-c", line, env={"PATH": path})
                self.assertEqual((result.status, result.out, result.err), (0, "ran\n", ""))

    def test_a_command_that_goes_on_below_stays_in_one_piece(self):
        script = ("env WHO=www \\\n  flock -n /tmp/a.lock sh -c 'echo \"$WHO\"'\n"
                  "cat <<END\nflock -n /tmp/b.lock it is not\nEND\n"
                  "echo 'this is\nflock -n /tmp/c.lock text'\n"
                  "flock -n /tmp/d.lock d\n")
        out = self.convert("--commands", text=script, expected=1).out
        self.assertEqual("".join(line + "\n" for line in out.splitlines() if not line.startswith("# ")),
                         script.replace("flock -n /tmp/a.lock", "lockstep exec --busy-status 1 --quiet a --")
                         .replace("flock -n /tmp/d.lock", "lockstep exec --busy-status 1 --quiet d --"))
        self.assertTrue(out.startswith("# lockstep convert: was: env WHO=www \\\n"
                                       "# lockstep convert:   flock -n /tmp/a.lock"), out)
        self.assertIn("env WHO=www \\\n  lockstep", out)
        self.assertIn("\ncat <<END\nflock", out)
        self.assertIn("\necho 'this is\nflock", out)
        # Words behind -- may have several lines, too; a crontab knows no lines that go on.
        self.assertEqual(self.convert("--commands", "--", script[:-1], expected=1).out, out)
        self.assertIn("\\\n# lockstep convert: was: * * * * * flock",
                      self.convert(text="* * * * * a \\\n* * * * * flock -n /tmp/a.lock a\n").out)

    def test_a_name_is_not_given_that_is_a_later_lines_lock(self):
        out = self.convert(text="1 * * * * run-one rsync -a /q /r\n2 * * * * flock -n /tmp/rsync.lock rsync -a /x /y\n").out
        self.assertIn("\n1 * * * * lockstep exec --quiet rsync-2 -- rsync", out)
        self.assertIn("\n2 * * * * lockstep exec --quiet rsync -- rsync", out)

    def test_usage_errors(self):
        self.assertIn("No such file", self.convert(self.root / "missing", expected=66).err)
        self.assertIn("not both", self.convert("file", "--", "* * * * * a", expected=64).err)
        self.assertIn("excludes", self.convert("--system", "--commands", expected=64).err)

    def test_crontab_takes_it(self):
        if not os.path.exists("/usr/bin/crontab"):
            self.skipTest("no crontab(1)")
        (self.root / "new").write_text(self.convert(text=self.CRONTAB + "\n", expected=1).out)
        # -T only checks; older ones have no such option, and then nothing is installed either.
        checked = self.run_to_end("crontab", "-T", self.root / "new")
        self.assertTrue(checked.status == 0 or "invalid option" in checked.err or "usage" in checked.err.lower(), checked.err)


class Meaning(ConvertTest):
    """Old and new line are run by sh, with the lock free and with it taken: what comes out must be the same."""

    # {L} is the lock, {new} where it is for lockstep.
    FLOCK = [
        "flock -n {L} echo ran",
        "flock -n {L} echo ran || echo busy $?",
        "flock -n -E 7 {L} echo ran; echo status $?",
        "flock -w 0.2 {L} sh -c 'echo ran; exit 3'; echo status $?",
        "flock -n {L} -c 'echo a; echo \"$1\" b' && echo good",
        "flock -xn {L} echo \"a  b\" '*' | cat",
        "cd / && flock -n {L} pwd",
        "X=1 flock -n {L} sh -c 'echo $X'",
        "if flock -n {L} echo ran; then echo yes; else echo no; fi",
        "timeout 20 flock -n {L} echo ran; echo $?",
    ]
    MKDIR = [
        "mkdir {L} 2>/dev/null && echo ran && rmdir {L}",
        "mkdir {L} 2>/dev/null && {{ echo ran; rmdir {L}; }}",
        "mkdir {L} 2>/dev/null && (echo a; echo \"it's b\" | cat; rmdir {L})",
        "mkdir {L} 2>/dev/null || exit 0; echo ran; rmdir {L}",
        "if mkdir {L} 2>/dev/null; then echo ran >out; cat out; rmdir {L}; fi",
        "cd / && mkdir {L} 2>/dev/null && pwd && rmdir {L}",
    ]

    def sh(self, script):
        path = self.root / "bin"
        path.mkdir(exist_ok=True)
        if not (path / "lockstep").exists():
            (path / "lockstep").symlink_to(LOCKSTEP)
        environment = self.environment(PATH=f"{path}:{os.environ['PATH']}")
        result = self.run_to_end("sh", "-c", script, env=environment)
        self.assertEqual(result.err, "")
        return result.out, result.status

    def converted(self, line):
        result = self.convert("--commands", "--", line)
        [new] = [text for text in result.out.splitlines() if not text.startswith("#")]
        self.assertIn("lockstep exec", new)
        return new

    def test_flock(self):
        old_lock, new_lock = self.root / "old.lock", self.root / "new.lock"
        for template in self.FLOCK:
            with self.subTest(template):
                old, new = template.format(L=old_lock), self.converted(template.format(L=new_lock))
                self.assertEqual(self.sh(old), self.sh(new), new)
                holders = [self.start("flock", old_lock, "sh", "-c", f"touch {self.root}/h1; exec sleep 60"),
                           self.start_lockstep("exec", new_lock, "--", "sh", "-c", f"touch {self.root}/h2; exec sleep 60")]
                for flag in ("h1", "h2"):
                    wait_until((self.root / flag).exists, "the holder")
                self.assertEqual(self.sh(old), self.sh(new), f"busy: {new}")
                self._end_everything()
                for process in holders:
                    self.processes.remove(process)
                self.lockstep("exec", "--wait", "10s", new_lock, "--", "rm", self.root / "h1", self.root / "h2")

    def test_mkdir(self):
        lock = self.root / "job.lock"
        for template in self.MKDIR:
            with self.subTest(template):
                old = template.format(L=lock)
                new = self.converted(old)
                self.assertEqual(self.sh(old)[0], self.sh(new)[0], new)
                self.assertFalse(lock.exists())
                lock.mkdir()  # a script that has not been converted holds it
                self.assertEqual(self.sh(old)[0], self.sh(new)[0], f"busy: {new}")
                self.assertTrue(lock.exists())
                lock.rmdir()

    def test_what_is_expanded_under_the_lock_is_not_expanded_before_it(self):
        lock, batch = self.root / "job.lock", self.root / "batch"
        batch.write_text("one\n")
        new = self.converted(f"mkdir {lock} 2>/dev/null && echo $(cat {batch}; rm {batch}); rmdir {lock}")
        lock.mkdir()
        self.assertEqual(self.sh(new)[0], "")
        self.assertTrue(batch.exists(), "the batch was taken and lost")
        lock.rmdir()
        self.assertEqual(self.sh(new)[0], "one\n")

    def test_flock_c_is_run_by_the_users_shell(self):
        shell = self.root / "shell"
        shell.write_text("#!/bin/sh\necho \"my shell: $2\"\n")
        shell.chmod(0o755)
        old = f"flock -n {self.root}/job.lock -c 'echo a'"
        for setting in (f"export SHELL={shell}; ", "export SHELL=/bin/sh; ", "unset SHELL; "):
            expected = self.sh(setting + old)
            (self.root / "job.lock").unlink()  # makes room for the directory
            self.assertEqual(self.sh(setting + self.converted(old)), expected, setting)

    def test_the_old_and_the_new_mkdir_line_keep_each_other_out(self):
        lock = self.root / "job.lock"
        old = f"mkdir {lock} 2>/dev/null && {{ echo old; rmdir {lock}; }}"
        holder = self.start_lockstep("exec", lock, "--", "sh", "-c", f"touch {self.root}/held; exec sleep 60")
        wait_until((self.root / "held").exists, "the holder")
        self.assertNotIn("old", self.sh(old)[0])
        self.assertTrue(holder.running())


if __name__ == "__main__":
    unittest.main()

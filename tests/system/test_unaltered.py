"""What a later pass sends is what the first one would have sent, to the byte; what cannot be kept so is not begun, or in doubt."""

import os
import shutil
import unittest

from support import SystemTest


class Unaltered(SystemTest):
    def pair(self, first, second=None, **more):
        steps = {"step": "s", "first": first, **({"second": second} if second else {})}
        return self.write_job({"lockstep": 1, "job": "unaltered", "lock": str(self.lock), "key": "k", "steps": [steps], **more})

    def noted(self):
        path = self.root / "noted.log"
        return path.read_bytes() if path.exists() else b""

    def test_an_output_that_the_journal_could_not_keep_is_in_doubt_and_no_later_phase_is_sent_another(self):
        first = {**self.command("sh", "-c", r"printf 'caf\351.csv'"), "outputs": {"f": "$stdout"}}
        second = self.command("sh", "-c", 'test -e up || exit 75; printf %s "$1" >>noted.log', "sh", "$steps.s.first.outputs.f",
                              notAppliedStatus=[75], retry={"maxAttempts": 1})
        job = self.pair(first, second)
        for _ in range(2):
            result = self.run_job(job)
            self.assertEqual(result.status, 1, result.err)
            self.assertIn("parked 1", result.err)
            (self.root / "up").touch()
        self.assertIn('the output "f" is not UTF-8', self.lockstep("status", job, "--state-dir", self.state).out)
        self.assertEqual(self.noted(), b"")

    def test_a_parameter_that_the_journal_could_not_keep_is_refused_before_anything_begins(self):
        job = self.pair(self.command("sh", "-c", "echo done >>noted.log", "sh", "{$params.a}"), params={"a": "x"}, key="{$params.a}")
        result = self.run_job(job, "--set", os.fsdecode(b"a=caf\xe9"))
        self.assertEqual(result.status, 78, result.err)
        self.assertIn(r"--set a=caf\xe9: the value is not UTF-8", result.err)
        self.assertEqual(self.noted(), b"")
        self.assertFalse(self.state.exists())
        self.assertEqual(self.run_job(job, "--set", "a=café").status, 0)

    def test_nor_is_a_job_begun_in_a_directory_whose_name_could_not_be_kept(self):
        directory = os.fsencode(self.root) + b"/caf\xe9"
        os.mkdir(directory)
        job = shutil.move(self.pair(self.command("touch", "begun")), os.fsdecode(directory + b"/job.json"))
        result = self.run_job(job)
        self.assertEqual(result.status, 78, result.err)
        self.assertIn(r"caf\xe9 is not UTF-8", result.err)
        self.assertEqual(os.listdir(directory), [b"job.json"])

    def test_half_of_a_large_output_is_given_to_nobody(self):
        first = {**self.command("sh", "-c", "head -c 17000000 /dev/zero | tr '\\000' x; echo END"), "outputs": {"f": "$stdout"}}
        second = {"command": {"argv": ["sh", "-c", "wc -c >>noted.log"], "stdin": "$steps.s.first.outputs.f"}, "timeout": "20s",
                  "inDoubt": ["park"]}
        result = self.run_job(self.pair(first, second))
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("its output is larger than 16 MiB", result.err)
        self.assertTrue(result.out.endswith("xEND\n"), "passed on it is whole")
        self.assertEqual(self.noted(), b"")

    def test_the_dry_runs_line_and_the_run_find_the_same_program(self):
        (self.root / "bin").mkdir()
        program = self.root / "bin" / "lockstep-test-program"
        program.write_text("#!/bin/sh\necho $0 >>noted.log\n")
        program.chmod(0o755)
        job = self.pair({"command": {"argv": [program.name], "env": {"PATH": f"{program.parent}:/usr/bin:/bin"}}, "timeout": "20s",
                         "inDoubt": ["park"]})
        line = self.run_job(job, "--dry-run").out.splitlines()[-1]
        self.run_to_end("sh", "-c", line)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.noted().decode().split(), [str(program)] * 2)

    def test_a_secret_in_a_fifo_holds_up_no_run(self):
        os.mkfifo(self.root / "fifo")
        job = self.pair({"command": {"argv": ["touch", "begun"], "env": {"TOKEN": "{$secrets.t}"}}, "timeout": "20s", "inDoubt": ["park"]},
                        secrets={"t": {"file": "fifo"}})
        result = self.run_job(job)
        self.assertIn(f'secret "t" cannot be had: {self.root}/fifo is not a regular file', result.err)
        self.assertFalse((self.root / "begun").exists())
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

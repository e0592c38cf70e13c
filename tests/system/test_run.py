"""`lockstep run`, `loop` and `check` as people and scripts use them."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from item_jobs import ItemTest
from strace import needs_strace
from support import LOCKSTEP, PATIENCE, REPOSITORY, wait_until


class CommandLine(ItemTest):
    def test_help_of_each_command_and_the_version_go_to_stdout(self):
        for arguments, words in ((["--help"], ["run", "loop", "exec", "check"]), (["run", "--help"], ["--only", "--dry-run", "--wait"]),
                                 (["loop", "--help"], ["--every"]), (["check", "--help"], ["--format"]),
                                 (["--version"], ["lockstep "])):
            with self.subTest(arguments=arguments):
                result = self.lockstep(*arguments)
                self.assertEqual((result.status, result.err), (0, ""))
                for word in words:
                    self.assertIn(word, result.out)

    def test_usage_errors_are_64_and_say_where_help_is(self):
        job = self.article()
        for arguments in ([], ["fly"], ["run"], ["run", job, "--no-such"], ["run", job, "--wait", "soon"], ["run", job, "--set", "x"],
                          ["run", job, "--max-concurrency", "0"], ["run", job, "--max-concurrency", "1001"], ["loop", job, "--only", "x"], ["loop", job, "--every", "0s"], ["check"],
                          ["run", job, "--log-format", "xml"], ["run", job, "--busy-status", "999"]):
            with self.subTest(arguments=arguments):
                result = self.lockstep(*arguments)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn("--help", result.err)
        self.assertEqual(self.story(), [])
        self.assertFalse(self.state.exists())

    def test_an_option_with_nothing_behind_its_equals_sign_takes_no_other_word_for_its_value(self):
        job = self.article()
        before = sorted(os.listdir(self.root))
        state = ("--state-dir", self.state)
        for words in (["run", job, *state, "--lock=", "--dry-run"], ["run", job, "--state-dir=", "--dry-run"], ["run", job, "--only=", "--dry-run"],
                      ["loop", job, *state, "--set=", "--strict"], ["status", "--state-dir=", job], ["status", *state, "--lock=", job],
                      ["locks", "--root=", "--json"], ["check", "--supervisord=", job], ["unlock", "--run=", "x"], ["init", "pair", "nn", "--write=", "--force"],
                      ["init", "pair", "nn", "--force="], ["setup", "cron", job, "--user=", "--write"],
                      ["run", job, *state, "--only", "--", "--lock=", "--dry-run"]):
            with self.subTest(words=words):
                [option] = [word for word in words if str(word).endswith("=")]
                result = self.lockstep(*words)
                self.assertEqual((result.status, result.out), (64, ""))
                self.assertEqual(result.err, f"lockstep: {option} is empty: write a value behind it, or leave it out\nTry: lockstep {words[0]} --help\n")
        self.assert_only_told(before)

    def test_an_empty_value_is_none_that_was_left_out(self):
        """"$STATE" without a STATE: the default journal does not know what the right one has done."""
        job = self.article()
        before = sorted(os.listdir(self.root))
        # None would write into the default places, even if it were not refused.
        for words in (["run", job, "--dry-run", "--state-dir", ""], ["run", job, "--dry-run", "--lock", ""], ["run", job, "--dry-run", "--only", ""],
                      ["status", ""], ["status", job, "--state-dir", ""], ["history", job, "--lock", ""], ["convert", ""], ["check", job, "--systemd", ""],
                      ["locks", "--state-dir", ""], ["init", "pair", "no name", "--write", ""],
                      ["setup", "cron", job, "--write", ""], ["setup", "cron", job, "--user", ""], ["setup", "cron", job, "--program", ""]):
            with self.subTest(words=words):
                result = self.lockstep(*words)
                self.assertEqual((result.status, result.out), (64, ""))
                self.assertRegex(result.err, "^lockstep: [a-z-]+: it is empty: write a value, or leave it out\n")
        self.assert_only_told(before)

    def assert_only_told(self, before):
        self.assertEqual([name for name in sorted(os.listdir(self.root)) if not re.fullmatch(r"(out|err)\.\d+", name)], before)

    def test_a_parameter_may_be_empty_and_a_value_may_look_like_an_option_that_is(self):
        job = json.loads(self.article().read_text())
        job["params"] = {"a": "x"}
        job["steps"][0]["first"]["command"] = ["echo", "<{$params.a}>"]
        for words in (["--set", "a="], ["--set=a="]):
            result = self.run_job(self.write_job(job), "--dry-run", *words)
            self.assertEqual((result.status, result.err), (0, ""))
            self.assertIn("echo '<>'", result.out)
        result = self.run_job(self.write_job(job), "--dry-run", "--set", "a=--lock=")
        self.assertIn("echo '<--lock=>'", result.out)
        self.assertEqual(self.lockstep("convert", "--commands", "--", "true --lock=").status, 0)

    def test_under_log_format_json_what_is_wrong_with_the_job_file_is_a_line_an_error(self):
        job = self.root / "bad.json"
        job.write_text('{"lockstep": 1,\n "job": "bad", "nonsense": 1,\n "lock": 7}\n')
        result = self.lockstep("run", job, "--log-format", "json")
        self.assertEqual(result.status, 78)
        lines = [json.loads(line) for line in result.err.splitlines()]
        self.assertGreaterEqual(len(lines), 2)
        plain = [line.removeprefix("lockstep: ") for line in self.lockstep("run", job).err.splitlines()]
        self.assertEqual([line["message"] for line in lines], plain)
        for line in lines:
            self.assertEqual(list(line), ["time", "level", "job", "run", "file", "line", "column", *["pointer"] * ("pointer" in line), "message"])
            self.assertEqual((line["level"], line["file"]), ("error", str(job)))
        self.assertIn((2, "/nonsense"), [(line["line"], line.get("pointer")) for line in lines])
        missing = json.loads(self.lockstep("loop", self.root / "nowhere.json", "--log-format", "json").err)
        self.assertIn("No such file or directory", missing["message"])
        pause = json.loads(self.lockstep("loop", self.job_without_pause(), "--log-format", "json").err)
        self.assertEqual((pause["job"], pause["level"]), ("once", "error"))

    def job_without_pause(self):
        return self.write_job({"lockstep": 1, "job": "once", "steps": [{"step": "s", "first": self.command("true")}]})

    def test_a_job_file_may_come_out_of_a_pipe_that_takes_its_time(self):
        job = self.article()
        gate = self.root / "gate"
        os.mkfifo(gate)
        script = f"exec 3< <(read -r _ <{gate}; cat {job}); exec '{LOCKSTEP}' check /dev/fd/3"
        check = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(check.stdout.close)

        def waits():
            stat = pathlib.Path(f"/proc/{check.pid}/stat").read_text()
            return "lockstep" in stat and stat.rsplit(")", 1)[1].split()[0] == "S"
        wait_until(lambda: waits() or check.poll() is not None, "lockstep to wait for the pipe")
        gate.write_text("go\n")
        self.assertIn("article", check.stdout.read())
        self.assertEqual(check.wait(PATIENCE), 0)
        os.mkfifo(self.root / "nobody")
        self.assertNotEqual(self.lockstep("check", self.root / "nobody").status, 0, "nobody writes to it")

    def test_a_missing_job_file_is_66(self):
        for command in ("run", "loop", "check"):
            result = self.lockstep(command, self.root / "nowhere.json")
            self.assertEqual(result.status, 66, result.err)
            self.assertIn("nowhere.json", result.err)

    def test_a_wrong_job_file_is_78_names_every_mistake_and_makes_nothing(self):
        job = self.write("job.json", '{\n  "lockstep": 1,\n  "job": "wrong",\n  "lock": "%s",\n  "stepz": [],\n'
                                     '  "steps": [{"step": "s", "first": {"http": {"method": "PSOT", "url": "http://127.0.0.1:1/"}}}]\n}\n' % self.lock)
        for command in ("run", "loop", "check"):
            with self.subTest(command=command):
                options = [] if command == "check" else ["--state-dir", self.state]
                result = self.lockstep(command, job, *options)
                self.assertEqual(result.status, 78, result.err)
                self.assertIn(f'{job}:5:3: /stepz', result.err)
                self.assertRegex(result.err, r'job\.json:6:\d+: /steps/0/first/http/method: "PSOT" is not .*; did you mean "POST"\?')
        self.assertFalse(self.state.exists())
        self.assertFalse(self.lock.exists())

    def test_check_tells_the_plan_and_the_json_format_is_json(self):
        job = self.article(seconds=1)
        text = self.lockstep("check", job)
        self.assertEqual((text.status, text.err), (0, ""))
        for words in ("longest pair", "50s", "park", "stopwaitsecs", "proc.sh"):
            self.assertIn(words, text.out)
        plan = self.lockstep("check", "--format", "json", job)
        self.assertEqual(plan.status, 0)
        self.assertTrue(json.loads(plan.out)[0]["ok"])
        bad = self.write("bad.json", '{"lockstep": 1}')
        mixed = self.lockstep("check", "--format", "json", job, bad)
        self.assertEqual(mixed.status, 78)
        answers = json.loads(mixed.out)
        self.assertEqual([answer["ok"] for answer in answers], [True, False])
        self.assertTrue(all(finding["line"] and finding["what"] for finding in answers[1]["findings"]))
        self.assertFalse(self.lock.exists())

    def test_every_job_of_the_project_is_right(self):
        jobs = sorted(path for path in (REPOSITORY / "jobs").glob("*.json") if "schema" not in path.name)
        self.assertGreaterEqual(len(jobs), 3)
        result = self.lockstep("check", *jobs)
        self.assertEqual(result.status, 0, result.err)

    def test_set_fills_declared_parameters_only(self):
        self.write("items.ndjson", '{"id": "a"}\n')
        job = self.job_over({"ndjson": "items.ndjson", "key": "{$params.place}-{$inputs.id}"}, params={"place": "north"})
        text = json.loads(job.read_text())
        text["steps"][0]["first"]["command"] = ["./note.sh", "{$params.place}"]
        self.write_job(text)
        self.assertEqual(self.run_job(job, "--set", "place=south").status, 0)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.noted(), ["south", "north"])
        wrong = self.run_job(job, "--set", "plaice=x")
        self.assertEqual(wrong.status, 78, wrong.err)
        self.assertIn("place", wrong.err)

    def test_lock_names_another_place(self):
        elsewhere = self.root / "elsewhere.lock"
        job = self.write_job({"lockstep": 1, "job": "where", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("sh", "-c", "ls -d *.lock >where")}]})
        self.assertEqual(self.run_job(job, "--lock", elsewhere).status, 0)
        self.assertEqual((self.root / "where").read_text(), "elsewhere.lock\n")
        self.assert_nothing_left(self.lock, elsewhere)

    def test_a_busy_lock_is_75_with_one_line_and_quiet_says_nothing(self):
        self.start_lockstep("exec", self.lock, "--", "sleep", "300")
        wait_until(lambda: (self.lock / "record").exists(), "the holder")
        job = self.article()
        busy = self.run_job(job, "--log-level", "warning")
        self.assertEqual(busy.status, 75)
        self.assertRegex(busy.err, r"\Alockstep: article: busy: pid \d+ since \d\d:\d\d:\d\d.*\n\Z")
        quiet = self.run_job(job, "--quiet", "--busy-status", "0")
        self.assertEqual((quiet.status, quiet.out, quiet.err), (0, "", ""))

    def test_log_format_json_is_one_object_a_line(self):
        result = self.run_job(self.article(seconds=0), "--log-format", "json")
        lines = [json.loads(line) for line in result.err.splitlines()]
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual(line["job"], "article")
            self.assertEqual(set(line) & {"time", "level", "message"}, {"time", "level", "message"})

    def test_a_commands_output_passes_unchanged(self):
        job = self.write_job({"lockstep": 1, "job": "talk", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("sh", "-c", "printf 'a\\tb\\n'; printf 'to stderr\\n' >&2; printf 'no newline'")}]})
        result = self.run_job(job, "--quiet")
        self.assertEqual((result.status, result.out, result.err), (0, "a\tb\nno newline", "to stderr\n"))

    def test_an_unknown_command_is_named_with_what_was_probably_meant(self):
        result = self.lockstep("statsu")
        self.assertEqual(result.status, 64)
        self.assertIn("unknown command statsu; did you mean status?", result.err)
        self.assertEqual(self.lockstep("help").status, 0)

    def test_loop_without_a_pause_is_a_usage_error(self):
        job = self.article()
        text = json.loads(job.read_text())
        del text["every"]
        self.write_job(text)
        result = self.lockstep("loop", job, "--state-dir", self.state)
        self.assertEqual(result.status, 64)
        self.assertIn("--every", result.err)

    def test_a_journal_that_cannot_be_written_is_74(self):
        (self.root / "file").write_text("")
        result = self.lockstep("run", self.article(), "--state-dir", self.root / "file")
        self.assertEqual(result.status, 74, result.err)
        self.assertEqual(self.story(), [])
        self.assert_nothing_left()

    def test_a_journal_that_is_no_database_is_74(self):
        self.state.mkdir(mode=0o700)
        (self.state / "article.sqlite3").write_text("this is no database, and was not made by lockstep\n" * 100)
        result = self.run_job(self.article())
        self.assertEqual(result.status, 74, result.err)
        self.assertEqual(self.story(), [])
        self.assert_nothing_left()

    def test_another_lock_for_the_same_journal_is_busy(self):
        let_go = self.hold_story(1)
        job = self.article(seconds=0)
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        self.wait_for_story(1)
        second = self.run_job(job, "--lock", self.root / "other.lock")
        self.assertIn(second.status, (74, 75), second.err)
        let_go()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.assert_whole_pairs(), 1)
        self.assert_nothing_left(self.lock, self.root / "other.lock")

    def test_a_loop_that_runs_past_midnight_takes_the_new_day_for_what_it_is(self):
        job = self.write_job({"lockstep": 1, "job": "daily", "lock": str(self.lock), "every": "100ms", "key": "$run.date",
                              "steps": [{"step": "note", "first": self.command("sh", "-c", "echo $$1 >>days", "sh", "$run.date")}]})
        seconds = int(time.time()) % 86400
        ahead = (86400 - 3 - seconds) % 86400  # then it is three seconds to midnight
        zone = f"LCL-{ahead // 3600}:{ahead // 60 % 60:02}:{ahead % 60:02}"
        loop = self.start_lockstep("loop", job, "--state-dir", self.state, env=self.environment(TZ=zone))
        days = self.root / "days"
        wait_until(lambda: days.exists() and len(days.read_text().splitlines()) == 2, "the second day's pass")
        loop.send(signal.SIGTERM)
        self.assertEqual(loop.wait(), 0)
        self.assertEqual(len(set(days.read_text().split())), 2)

    def test_a_run_whose_journal_is_taken_away_begins_nothing_that_its_successor_would_do_again(self):
        for taken in ("daily.sqlite3", "daily.sqlite3-wal"):
            with self.subTest(taken=taken):
                state, items = self.root / f"state of {taken}", self.root / "items.ndjson"
                items.write_text('{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n')
                job = self.write_job({"lockstep": 1, "job": "daily", "lock": str(self.lock),
                                      "items": {"ndjson": "items.ndjson", "key": "$inputs.id"},
                                      "steps": [{"step": "note", "first": self.command("sh", "-c", "echo $$1 >>done; rm -f \"$$2\"", "sh",
                                                                                       "$inputs.id", str(state / taken))}]})
                result = self.lockstep("run", job, "--state-dir", state)
                self.assertEqual(result.status, 74, result.err)
                self.assertIn("was moved or deleted while a run was at work", result.err)
                self.assertEqual((self.root / "done").read_text(), "a\n")
                (self.root / "done").unlink()
                self.assert_nothing_left(self.lock)

    def test_a_loop_whose_journal_is_taken_away_has_a_history_again_from_its_next_pass_on(self):
        job = self.article(0, pause="10ms")
        loop = self.start_lockstep("loop", job, "--state-dir", self.state)
        self.wait_for_story(4)
        holder = self.hold("--wait", "forever", self.lock)
        loop.says("waiting for the lock")
        self.state.rename(self.root / "away")
        holder.let_go()
        passes = wait_until(lambda: json.loads(self.lockstep("history", job, "--state-dir", self.state, "--json").out or "{}").get("passes"),
                            "a pass in the new journal")
        self.assertEqual((passes[0]["command"], passes[0]["done"]), ("loop", 1))
        loop.send(signal.SIGTERM)
        self.assertEqual(loop.wait(), 0)


class NoThreadIsToBeHad(ItemTest):
    @needs_strace
    def test_that_is_71_whichever_it_is_with_one_sentence_and_nothing_left(self):
        job = self.article(0)
        for when, said in (("2+", "starting the run's thread: "), ("1", "article.sqlite3: starting its thread: ")):
            with self.subTest(said=said):
                result = self.run_to_end("strace", "-f", "-o", self.root / "trace", "-e", "trace=clone3", "-e", f"inject=clone3:error=EAGAIN:when={when}",
                                         LOCKSTEP, "run", job, "--state-dir", self.state)
                self.assertEqual(result.status, 71, result.err)
                self.assertIn(said + "Resource temporarily unavailable", result.err)
                self.assertEqual(self.story(), [])
                self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

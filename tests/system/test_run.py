"""`lockstep run`, `loop` and `check` as people and scripts use them."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

from demo_api import DemoApi
from item_jobs import ItemTest
from support import LOCKSTEP, PATIENCE, REPOSITORY, wait_until

ORDERS = 12
TOKEN = "tok-9f1c77e2-secret"


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
                          ["run", job, "--max-concurrency", "0"], ["run", job, "--max-concurrency", "1001"], ["loop", job, "--only", "x"], ["check"],
                          ["run", job, "--log-format", "xml"], ["run", job, "--busy-status", "999"]):
            with self.subTest(arguments=arguments):
                result = self.lockstep(*arguments)
                self.assertEqual(result.status, 64, result.err)
                self.assertIn("--help", result.err)
        self.assertEqual(self.story(), [])
        self.assertFalse(self.state.exists())

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


class AgainstTheDemoApi(ItemTest):
    def ship_orders(self, api, lock=None, concurrency=4, **first):
        self.write("orders.ndjson", "".join(f'{{"orderId": "o{n}", "qty": {n}}}\n' for n in range(1, ORDERS + 1)))
        retry = {"maxAttempts": 6, "initialInterval": "20ms", "maxInterval": "100ms"}
        return self.write_job({
            "lockstep": 1, "job": "ship", "lock": str(lock or self.lock), "maxConcurrency": concurrency,
            "items": {"ndjson": "orders.ndjson", "key": "{$inputs.orderId}"}, "secrets": {"token": {"env": "SHOP_TOKEN"}},
            "steps": [{
                "step": "ship",
                "first": {"http": {"method": "POST", "url": f"{api.url}/reservations", "headers": {"Authorization": "Bearer {$secrets.token}"},
                                   "body": {"order": "$inputs.orderId", "qty": "$inputs.qty"}},
                          "idempotencyKey": {"retention": "24h"}, "success": "$statusCode == 201", "outputs": {"rid": "$response.body#/id"},
                          "timeout": "10s", "deadline": "30s", "retry": retry, "inDoubt": ["resend", "park"],
                          "compensate": {"http": {"method": "DELETE", "url": f"{api.url}/reservations/{{$steps.ship.first.outputs.rid}}"},
                                         "deadline": "10s"}, **first},
                "second": {"http": {"method": "POST", "url": f"{api.url}/captures", "headers": {"Authorization": "Bearer {$secrets.token}"},
                                    "body": {"reservation": "$steps.ship.first.outputs.rid"}},
                           "idempotencyKey": {}, "timeout": "10s", "deadline": "30s", "retry": retry}}]})

    def run_ship(self, job, *options):
        return self.run_job(job, *options, env=self.environment(SHOP_TOKEN=TOKEN))

    def assert_exactly_once(self, api, orders=ORDERS):
        totals = api.ledger()["totals"]
        self.assertEqual((totals["reserved"], totals["captured"], totals["halfPairs"], totals["duplicates"]), (orders, orders, 0, 0), totals)

    def test_every_order_is_reserved_and_captured_exactly_once(self):
        api = DemoApi(self)
        result = self.run_ship(self.ship_orders(api))
        self.assertEqual(result.status, 0, result.err)
        self.assertIn(f"done {ORDERS}, failed 0, parked 0, left 0", result.err)
        self.assert_exactly_once(api)
        self.assertEqual(self.run_ship(self.root / "job.json").status, 0)
        self.assert_exactly_once(api)
        self.assert_nothing_left_but(api)

    def assert_nothing_left_but(self, api):
        api.stop()
        self.assert_nothing_left()

    def test_faults_that_a_second_try_heals_leave_exactly_one_of_each(self):
        for fault in ("429:0", "503", "500-after", "500", "drop", "reset", "drop-before", "408", "408-after"):
            with self.subTest(fault=fault):
                self.state = self.root / f"state.{fault}"
                api = DemoApi(self) if not hasattr(self, "api") else self.api
                self.api = api
                api.no_faults()
                api.request("DELETE", "/ledger")
                api.fault(fault, every=3)
                result = self.run_ship(self.ship_orders(api))
                self.assertEqual(result.status, 0, result.err)
                self.assert_exactly_once(api)

    def test_a_pause_before_another_attempt_is_told_in_one_line(self):
        api = DemoApi(self)
        api.fault("503:1", path="/reservations", orders=["o3"], times=1)
        result = self.run_ship(self.ship_orders(api))
        self.assertEqual(result.status, 0, result.err)
        told = [line for line in result.err.splitlines() if "again in" in line]
        self.assertEqual(len(told), 1, result.err)
        self.assertRegex(told[0], r"o3 ship first: 503 .*; again in [0-9.]+s \(attempt 2 of 6\)$")

    def test_the_faults_do_show_when_nobody_guards_against_them(self):
        api = DemoApi(self)
        api.fault("500-after", path="/reservations", times=1)
        for _ in range(2):  # a client that simply tries again, without a key
            try:
                api.request("POST", "/reservations", {"order": "o1"})
            except AssertionError:
                pass
        self.assertEqual(api.ledger()["totals"]["duplicates"], 1)

    def test_an_answer_that_never_comes_is_asked_for_again_under_the_same_key(self):
        api = DemoApi(self)
        api.fault("hang", path="/reservations", orders=["o3"], times=1)
        result = self.run_ship(self.ship_orders(api, timeout="500ms"))
        self.assertEqual(result.status, 0, result.err)
        self.assert_exactly_once(api)
        self.assertGreaterEqual(api.ledger()["totals"]["replayed"], 1)

    def test_a_refused_second_is_compensated_and_counted_as_failed(self):
        api = DemoApi(self)
        api.fault("400", path="/captures", orders=["o5"])
        result = self.run_ship(self.ship_orders(api))
        self.assertEqual(result.status, 1, result.err)
        self.assertIn(f"done {ORDERS - 1}, failed 1", result.err)
        totals = api.ledger()["totals"]
        self.assertEqual((totals["halfPairs"], totals["duplicates"], totals["deletes"]), (0, 0, 1), totals)
        # Once the API accepts it, a new generation of the key gets past the refusal that the API remembers.
        api.no_faults()
        again = self.run_ship(self.root / "job.json")
        self.assertEqual(again.status, 0, again.err)
        self.assert_exactly_once(api)

    def test_a_refused_first_leaves_nothing(self):
        api = DemoApi(self)
        api.fault("400", path="/reservations", orders=["o2"])
        result = self.run_ship(self.ship_orders(api))
        self.assertEqual(result.status, 1, result.err)
        self.assert_exactly_once(api, ORDERS - 1)
        self.assertIn("o2", result.err)

    def test_an_api_that_is_away_leaves_everything_for_the_next_run(self):
        api = DemoApi(self)
        job = self.ship_orders(api, concurrency=2)
        api.stop()
        result = self.run_ship(job)
        self.assertEqual(result.status, 1, result.err)
        back = DemoApi(self, "--delay", "1")
        self.write_job(json.loads(job.read_text().replace(api.url, back.url)))
        self.assertEqual(self.run_ship(job).status, 0)
        self.assert_exactly_once(back)

    def test_a_stop_in_the_middle_and_a_second_run_leave_no_half_pair(self):
        api = DemoApi(self)
        api.fault("before:4000", path="/reservations", orders=[f"o{n}" for n in range(4, ORDERS + 1)], times=2)
        process = self.start_lockstep("run", self.ship_orders(api, concurrency=2), "--state-dir", self.state,
                                      env=self.environment(SHOP_TOKEN=TOKEN))
        wait_until(lambda: api.ledger()["totals"]["captured"] >= 3, "the first orders")
        process.send(signal.SIGTERM)  # in the midst of the next two
        self.assertEqual(process.wait(), 75, process.err())
        totals = api.ledger()["totals"]
        self.assertEqual((totals["halfPairs"], totals["duplicates"]), (0, 0))
        self.assertEqual(totals["reserved"], 5)
        self.assertFalse(self.lock.exists())
        self.assertEqual(self.run_ship(self.root / "job.json").status, 0)
        self.assert_exactly_once(api)
        self.assert_nothing_left_but(api)

    def test_dry_run_sends_nothing_runs_nothing_and_shows_no_secret(self):
        api = DemoApi(self)
        job = json.loads(self.ship_orders(api).read_text())
        job["steps"].append({"step": "mark", "first": self.command("touch", "ran")})
        result = self.run_ship(self.write_job(job), "--dry-run", "--only", "o3")
        self.assertEqual(result.status, 0, result.err)
        lines = [line for line in result.out.splitlines() if line.startswith("curl ")]
        self.assertEqual(len(lines), 2, result.out)
        self.assertIn(f"{api.url}/reservations", lines[0])
        self.assertIn("***", lines[0])
        self.assertNotIn(TOKEN, result.out + result.err)
        self.assertEqual(api.ledger()["totals"]["orders"], 0)
        self.assertFalse((self.root / "ran").exists())
        self.assertFalse(self.lock.exists())
        self.assertFalse(self.state.exists())

    def test_a_dry_run_shows_outputs_that_are_to_come_by_their_names_wherever_they_stand(self):
        output = "$steps.make.first.outputs.made"
        first = {**self.command("true"), "outputs": {"made": "$stdout"}}
        second = {"http": {"method": "GET", "url": f"{output}#/url", "headers": {"X-Id": f"{{{output}#/id}}"}}}
        use = {"http": {"method": "PUT", "url": output, "body": {"made": output}}}
        job = {"lockstep": 1, "job": "make", "lock": str(self.lock),
               "steps": [{"step": "make", "first": first, "second": second}, {"step": "use", "first": use}]}
        result = self.run_job(self.write_job(job), "--dry-run")
        self.assertEqual((result.status, result.err), (0, ""))
        get, put = [line for line in result.out.splitlines() if line.startswith("curl ")]
        self.assertTrue(get.startswith(f"curl -g '{{{output}#/url}}' -H 'X-Id: {{{output}#/id}}'"), get)
        self.assertTrue(put.startswith(f"curl -X PUT -g '{{{output}}}' "), put)
        self.assertIn(f'\'{{"made":"{{{output}}}"}}\'', put)

    def test_a_secret_is_found_in_no_output_and_in_no_file_of_the_journal(self):
        api = DemoApi(self)
        api.fault("503", every=4)
        api.fault("400", path="/captures", orders=["o7"])
        job = json.loads(self.ship_orders(api).read_text())
        # A careless API and a careless command that repeat what they were given.
        job["steps"].append({"step": "echo", "first": {
            "command": {"argv": ["sh", "-c", 'echo "TOKEN is $TOKEN"; echo "$TOKEN" >&2; exit 3'], "env": {"TOKEN": "{$secrets.token}"}},
            "timeout": "5s", "refusedStatus": [3], "inDoubt": ["park"]}})
        result = self.run_ship(self.write_job(job), "--log-level", "debug")
        self.assertEqual(result.status, 1)
        # What a command itself prints goes through unchanged, and is its own affair; lockstep's own lines are not.
        own = [line for line in result.err.splitlines() if " ship: " in line or line.startswith("lockstep: ")]
        self.assertTrue(own)
        self.assertEqual([line for line in own if TOKEN in line], [])
        files = sorted(path for path in self.state.rglob("*") if path.is_file())
        self.assertTrue(any(path.name.startswith("ship.sqlite3") for path in files), files)
        for path in files:
            self.assertNotIn(TOKEN.encode(), path.read_bytes(), path)
            self.assertEqual(path.stat().st_mode & 0o077, 0, f"{path} is for its owner only")
        self.assertNotIn(TOKEN, subprocess.run(["sqlite3", self.state / "ship.sqlite3", ".dump"], capture_output=True, text=True,
                                               check=False).stdout if os.path.exists("/usr/bin/sqlite3") else "")

    def test_a_missing_secret_ends_the_run_before_anything_is_begun_and_is_named(self):
        api = DemoApi(self)
        for source, says in (({"env": "NO_SUCH_TOKEN"}, "the environment variable NO_SUCH_TOKEN is not set"),
                             ({"file": "no.token"}, f"file {self.root}/no.token: No such file or directory")):
            for command in (("run",), ("loop", "--every", "10ms")):
                with self.subTest(source=source, command=command):
                    job = json.loads(self.ship_orders(api).read_text())
                    job["secrets"]["token"] = source
                    result = self.lockstep(command[0], self.write_job(job), "--state-dir", self.state, *command[1:])
                    self.assertEqual(result.status, 78, result.err)
                    self.assertIn(f'secret "token" cannot be had: {says}', result.err)
                    self.assertEqual(api.ledger()["totals"]["orders"], 0)
                    self.assertFalse(self.lock.exists())

    def test_a_secret_that_nothing_uses_is_not_asked_for(self):
        self.write("items.ndjson", '{"id": "a"}\n')
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}, secrets={"token": {"env": "NO_SUCH_TOKEN"}}))
        self.assertEqual(result.status, 0, result.err)


if __name__ == "__main__":
    unittest.main()

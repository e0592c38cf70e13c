"""onFailure, onParked, onRecovered and heartbeat: who is told what of a pass, by real requests and commands."""

import http.server
import json
import signal
import threading
import time
import unittest

from support import PATIENCE, SystemTest, wait_until

TOKEN = "tok-notice-51c2"


class Pager:
    """Takes notices by HTTP and remembers them; answers 503 as often as it is told to, or not at all."""

    def __init__(self, test):
        pager = self
        self.taken = []  # (path, headers, body)
        self.failures = 0
        self.hangs = threading.Event()
        self.may_go = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pager.taken.append((self.path, dict(self.headers), body.decode()))
                if pager.hangs.is_set():
                    pager.may_go.wait(PATIENCE)
                status = 200
                if pager.failures:
                    pager.failures -= 1
                    status = 503
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def close(self):
        self.may_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(PATIENCE)

    def paths(self):
        return [path for path, _, _ in self.taken]

    def summary(self, path):
        (found,) = [body for at, _, body in self.taken if at == path]
        return json.loads(found)


class Notices(SystemTest):
    def setUp(self):
        super().setUp()
        self.pager = Pager(self)

    def job(self, items=("good",), script='[ "$1" != bad ] || exit 3; [ "$1" != lost ] || exit 9', pause="60s", **notices):
        """One command an item: `bad` is refused, `lost` is in doubt and parked at once."""
        (self.root / "items.ndjson").write_text("".join(json.dumps({"id": item}) + "\n" for item in items))
        (self.root / "do.sh").write_text(f"#!/bin/sh\n{script}\n")
        (self.root / "do.sh").chmod(0o755)
        every = {name: {"http": {"method": "POST", "url": f"{self.pager.url}/{name}"}, "timeout": "20s"}
                 for name in ("onFailure", "onParked", "onRecovered", "heartbeat")}
        every.update(notices)
        return self.write_job({"lockstep": 1, "job": "told", "lock": str(self.lock), "every": pause,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                               "steps": [{"step": "do", "first": self.command("./do.sh", "{$inputs.id}", refusedStatus=[3])}],
                               **{name: notice for name, notice in every.items() if notice}})

    def run_job(self, *options, job=None, **more):
        return super().run_job(job or self.root / "job.json", *options, **more)

    def test_a_pass_in_which_all_goes_well_is_a_heartbeat_with_its_summary(self):
        self.job(items=("a", "b"))
        self.assertEqual(self.run_job().status, 0)
        self.assertEqual(self.pager.paths(), ["/heartbeat"])
        summary = self.pager.summary("/heartbeat")
        self.assertEqual({name: summary[name] for name in ("job", "pass", "result", "done", "failed", "parked", "failedItems")},
                         {"job": "told", "pass": 1, "result": 0, "done": 2, "failed": 0, "parked": 0, "failedItems": []})
        self.assertEqual(self.pager.taken[0][1]["Content-Type"], "application/json")
        self.assert_nothing_left()

    def test_one_item_that_was_named_is_no_heartbeat_of_the_batch(self):
        self.job(items=("a", "b"))
        self.assertEqual(self.run_job("--only", "a").status, 0)
        self.assertEqual(self.pager.paths(), [])

    def test_what_fails_or_is_parked_is_told_once_and_names_its_items(self):
        self.job(items=("good", "bad", "lost"))
        self.assertEqual(self.run_job().status, 1)
        self.assertEqual(self.pager.paths(), ["/onFailure", "/onParked"])
        self.assertEqual(self.pager.summary("/onFailure")["failedItems"], ["bad"])
        self.assertEqual(self.pager.summary("/onParked")["parkedItems"], ["lost"])
        self.job(items=("good", "lost"))
        self.assertEqual(self.run_job().status, 1)  # one is parked as before: nobody is paged every minute
        self.assertEqual(self.pager.paths(), ["/onFailure", "/onParked"])

    def test_what_a_killed_run_left_open_and_this_one_settled_is_told(self):
        self.job(script='[ -e second ] || { touch second; exec sleep 60; }')
        text = json.loads((self.root / "job.json").read_text())
        text["steps"][0]["first"].update(idempotent=True, inDoubt=["resend"])
        self.write_job(text)
        self.start_lockstep("run", self.root / "job.json", "--state-dir", self.state)
        wait_until((self.root / "second").exists, "the command")
        self.kill_everything()
        self.assertEqual(self.run_job("--wait", "20s").status, 0)
        self.assertEqual(self.pager.paths(), ["/onRecovered", "/heartbeat"])
        self.assertEqual(self.pager.summary("/onRecovered")["recovered"], 1)

    def test_a_busy_lock_and_a_stop_are_told_to_nobody_and_a_lock_that_cannot_be_made_is(self):
        self.job()
        holder = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(lambda: (self.lock / "record").exists(), "the holder")
        self.assertEqual(self.run_job("--busy-status", "9").status, 9)
        self.assertEqual(self.pager.paths(), [])
        holder.send(signal.SIGTERM)
        self.assertEqual(self.run_job("--lock", self.root / "no" / "such.lock").status, 73)
        self.assertEqual(self.pager.paths(), ["/onFailure"])
        self.assertEqual(self.pager.summary("/onFailure")["result"], 73)

    def test_the_lock_is_free_while_a_notice_hangs_and_the_result_is_the_runs_own(self):
        self.pager.hangs.set()
        job = self.job(heartbeat={"http": {"method": "POST", "url": f"{self.pager.url}/heartbeat"}, "timeout": "1s"})
        process = self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: self.pager.taken, "the notice")
        self.assertFalse(self.lock.exists())
        self.assertEqual(process.wait(), 0)
        self.assertRegex(process.err(), r"warning: heartbeat was not taken: no answer within \S+")

    def test_one_that_fails_is_tried_again_and_one_that_goes_on_failing_changes_no_result(self):
        self.job()
        self.pager.failures = 1
        result = self.run_job()
        self.assertEqual((result.status, self.pager.paths()), (0, ["/heartbeat"] * 2))
        self.assertNotIn("warning", result.err)
        self.pager.failures = 100
        result = self.run_job()
        self.assertEqual((result.status, len(self.pager.paths())), (0, 5))
        self.assertIn("heartbeat was not taken: 503 Service Unavailable", result.err)
        gone = self.job(heartbeat={"command": ["./no-such-program"]})
        result = self.run_job(job=gone)
        self.assertEqual(result.status, 0)
        self.assertIn("heartbeat was not taken", result.err)

    def test_a_stop_is_not_kept_waiting_for_more_than_two_seconds(self):
        self.pager.hangs.set()
        job = self.job(script="touch begun; until [ -e go ]; do sleep 0.01; done",
                       heartbeat={"http": {"method": "POST", "url": f"{self.pager.url}/heartbeat"}, "timeout": "60s"})
        process = self.start_lockstep("loop", job, "--state-dir", self.state)
        wait_until((self.root / "begun").exists, "the command")
        process.send(signal.SIGTERM)
        process.says("signal received")
        before = time.monotonic()
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 0)
        self.assertLess(time.monotonic() - before, 30)  # and not 60 s
        self.assertEqual(self.pager.paths(), ["/heartbeat"])

    def test_a_stop_that_comes_while_a_notice_hangs_ends_it_within_seconds(self):
        self.pager.hangs.set()
        hanging = self.job(heartbeat={"http": {"method": "POST", "url": f"{self.pager.url}/heartbeat"}, "timeout": "60s"}).read_text()
        deaf = self.job(heartbeat={"command": ["sh", "-c", "trap '' TERM; echo >deaf; sleep 60"], "timeout": "60s"}).read_text()
        for job in (hanging, deaf):
            with self.subTest(job=json.loads(job)["heartbeat"]):
                (self.root / "job.json").write_text(job)
                process = self.start_lockstep("loop", self.root / "job.json", "--state-dir", self.state)
                wait_until(lambda: self.pager.taken or (self.root / "deaf").exists(), "the notice")
                before = time.monotonic()
                process.send(signal.SIGTERM)
                self.assertEqual(process.wait(), 0)
                self.assertLess(time.monotonic() - before, 30)  # and not 60 s
                self.pager.taken.clear()
        self.assert_nothing_left()

    def test_a_command_has_the_summary_on_stdin_and_a_get_can_name_its_numbers(self):
        note = {"command": {"argv": ["sh", "-c", 'cat >summary; echo "$1 $TOKEN" >words', "sh", "{$inputs.done} of {$inputs.job}"],
                            "env": {"TOKEN": "{$secrets.token}"}}}
        ping = {"http": {"method": "GET", "url": self.pager.url + "/ping/{$inputs.result}", "query": {"rid": "{$inputs.run}"}}}
        job = json.loads(self.job(heartbeat=note).read_text())
        job["secrets"] = {"token": {"env": "NOTICE_TOKEN"}}
        job["onRecovered"] = ping
        result = self.run_job(job=self.write_job(job), env=self.environment(NOTICE_TOKEN=TOKEN))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(json.loads((self.root / "summary").read_text())["done"], 1)
        self.assertEqual((self.root / "words").read_text(), f"1 of told {TOKEN}\n")
        self.assertEqual(self.pager.paths(), [])
        self.assertNotIn(TOKEN, result.err)
        job["heartbeat"] = ping
        self.assertEqual(self.run_job(job=self.write_job(job), env=self.environment(NOTICE_TOKEN=TOKEN)).status, 0)
        self.assertRegex(self.pager.paths()[0], r"\A/ping/0\?rid=\d{8}T")
        self.assertEqual(self.pager.taken[0][2], "")

    def test_a_loop_tells_of_every_pass(self):
        job = self.job(pause="20ms")
        process = self.start_lockstep("loop", job, "--state-dir", self.state)
        wait_until(lambda: len(self.pager.taken) >= 3, "three heartbeats")
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assertEqual([json.loads(body)["pass"] for _, _, body in self.pager.taken[:3]], [1, 2, 3])

    def test_a_secret_that_is_missing_for_a_while_fails_passes_but_ends_no_loop(self):
        (self.root / "token").write_text("")
        job = json.loads(self.job(pause="20ms", script="echo >>done.log").read_text())
        job["secrets"] = {"token": {"file": "token"}}
        job["steps"][0]["first"]["command"] = {"argv": ["./do.sh"], "env": {"TOKEN": "{$secrets.token}"}}
        process = self.start_lockstep("loop", self.write_job(job), "--state-dir", self.state)
        wait_until(lambda: len(self.pager.taken) >= 2, "two passes that are told to have failed")
        self.assertFalse((self.root / "done.log").exists())
        self.assertFalse(self.lock.exists())
        (self.root / "new").write_text(TOKEN)
        (self.root / "new").rename(self.root / "token")
        wait_until(lambda: "/heartbeat" in self.pager.paths(), "a pass in which all went well")
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        failures = [json.loads(body) for path, _, body in self.pager.taken if path == "/onFailure"]
        missing = f'secret "token" cannot be had: file {self.root}/token: it is empty'
        self.assertEqual({(one["result"], one["because"]) for one in failures}, {(69, missing)})
        self.assertEqual(process.err().count(missing), len(failures), "said once a pass")
        self.assertEqual((self.root / "done.log").read_text(), "\n")

    def test_check_names_what_is_wrong_with_a_notice_and_shows_what_is_right(self):
        shown = self.lockstep("check", self.job())
        self.assertIn("onParked: POST", shown.out)
        wrong = self.lockstep("check", self.job(heartbeat={"http": {"method": "GET", "url": "http://h/{$inputs.dnoe}"}},
                                                onParked={"http": {"method": "GET", "url": "http://h/{$steps.do.first.outputs.x}"}}))
        self.assertEqual(wrong.status, 78)
        self.assertIn('the summary of a pass has no "dnoe"; did you mean "done"?', wrong.out + wrong.err)
        self.assertIn("a notice tells of a whole pass", wrong.out + wrong.err)


if __name__ == "__main__":
    unittest.main()

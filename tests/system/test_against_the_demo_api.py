"""`lockstep run` makes pairs of calls at an API with state, idempotency keys and faults on request."""

import json
import os
import signal
import subprocess
import unittest

from demo_api import DemoApi
from item_jobs import ItemTest
from support import wait_until

ORDERS = 12
TOKEN = "tok-9f1c77e2-secret"


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
            with self.subTest(source=source):
                job = json.loads(self.ship_orders(api).read_text())
                job["secrets"]["token"] = source
                result = self.run_job(self.write_job(job))
                self.assertEqual(result.status, 69, result.err)
                self.assertIn(f'secret "token" cannot be had: {says}', result.err)
                self.assertEqual(api.ledger()["totals"]["orders"], 0)
                self.assertFalse(self.lock.exists())

    def test_a_secret_that_nothing_uses_is_not_asked_for(self):
        self.write("items.ndjson", '{"id": "a"}\n')
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}, secrets={"token": {"env": "NO_SUCH_TOKEN"}}))
        self.assertEqual(result.status, 0, result.err)


if __name__ == "__main__":
    unittest.main()

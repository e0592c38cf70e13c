"""What may have taken effect, or is half done, is neither undone, forgotten nor sent under another key, whatever goes wrong meanwhile."""

import json
import sqlite3
import threading
import unittest

from doubtful_jobs import DoubtTest
from support import PATIENCE, own_address, wait_until
from told_api import Api


class ASecretIsGone(DoubtTest):
    """Its file is being written anew, at the moment at which a call whose answer was lost is to be sent again."""

    def job_that_loses_it_in(self, lost_in):
        token = self.root / "token"
        token.write_text("t")

        def answer(number, path):
            if path != lost_in or token.read_text() == "mended":
                return 201
            token.write_text("")
            return 500

        api = Api(self, answer)
        secret = {"headers": {"Authorization": "Bearer {$secrets.token}"}}
        undo = {"http": {"method": "DELETE", "url": f"{api.url}/first"}, "timeout": "20s"}
        return api, self.job(self.phase(f"{api.url}/first", http=secret, compensate=undo), self.phase(f"{api.url}/second", http=secret),
                             secrets={"token": {"file": "token"}})

    def test_that_refuses_nothing_and_the_next_pass_sends_it_again_under_the_same_key(self):
        for lost_in, calls in (("/first", ["POST /first"] * 2 + ["POST /second"]), ("/second", ["POST /first"] + ["POST /second"] * 2)):
            with self.subTest(phase=lost_in):
                self.state = self.root / f"state{lost_in.replace('/', '-')}"
                api, job = self.job_that_loses_it_in(lost_in)
                result = self.run_job(job)
                self.assertEqual(result.status, 1, result.err)
                self.assertIn("is in doubt: secret \"token\" cannot be had", result.err)
                (self.root / "token").write_text("mended")
                result = self.run_job(job)
                self.assertEqual(result.status, 0, result.err)
                self.assertEqual([call["call"] for call in api.calls], calls, "nothing was undone")
                self.assertEqual(len({call["key"] for call in api.calls}), 2, "one key a phase")

    def test_before_the_second_has_begun_that_undoes_no_first(self):
        token, api = self.api_while_the_secret_is_lost(1)
        undo = {"http": {"method": "DELETE", "url": f"{api.url}/first"}, "timeout": "20s"}
        job = self.job(self.phase(f"{api.url}/first", compensate=undo),
                       self.phase(f"{api.url}/second", http={"headers": {"Authorization": "Bearer {$secrets.token}"}}),
                       secrets={"token": {"file": "token"}})
        result = self.run_job(job)
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("second did not take effect: header Authorization: secret \"token\" cannot be had", result.err)
        token.write_text("mended")
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual([call["call"] for call in api.calls], ["POST /first", "POST /second"])

    def test_before_the_undoing_has_begun_that_asks_for_no_person(self):
        token, api = self.api_while_the_secret_is_lost(2, {2: 400})
        undo = {"http": {"method": "DELETE", "url": f"{api.url}/first", "headers": {"Authorization": "Bearer {$secrets.token}"}}, "timeout": "20s"}
        job = self.job(self.phase(f"{api.url}/first", compensate=undo), self.phase(f"{api.url}/second"), secrets={"token": {"file": "token"}})
        self.assertEqual(self.run_job(job).status, 1)
        token.write_text("mended")
        result = self.run_job(job)
        self.assertEqual([call["call"] for call in api.calls], ["POST /first", "POST /second", "DELETE /first"], result.err)


class ALongOutage(DoubtTest):
    """Whatever was turned away for days has told the API no key: its memory of it begins when something may take effect."""

    def hours_go_by(self, hours):
        with sqlite3.connect(self.state / "pay.sqlite3") as database:
            database.execute(f"UPDATE pairs SET phase_begun_ms = phase_begun_ms - {hours * 3_600_000}")

    def test_an_answer_that_is_lost_after_it_is_asked_for_again(self):
        api = Api(self, lambda number, _: {1: 429, 2: 500}.get(number, 201))
        job = self.job(self.phase(api.url, idempotencyKey={"retention": "24h"}, retry={"maxAttempts": 1}))
        self.assertIn("first did not take effect: 429", self.run_job(job).err)
        self.hours_go_by(25)
        self.assertIn("first is in doubt: 500", self.run_job(job).err)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(len({call["key"] for call in api.calls}), 1)

    def test_a_resend_does_not_begin_it_anew(self):
        api = Api(self, lambda number, _: 500)
        job = self.job(self.phase(api.url, idempotencyKey={"retention": "24h"}, retry={"maxAttempts": 1}))
        for hours in (13, 13):
            self.assertIn("first is in doubt: 500", self.run_job(job).err)
            self.hours_go_by(hours)
        self.assertIn("is parked", self.run_job(job).err)
        self.assertEqual(len(api.calls), 2)

    def test_a_clock_that_was_set_back_does_not_make_a_key_last_longer(self):
        api = Api(self, lambda number, _: 500)
        job = self.job(self.phase(api.url, idempotencyKey={"retention": "24h"}, retry={"maxAttempts": 1}))
        self.assertIn("first is in doubt: 500", self.run_job(job).err)
        self.hours_go_by(-48)
        self.assertIn("is parked", self.run_job(job).err)
        self.assertEqual(len(api.calls), 1)

    def test_a_clock_that_was_set_back_keeps_no_unclear_probe_from_being_parked(self):
        api = Api(self, lambda number, _: 500)
        probe = {"http": {"method": "GET", "url": api.url}, "applied": "$statusCode == 200", "settle": "1ms", "timeout": "20s"}
        job = self.job(self.phase(api.url, inDoubt=["probe"], probe=probe, retry={"maxAttempts": 1}))
        self.assertIn("first is in doubt: 500", self.run_job(job).err)
        self.hours_go_by(-48)
        self.assertIn("is parked", self.run_job(job).err)

    def test_while_nobody_can_be_reached_no_pass_counts_against_what_is_in_doubt(self):
        place = (own_address(), 9001)
        api = Api(self, lambda number, _: 500, at=place)
        job = self.job(self.phase(api.url, retry={"maxAttempts": 1}), maxPairAttempts=2)
        self.assertIn("first is in doubt: 500", self.run_job(job).err)
        api.stop()
        for _ in range(4):
            self.assertIn("first is in doubt: Failed to connect", self.run_job(job).err)
        api = Api(self, lambda number, _: 201, at=place)
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(len(api.calls), 1)

    def test_while_only_a_probe_is_asked_that_reaches_nobody_no_pass_counts_either(self):
        api = Api(self, lambda number, _: 500)
        gone = Api(self, lambda number, _: 500)
        gone.stop()
        probe = {"http": {"method": "GET", "url": gone.url}, "applied": "$statusCode == 200", "settle": "1ms", "timeout": "20s"}
        job = self.job(self.phase(api.url, inDoubt=["probe", "park"], probe=probe, retry={"maxAttempts": 1}), maxPairAttempts=2)
        for _ in range(5):
            result = self.run_job(job)
            self.assertIn("first is in doubt: 500", result.err)
        with sqlite3.connect(self.state / "pay.sqlite3") as database:
            self.assertEqual(database.execute("SELECT pair_attempts FROM pairs").fetchall(), [(1,)], "the pass that sent it")
        self.assertEqual(len(api.calls), 1)

    def test_one_that_may_have_brought_the_api_down_is_not_sent_for_ever(self):
        place = (own_address(), 9001)
        sent = []

        def answer(number, _):
            sent.append(number)
            threading.Thread(target=api.stop).start()
            return None

        for _ in range(3):
            api = Api(self, answer, at=place)
            job = self.job(self.phase(api.url, timeout="300ms", retry={"maxAttempts": 2, "initialInterval": "1ms"}), maxPairAttempts=2)
            result = self.run_job(job)
            api.stop()
        self.assertIn("is parked", result.err)
        self.assertEqual(len(sent), 2)

    def test_the_undoing_is_not_given_up_in_the_pass_that_gave_up_the_second(self):
        answers = {"/first": 201, "/second": 429, "/undo": 429}
        api = Api(self, lambda _, path: answers[path])
        once = {"retry": {"maxAttempts": 1}}
        undo = {"http": {"method": "DELETE", "url": f"{api.url}/undo"}, "timeout": "20s", **once}
        job = self.job(self.phase(f"{api.url}/first", compensate=undo), self.phase(f"{api.url}/second", **once), maxPairAttempts=2)
        self.run_job(job)
        result = self.run_job(job)
        self.assertIn("compensate did not take effect: 429", result.err)
        self.assertIn("1 half done", result.err)
        answers["/undo"] = 204
        self.assertIn("first undone by compensate", self.run_job(job).err)
        self.assertEqual([call["call"] for call in api.calls], ["POST /first", "POST /second", "POST /second", "DELETE /undo", "DELETE /undo"])


class BetweenTwoSteps(DoubtTest):
    """The source is a queue: what has been through the first step is listed no longer."""

    def job_of_two_steps(self, answers):
        api = Api(self, lambda _, path: answers.get(path, 201))
        once = {"retry": {"maxAttempts": 1}}
        job = json.loads(self.job(self.phase(f"{api.url}/first")).read_text())
        job["steps"].append({"step": "ship", "first": self.phase(f"{api.url}/ship", **once)})
        return api, self.write_job(dict(job, maxPairAttempts=5))

    def test_a_step_that_was_turned_away_is_tried_again_until_it_is_done(self):
        answers = {"/ship": 429}
        api, job = self.job_of_two_steps(answers)
        self.assertIn("ship first did not take effect", self.run_job(job).err)
        (self.root / "items.ndjson").write_text("")
        result = self.run_job(job)
        self.assertIn("ship first did not take effect", result.err)
        self.assertNotIn("of an earlier run settled", result.err)
        answers.clear()
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("done 1, failed 0", result.err)
        self.assertEqual([call["call"] for call in api.calls], ["POST /first"] + ["POST /ship"] * 3)
        self.assertIn("done 0, failed 0", self.run_job(job).err)

    def test_while_it_waits_and_once_it_is_parked_no_pass_is_a_success(self):
        answers = {"/ship": 429}
        api, job = self.job_of_two_steps(answers)
        self.run_job(job)
        (self.root / "items.ndjson").write_text("")
        for said in ("failed 1", "failed 1", "failed 1"):
            self.assertIn(said, self.run_job(job).err)
        self.assertEqual(len(api.calls), 4, "the fourth time it waits")
        for _ in range(3):
            result = self.run_job(job, "--only", "i1")
        self.assertEqual(result.status, 1)
        self.assertIn("parked 1", result.err)

    def test_one_that_a_person_knows_was_not_applied_is_tried_again(self):
        answers = {"/ship": 500}
        api, job = self.job_of_two_steps(answers)
        text = json.loads(job.read_text())
        text["steps"][1]["first"]["inDoubt"] = ["park"]
        self.assertIn("parked 1", self.run_job(self.write_job(text)).err)
        (self.root / "items.ndjson").write_text("")
        decided = self.lockstep("resolve", job, "i1", "--not-applied", "--state-dir", self.state)
        self.assertEqual((decided.status, decided.out), (0, "applied: now first-not-applied; the next pass tries it again\n"))
        answers.clear()
        self.assertIn("done 1, failed 0", self.run_job(job).err)
        self.assertEqual([call["call"] for call in api.calls], ["POST /first"] + ["POST /ship"] * 2)

    def test_one_whose_secret_is_gone_for_the_moment_is_begun_by_a_later_pass(self):
        for phase in ("first", "second"):
            with self.subTest(lost_for=phase):
                self.state = self.root / f"state-{phase}"
                token, api = self.api_while_the_secret_is_lost(1)
                ship = {each: self.phase(f"{api.url}/{each}") for each in ("first", "second")}
                ship[phase]["http"]["headers"] = {"Authorization": "Bearer {$secrets.token}"}
                job = json.loads(self.job(self.phase(f"{api.url}/pay")).read_text())
                job = self.write_job(dict(job, steps=job["steps"] + [{"step": "ship", **ship}], secrets={"token": {"file": "token"}}))
                self.assertIn("ship was not begun", self.run_job(job).err)
                (self.root / "items.ndjson").write_text("")
                token.write_text("mended")
                result = self.run_job(job)
                self.assertIn("done 1, failed 0", result.err)
                self.assertEqual([call["call"] for call in api.calls], ["POST /pay", "POST /first", "POST /second"])

    def test_one_that_was_refused_has_ended(self):
        api, job = self.job_of_two_steps({"/ship": 400})
        self.assertIn("ship first refused", self.run_job(job).err)
        (self.root / "items.ndjson").write_text("")
        self.assertIn("done 0, failed 0", self.run_job(job).err)
        self.assertEqual(len(api.calls), 2)


class ManyAreLeftInDoubt(DoubtTest):
    def test_they_are_settled_as_many_at_a_time_as_may_be_in_flight(self):
        many = 4
        together = threading.Barrier(many)
        calls = []

        def answer(number, _):
            calls.append(number)
            if number <= many:
                return None
            together.wait(PATIENCE)
            return 201

        api = Api(self, answer)
        job = self.job(self.phase(api.url, timeout="60s", deadline="60s"), maxConcurrency=many)
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "i{n}"}}\n' for n in range(many)))
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until(lambda: len(calls) == many, "all calls in flight")
        self.kill_everything()
        result = self.run_job(job)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn(f"{many} of an earlier run settled", result.err)
        self.assertEqual(len({call["key"] for call in api.calls}), many)
        self.assertEqual(len(api.calls), 2 * many)

    def test_something_in_front_of_the_api_that_knows_no_such_place_refuses_nothing(self):
        for status in (404, 405, 410):
            with self.subTest(status=status):
                self.state = self.root / f"state {status}"
                api = Api(self, lambda number, _, status=status: {2: 500, 3: status}.get(number, 201))
                undo = {"http": {"method": "DELETE", "url": f"{api.url}/first"}, "timeout": "20s"}
                job = self.job(self.phase(f"{api.url}/first", compensate=undo), self.phase(f"{api.url}/second"))
                self.assertIn("second is in doubt", self.run_job(job).err)
                result = self.run_job(job)
                self.assertEqual(result.status, 0, result.err)
                self.assertEqual([call["call"] for call in api.calls], ["POST /first"] + ["POST /second"] * 3, "nothing was undone")


class AProxy(DoubtTest):
    def test_takes_the_calls_whose_phase_names_it_and_the_environments_takes_none(self):
        proxy, api = Api(self, lambda number, _: 201), Api(self, lambda number, _: 201)
        job = self.job(self.phase("http://api.invalid/first", http={"proxy": proxy.url}), self.phase(f"{api.url}/second"))
        self.assertIn(f" -x {proxy.url} ", self.run_job(job, "--dry-run").out)
        result = self.run_job(job, env=self.environment(http_proxy="http://127.0.0.1:9", no_proxy="*"))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual([call["call"] for call in proxy.calls], ["POST http://api.invalid/first"])
        self.assertEqual([call["call"] for call in api.calls], ["POST /second"])

    def test_that_makes_no_tunnel_has_passed_nothing_on(self):
        proxy = Api(self, lambda number, _: 201)  # which knows no CONNECT
        job = self.job(self.phase("https://api.invalid/first", http={"proxy": proxy.url}))
        self.assertIn("first did not take effect", self.run_job(job).err)


class AFileHasChanged(DoubtTest):
    """Under the same key only the same request may go out once more, and the journal does not keep what a file held."""

    def job_that_sends(self, name, api, **body):
        http = {"method": "POST", "url": api.url, **body}
        return self.job({"http": http, "timeout": "20s", "idempotencyKey": {}, "retry": {"maxAttempts": 1}}, job=name, lock=f"{self.lock}.{name}")

    def test_one_that_was_written_anew_is_not_sent_again(self):
        for name, body in (("whole", {"bodyFile": "label.pdf"}), ("part", {"multipart": [{"name": "label", "file": "label.pdf"}]})):
            with self.subTest(body=body):
                api = Api(self, lambda number, _: 500)
                label = self.root / "label.pdf"
                label.write_text("%PDF one")
                job = self.job_that_sends(name, api, **body)
                self.assertIn("first is in doubt: 500", self.run_job(job).err)
                self.assertIn("first is in doubt: 500", self.run_job(job).err)
                self.assertEqual(len(api.calls), 2, "the same file is sent again")
                label.write_text("%PDF two!")
                result = self.run_job(job)
                self.assertIn("is parked", result.err)
                self.assertIn(f"not sent again: {label} is not what it was when it was sent", result.err)
                self.assertEqual(len(api.calls), 2)


    def written_anew_in_the_pause_after(self, status):
        """The first call is answered so; the second 500, the third 201."""
        api = Api(self, lambda number, _: {1: status, 2: 500}.get(number, 201))
        label = self.root / "label.pdf"
        label.write_text("%PDF one")
        http = {"method": "POST", "url": api.url, "bodyFile": "label.pdf"}
        retry = {"maxAttempts": 3, "initialInterval": "3s", "backoffRate": 1, "jitter": "none"}
        job = self.job({"http": http, "timeout": "20s", "idempotencyKey": {}, "deadline": "60s", "retry": retry})
        run = self.start_lockstep("run", job, "--state-dir", self.state)
        run.says("again in")
        label.write_text("%PDF two!")
        return run.wait(), run.err(), [call["body"] for call in api.calls]

    def test_one_that_is_written_anew_in_the_pause_before_the_resend_is_not_sent(self):
        status, said, sent = self.written_anew_in_the_pause_after(500)
        self.assertEqual((status, sent), (1, [b"%PDF one"]), said)
        self.assertIn(f"not sent again: {self.root}/label.pdf is not what it was when it was sent", said)

    def test_one_that_is_mended_before_it_is_sent_at_all_is_what_it_was_when_it_was_sent(self):
        status, said, sent = self.written_anew_in_the_pause_after(429)
        self.assertEqual((status, sent), (0, [b"%PDF one", b"%PDF two!", b"%PDF two!"]), said)


class AFileIsGone(DoubtTest):
    """Whoever would have been sent it is not to blame, and may well be there."""

    def test_that_is_the_items_own_affair_and_no_outage(self):
        api = Api(self, lambda number, _: 201)
        send = {"http": {"method": "PUT", "url": api.url, "bodyFile": "{$inputs.id}.pdf"}, "timeout": "20s", "retry": {"maxAttempts": 1}}
        job = self.job(send, maxPairAttempts=2)
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "i{n}"}}\n' for n in range(8)))
        (self.root / "i7.pdf").write_text("%PDF")
        result = self.run_job(job)
        self.assertIn("done 1, failed 7, parked 0, left 0", result.err)
        for said in ("failed 7", "parked 7"):
            self.assertIn(said, self.run_job(job).err)


if __name__ == "__main__":
    unittest.main()

"""Where a job's items come from, and what is said of those that are none."""

import json
import re
import signal
import subprocess
import unittest

from demo_api import DemoApi
from item_jobs import ItemTest


class Items(ItemTest):
    def test_ndjson_csv_command_and_stdin_give_the_same_items(self):
        self.write("items.ndjson", '{"id": "a"}\n{"id": "b"}\n\n{"id": "c"}\n')
        self.write("items.csv", 'id,name\r\na,"x, y"\r\nb,"two\r\nlines"\r\nc,\r\n')
        for number, items in enumerate(({"ndjson": "items.ndjson"}, {"csv": "items.csv"},
                                        {"command": ["cat", "items.ndjson"], "timeout": "20s"}, {"ndjson": "-"})):
            with self.subTest(items=items):
                (self.root / "done.log").unlink(missing_ok=True)
                with open(self.root / "items.ndjson", "rb") as stdin:
                    result = self.run_job(self.job_over(items, name=f"items{number}"), stdin=stdin)
                self.assertEqual(result.status, 0, result.err)
                self.assertEqual(self.noted(), ["a", "b", "c"])
                self.assertIn("done 3, failed 0, parked 0, left 0 in", result.err)
        self.assert_nothing_left()

    def test_a_loop_over_stdin_is_refused_for_it_would_find_all_done_from_its_second_pass_on(self):
        self.write("items.ndjson", '{"id": "a"}\n')
        with open(self.root / "items.ndjson", "rb") as stdin:
            loop = self.start_lockstep("loop", self.job_over({"ndjson": "-"}), "--every", "1s", "--state-dir", self.state, stdin=stdin)
            self.assertEqual(loop.wait(), 64)
        self.assertIn("the items come from stdin, which is there for one pass only: use run", loop.err())
        self.assertEqual(self.noted(), [])

    def test_whoever_waits_for_stdin_does_not_keep_a_run_from_ending_whose_lock_is_lost(self):
        job = self.job_over({"ndjson": "-"}, script=f'#!/bin/sh\nrm -r {self.lock}\necho "$1" >>done.log\n', maxConcurrency=2)
        text = json.loads(job.read_text())
        text["steps"][0]["second"] = self.command("./note.sh", "{$inputs.id}")
        run = self.start_lockstep("run", self.write_job(text), "--state-dir", self.state, stdin=subprocess.PIPE)
        run.popen.stdin.write(b'{"id": "a"}\n')
        run.popen.stdin.flush()
        self.assertEqual(run.wait(), 73, "with a writer that has not closed it")
        run.popen.stdin.close()
        self.assertEqual(self.noted(), ["a"])

    def test_a_paged_get_gives_items(self):
        api = DemoApi(self)
        job = self.job_over({"http": {"method": "GET", "url": f"{api.url}/orders", "query": {"count": "12", "size": "5"}},
                             "select": "$response.body#/data", "next": "$response.body#/next", "key": "{$inputs.orderId}"})
        text = json.loads(job.read_text())
        text["steps"][0]["first"]["command"] = ["./note.sh", "{$inputs.orderId}"]
        result = self.run_job(self.write_job(text))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.noted(), [f"o{n}" for n in range(1, 13)])

    def test_a_bad_line_is_named_and_the_others_go_on(self):
        self.write("items.ndjson", '{"id": "a"}\n{"id": \n{"name": "no id"}\n{"id": "a"}\n[1]\n{"id": "b"}\n')
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}))
        self.assertEqual(result.status, 1)
        self.assertEqual(self.noted(), ["a", "b"])
        for line in (2, 3, 4, 5):
            self.assertRegex(result.err, rf"items\.ndjson:{line}\b", f"line {line} is not named")
        self.assertIn("done 2, failed 4", result.err)
        self.assert_nothing_left()

    def test_items_that_cannot_be_had_are_69(self):
        result = self.run_job(self.job_over({"ndjson": "nowhere.ndjson"}))
        self.assertEqual(result.status, 69, result.err)
        self.assertIn("nowhere.ndjson", result.err)
        failing = self.run_job(self.job_over({"command": ["sh", "-c", "echo cannot >&2; exit 4"], "timeout": "5s"}))
        self.assertEqual(failing.status, 69, failing.err)
        self.assert_nothing_left()

    def test_done_items_are_skipped_by_the_next_run_and_new_ones_done(self):
        items = self.write("items.ndjson", '{"id": "a"}\n{"id": "b"}\n')
        job = self.job_over({"ndjson": "items.ndjson"})
        self.assertEqual(self.run_job(job).status, 0)
        items.write_text(items.read_text() + '{"id": "c"}\n')
        again = self.run_job(job)
        self.assertEqual(again.status, 0)
        self.assertIn("2 done before", again.err)
        self.assertEqual(self.noted(), ["a", "b", "c"])

    def test_only_carries_out_one_item(self):
        self.write("items.ndjson", '{"id": "a"}\n{"id": "b"}\n')
        job = self.job_over({"ndjson": "items.ndjson"})
        self.assertEqual(self.run_job(job, "--only", "b").status, 0)
        self.assertEqual(self.noted(), ["b"])
        missing = self.run_job(job, "--only", "zz")
        self.assertEqual(missing.status, 69, missing.err)
        self.assertIn('"zz"', missing.err)

    def test_a_dry_run_shows_what_a_run_would_do_now(self):
        step = {"step": "pay", "first": self.command("sh", "-c", "! grep -q $$1 refused", "sh", "{$inputs.id}", refusedStatus=[1])}
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step],
                              "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}})
        (self.root / "items.ndjson").write_text('{"id": "a"}\n{"id": "b"}\n')
        (self.root / "refused").write_text("b\n")
        key = re.compile(r"LOCKSTEP_IDEMPOTENCY_KEY=(\w+)")
        before = self.run_job(job, "--dry-run").out
        self.assertEqual(len(key.findall(before)), 2, before)
        self.assertEqual(self.run_job(job).status, 1)
        after = self.run_job(job, "--dry-run").out
        self.assertRegex(after, r"\A# b\n.+\n# 1 done before\n\Z")
        [again] = key.findall(after)
        self.assertNotIn(again, before, "a refusal is replayed under its key, so that the next attempt has another")

    def test_a_dry_run_says_like_a_real_one_that_no_item_has_the_key(self):
        self.write("in.ndjson", '{"id":"a"}\n{"id":"b"}\n')
        job = self.job_over({"ndjson": "in.ndjson"})
        missing = self.run_job(job, "--dry-run", "--only", "zz")
        self.assertEqual((missing.status, missing.out, missing.err), (69, "", 'lockstep: items: no item has the key "zz"\n'))
        self.assertEqual(self.run_job(job, "--dry-run", "--only", "b").status, 0)

    def test_failed_items_do_not_stop_the_others_until_there_are_too_many(self):
        self.write("items.ndjson", "".join(f'{{"id": "i{n}"}}\n' for n in range(8)))
        script = '#!/bin/sh\necho "$1" >>done.log\nexit 3\n'
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}, script))
        self.assertEqual((result.status, len(self.noted())), (1, 8), result.err)
        self.assertIn("failed 8", result.err)
        (self.root / "done.log").unlink()
        limited = self.run_job(self.job_over({"ndjson": "items.ndjson"}, script, name="limited", toleratedFailureCount=2))
        self.assertEqual((limited.status, len(self.noted())), (1, 3), limited.err)

    def test_a_refused_item_is_tried_again_by_the_next_run(self):
        self.write("items.ndjson", '{"id": "a"}\n')
        script = '#!/bin/sh\necho "$1" >>done.log\ntest -e ready || exit 3\n'
        job = self.job_over({"ndjson": "items.ndjson"}, script)
        self.assertEqual(self.run_job(job).status, 1)
        self.write("ready", "")
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.noted(), ["a", "a"])

    def test_max_concurrency_pairs_are_in_flight(self):
        self.write("items.ndjson", "".join(f'{{"id": "i{n}"}}\n' for n in range(4)))
        # Each waits for all four to be there at once: one at a time would never end.
        script = ('#!/bin/sh\ntouch "here.$1"\nn=0\nuntil [ -e here.i0 ] && [ -e here.i1 ] && [ -e here.i2 ] && [ -e here.i3 ]; do\n'
                  '    n=$((n+1)); [ $n -gt 900 ] && exit 3; sleep 0.02\ndone\n')
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}, script), "--max-concurrency", "4")
        self.assertEqual(result.status, 0, result.err)
        self.assert_nothing_left()

    def test_a_section_of_an_item_is_not_divided_by_a_stop_but_single_steps_are(self):
        for section, expected in (("item", 6), ("step", 2)):
            with self.subTest(section=section):
                self.story_file.unlink(missing_ok=True)
                self.write_proc()
                let_go = self.hold_story(1)
                steps = [{"step": f"s{n}", "first": self.command("./proc.sh", n, "0")} for n in (1, 2, 3)]
                job = self.write_job({"lockstep": 1, "job": f"section-{section}", "lock": str(self.lock), "key": "k",
                                      "section": section, "steps": steps})
                process = self.start_lockstep("run", job, "--state-dir", self.state)
                self.wait_for_story(1)
                process.send(signal.SIGTERM)
                process.says("signal received")
                let_go()
                status = process.wait()
                self.assertEqual((len(self.story()), status), (expected, 0 if section == "item" else 75), process.err())
                self.assert_nothing_left()

    def test_nor_does_a_stop_divide_it_in_the_pause_before_a_later_step_is_tried_again(self):
        self.write("note.sh", '#!/bin/sh\necho "$1" >>done.log\ntest "$1" = one || ! mkdir tried 2>/dev/null || exit 9\n').chmod(0o755)
        retry = {"maxAttempts": 2, "initialInterval": "2s", "jitter": "none"}
        for section, expected in (("item", ["one", "two", "two"]), ("step", ["one", "two"])):
            with self.subTest(section=section):
                (self.root / "done.log").unlink(missing_ok=True)
                steps = [{"step": "one", "first": self.command("./note.sh", "one")},
                         {"step": "two", "first": self.command("./note.sh", "two", notAppliedStatus=[9], retry=retry)}]
                job = self.write_job({"lockstep": 1, "job": f"pause-{section}", "lock": str(self.lock), "key": "k",
                                      "section": section, "steps": steps})
                process = self.start_lockstep("run", job, "--state-dir", self.state)
                process.says("again in")
                process.send(signal.SIGTERM)
                status = process.wait()
                (self.root / "tried").rmdir()
                self.assertIn("signal received", process.err())
                self.assertEqual((self.noted(), status), (expected, 0 if section == "item" else 75), process.err())
                self.assert_nothing_left()


class HostileKeys(ItemTest):
    KEY = "a\nrun=FAKE\n\x1b[31m"
    SHOWN = "a\\nrun=FAKE\\n\\x1b[31m"

    def run_with(self, mode):
        self.write("mode", mode)
        result = self.run_job(self.job, "--log-level", "debug")
        self.assertNotIn("\x1b", result.err)
        self.assertEqual([line for line in result.err.splitlines() if line.startswith("run=")], [])
        return result.err

    def test_no_line_of_the_log_is_forged_by_a_key_however_its_item_fares(self):
        self.write("items.ndjson", json.dumps({"id": self.KEY}) + "\n")
        ends = {"notAppliedStatus": [9], "refusedStatus": [3], "retry": {"maxAttempts": 2, "initialInterval": "1ms"}}
        self.job = self.write_job({
            "lockstep": 1, "job": "hostile", "lock": str(self.lock), "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
            "steps": [{"step": "s", "first": self.command("sh", "-c", "grep -q first mode && exit $(sed s/first// mode); true", **ends),
                       "second": self.command("sh", "-c", "grep -q second mode && exit $(sed s/second// mode); true", **ends)}]})
        for mode, words in (("first9", [" s first: exit status 9", ": s first did not take effect"]), ("first3", [": s first refused"]),
                            ("first1", [": s is parked"]), ("second9", [": s second did not take effect"]),
                            ("", [": s, begun by run", ": s is done now"])):
            with self.subTest(mode=mode):
                err = self.run_with(mode)
                for each in words:
                    self.assertIn(self.SHOWN + each, err)
                if mode == "first1":
                    self.assertEqual(self.lockstep("resolve", "--state-dir", self.state, self.job, self.KEY, "--again").status, 0)

    def test_in_a_line_of_json_the_key_stands_as_it_is(self):
        self.write("items.ndjson", json.dumps({"id": self.KEY}) + "\n")
        result = self.run_job(self.job_over({"ndjson": "items.ndjson"}, script="#!/bin/sh\nexit 3\n"), "--log-format", "json")
        self.assertIn(self.KEY, [json.loads(line).get("item") for line in result.err.splitlines()])


if __name__ == "__main__":
    unittest.main()

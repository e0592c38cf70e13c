"""A journal that cannot be had: exit status 74, a word on what is wrong and what to do, and no effect. What it forgets, and when."""

import datetime
import fcntl
import json
import os
import re
import shutil
import sqlite3
import unittest

from old_journals import make_older
from support import LOCKSTEP, SystemTest, as_root, wait_until

# A journal as the first lockstep wrote it: two items are done, one was begun.
VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE definitions (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE pairs (
    id INTEGER PRIMARY KEY, item_key TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, unfinished INTEGER NOT NULL,
    generation INTEGER NOT NULL, attempt INTEGER NOT NULL, pair_attempts INTEGER NOT NULL, item TEXT NOT NULL,
    definition_id INTEGER NOT NULL REFERENCES definitions (id), request TEXT NOT NULL, outputs TEXT NOT NULL,
    reason TEXT NOT NULL, run_id TEXT NOT NULL, begun_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
    UNIQUE (item_key, step)) STRICT;
CREATE INDEX unfinished_pairs ON pairs (begun_ms, id) WHERE unfinished = 1;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY NOT NULL, started_ms INTEGER NOT NULL, guardian_pid INTEGER NOT NULL, host TEXT NOT NULL,
    command TEXT NOT NULL) STRICT;
CREATE TABLE passes (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (run_id), pass INTEGER NOT NULL, begun_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL, done INTEGER NOT NULL, failed INTEGER NOT NULL, parked INTEGER NOT NULL,
    left_over INTEGER NOT NULL, skipped INTEGER NOT NULL, open INTEGER NOT NULL, ended_because TEXT NOT NULL) STRICT;
INSERT INTO definitions VALUES (1, '{"step": {"step": "pay", "first": {"command": ["sh", "-c", "echo first >>effects.log"], "timeout": "20s",
    "inDoubt": ["park"]}}, "params": {}, "secrets": {}, "directory": "/", "maxPairAttempts": 10, "parkAfter": "1d"}');
INSERT INTO pairs VALUES (1, 'i0', 'pay', 'done', 0, 0, 1, 1, '{"id": "i0"}', 1, '{}', '', '0', '20251120T100000Z-00000001', 1, 2),
    (2, 'i1', 'pay', 'done', 0, 0, 1, 1, '{"id": "i1"}', 1, '{}', '', '0', '20251120T100000Z-00000001', 1, 2),
    (3, 'i2', 'pay', 'first-begun', 1, 0, 1, 1, '{"id": "i2"}', 1, '{"argv": ["sh", "-c", "echo first >>effects.log"]}', '', '',
     '20251120T100000Z-00000001', 1, 2);
INSERT INTO runs SELECT '20251120T100000Z-00000001', CAST(strftime('%s') AS INTEGER) * 1000, 1, 'h', 'run';
INSERT INTO passes SELECT 1, run_id, 1, started_ms, started_ms, 2, 0, 0, 0, 0, 1, 'stopped' FROM runs;
PRAGMA application_id = 0x6c736a6c;
PRAGMA user_version = 1;
"""

class JournalTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.state.mkdir(mode=0o700)
        self.file = self.state / "pay.sqlite3"

    def job(self, items=("i1",), **more):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "{key}"}}\n' for key in items))
        steps = [{"step": "pay", "first": self.command("sh", "-c", "echo first >>effects.log"),
                  "second": self.command("sh", "-c", "echo second >>effects.log")}]
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": steps,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    def effects(self):
        path = self.root / "effects.log"
        return path.read_text().splitlines() if path.exists() else []

    def used_journal(self, items=40):
        """A journal in which many items are done."""
        result = self.run_job(self.job([f"i{n}" for n in range(items)]))
        self.assertEqual(result.status, 0, result.err)
        (self.root / "effects.log").unlink()

    def sql(self, *statements):
        with sqlite3.connect(self.file) as database:
            rows = [database.execute(*statement) if isinstance(statement, tuple) else database.execute(statement)
                    for statement in statements][-1].fetchall()
        database.close()
        return rows

    def assert_refused(self, result, *words):
        self.assertEqual(result.status, 74, result.err)
        errors = [line for line in result.err.splitlines() if "error" in line]
        self.assertEqual(len(errors), 1, f"one error, once: {result.err}")
        for word in (str(self.file), *words):
            self.assertIn(word, errors[0])
        self.assertEqual(self.effects(), [], "nothing may be done that cannot be journalled first")
        self.assert_nothing_left()

    def refused(self, *words):
        # An item that is new to the journal, so that there would be something to do.
        self.assert_refused(self.run_job(self.job(["new"])), *words)


class CannotBeHad(JournalTest):
    def test_no_database(self):
        self.file.write_bytes(b"this is no database, and was not made by lockstep\n" * 100)
        before = self.file.read_bytes()
        self.refused("not an SQLite database", "move it away", "--state-dir")
        self.assertEqual(self.file.read_bytes(), before)

    def test_another_programs_database(self):
        self.sql("CREATE TABLE letters (text)", "INSERT INTO letters VALUES ('dear')")
        before = self.file.read_bytes()
        self.refused("belongs to another program", "move it away")
        self.assertEqual(self.file.read_bytes(), before)

    def test_a_newer_locksteps(self):
        self.used_journal(1)
        self.sql("PRAGMA user_version = 99")
        self.refused("written by a newer lockstep", "schema version 99", "use that one")

    def test_that_of_another_job(self):
        self.used_journal(1)
        self.file = shutil.copy(self.file, self.state / "other.sqlite3")
        job = json.loads(self.job(["new"]).read_text())
        (self.root / "other.json").write_text(json.dumps(job | {"job": "other"}))
        self.assert_refused(self.run_job(self.root / "other.json"), "it is the journal of the job pay, not of other", "move it away")

    def test_truncated(self):
        self.used_journal()
        os.truncate(self.file, os.path.getsize(self.file) // 2 // 4096 * 4096)
        self.refused("the file is damaged", "keep a copy", ".recover")

    def test_damaged_inside(self):
        self.used_journal()
        with open(self.file, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (os.path.getsize(self.file) - 4096))
        self.refused("the file is damaged", "keep a copy", ".recover")

    def test_a_table_that_is_missing_is_named_with_what_to_do(self):
        self.used_journal(1)
        self.sql("ALTER TABLE pairs RENAME TO lost")
        self.refused("damaged, or not as lockstep made it", "no such table", "pairs", "keep a copy")
        self.assertIn("no such table: pairs", self.lockstep("status", "pay", "--state-dir", self.state).err)

    def test_a_journal_behind_a_symbolic_link_is_neither_read_nor_decided_in(self):
        self.used_journal(1)
        elsewhere = self.root / "elsewhere.sqlite3"
        self.file.rename(elsewhere)
        self.file.symlink_to(elsewhere)
        before = elsewhere.read_bytes()
        self.refused("symbolic link")
        for command in (["status", "pay"], ["history", "pay"], ["resolve", "pay", "i0", "--again"]):
            result = self.lockstep(*command, "--state-dir", self.state)
            self.assertEqual(result.status, 74, result.err)
            self.assertIn("symbolic link", result.err)
        self.assertEqual(elsewhere.read_bytes(), before)

    def test_a_write_ahead_log_that_is_no_log_is_not_taken_for_one(self):
        self.used_journal(1)
        (self.state / "pay.sqlite3-wal").write_bytes(b"\xff" * 8192)
        result = self.run_job(self.job(["new"]))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.effects(), ["first", "second"])

    @as_root
    def test_read_only_for_its_user(self):
        self.used_journal(1)
        shutil.copy(LOCKSTEP, self.root / "lockstep")
        shutil.copy(f"{LOCKSTEP}-job", self.root / "lockstep-job")
        job = self.job(["new"])
        for path in (self.root, self.state, self.temporary, *self.root.iterdir(), *self.state.iterdir()):
            os.chown(path, 65534, 65534)
        self.file.chmod(0o400)
        self.assert_refused(self.run_to_end(self.root / "lockstep", "run", job, "--state-dir", self.state, user=65534, group=65534,
                                            extra_groups=[]), "Permission denied")

    @as_root
    def test_on_a_read_only_file_system(self):
        self.used_journal(1)
        script = 'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2" || exit 99; exec "$0" run "$1" --state-dir "$2"'
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, self.job(["new"]), self.state)
        self.assertEqual(result.status, 74, result.err)
        self.assertIn("Read-only file system", result.err)
        self.assertEqual(self.effects(), [])

    @as_root
    def test_a_full_disk_ends_the_run_before_the_effect_and_the_next_run_does_the_rest(self):
        job = self.job([f"i{n}" for n in range(400)])
        script = """
            mount -t tmpfs -o size=600k,mode=0700 none "$2" || exit 99
            "$0" run "$1" --state-dir "$2"; echo "status $?"
            cp effects.log effects.before
            mount -o remount,size=16m "$2"
            "$0" run "$1" --state-dir "$2"; echo "status $?"
        """
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, job, self.state, deadline=120)
        self.assertEqual(result.out.split("\n")[:2], ["status 74", "status 1"], result.err)
        self.assertIn("no room is left on the device", result.err)
        self.assertIn("free some, then start again", result.err)
        # The pair in hand when the disk was full was in doubt, and may only be parked: nothing was done twice, nothing left out.
        self.assertIn("parked 1", result.err)
        self.assertGreater(len((self.root / "effects.before").read_text().splitlines()), 20)
        effects = self.effects()
        self.assertIn(len(effects), (798, 799, 800), "none twice, and all but those of the one that waits for a person")

    @as_root
    def test_a_full_disk_is_told_with_how_many_pairs_it_left_half_done(self):
        numbers = r"done (\d+), failed 0, parked (\d+), left (\d+)(?: or more)? in [\d.]+s(?:; (\d+) done before)?(?:; \d+ of an earlier run settled)?(?:; (\d+) half done)?"
        # Its size decides which write is the first to find no room.
        for workers, size in ((1, 600), (1, 640), (1, 680), (4, 600)):
            with self.subTest(workers=workers, size=size):
                self.state = self.root / f"state-{workers}-{size}"
                self.state.mkdir(mode=0o700)
                job = self.job([f"i{n}" for n in range(120)], maxConcurrency=workers)
                script = """
                    mount -t tmpfs -o size="$3"k,mode=0700 none "$2" || exit 99
                    "$0" run "$1" --state-dir "$2"; echo "status $?"
                    mount -o remount,size=16m "$2"
                    "$0" run "$1" --state-dir "$2"; echo "status $?"
                """
                result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, job, self.state, size, deadline=120)
                self.assertEqual(result.out.split("\n")[0], "status 74", result.err)
                first, second = ([int(number or 0) for number in found] for found in re.findall(numbers, result.err))
                # What was half done is in doubt, and parked by the next run, or its first alone was on record as done, and it goes on;
                # what was done is done before, and the rest is done by it.
                done, parked, _, _, half_done = first
                self.assertEqual(parked, 0, result.err)
                self.assertEqual((second[0] + second[1], second[2:]), (120 - done, [0, done, 0]), result.err)
                self.assertLessEqual(second[1], half_done, result.err)
                self.assertGreater(half_done, 0, result.err)

    @as_root
    def test_a_full_disk_from_the_start(self):
        script = """
            mount -t tmpfs -o size=64k,mode=0700 none "$2" || exit 99
            dd if=/dev/zero of="$2/filler" bs=4k 2>/dev/null
            exec "$0" run "$1" --state-dir "$2"
        """
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, self.job(), self.state)
        self.assertEqual(result.status, 74, result.err)
        self.assertRegex(result.err, "No space left on device|no room is left")
        self.assertEqual(self.effects(), [])

    def test_an_older_one_is_brought_up_to_date_and_nothing_of_it_is_forgotten(self):
        database = sqlite3.connect(self.file)
        database.executescript(VERSION_1)
        database.close()
        (self.state / "pay.told").write_text("where it kept what it had told of records\n")
        result = self.run_job(self.job(["i0", "i1", "i2", "new"]))
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("done 1, failed 0, parked 1", result.err)
        self.assertIn("2 done before", result.err)
        self.assertEqual(self.effects(), ["first", "second"], "of the new one")
        self.assertGreater(self.sql("PRAGMA user_version")[0][0], 1)
        self.assertFalse((self.state / "pay.told").exists())
        history = self.lockstep("history", self.root / "job.json", "--state-dir", self.state)
        self.assertIn("20251120T100000Z-00000001", history.out)

    def look(self, *words, expected=0):
        result = self.lockstep(*words, "--state-dir", self.state)
        self.assertEqual(result.status, expected, result.err)
        return result

    def test_who_only_looks_leaves_its_version_to_the_runs(self):
        job = self.job(["i1"])
        self.assertEqual(self.run_job(job).status, 0)
        newest = self.sql("PRAGMA user_version")[0][0]
        self.sql("UPDATE pairs SET state = 'first-refused' WHERE item_key = 'i1'")
        make_older(self.file, 5)
        self.lock.mkdir()  # held: a decision waits for the holder's next pass
        self.look("status", "pay")
        self.look("history", "pay")
        self.look("locks", "--root", self.root)
        self.look("resolve", "pay", "i1", "--again")
        self.assertIn("i1", self.look("status", "pay").out)
        self.assertEqual(self.sql("PRAGMA user_version"), [(5,)])
        self.lock.rmdir()
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.sql("PRAGMA user_version"), [(newest,)])

    def test_one_too_old_to_be_read_is_not_changed_under_a_run(self):
        database = sqlite3.connect(self.file)
        database.executescript(VERSION_1)
        database.close()
        with (self.state / "pay.run").open("w") as run_file:
            run_file.write("812\n")
            run_file.flush()
            fcntl.flock(run_file, fcntl.LOCK_EX)
            refused = self.look("history", "pay", expected=74)
            self.assertIn(f"journal {self.file} is in use by pid 812", refused.err)
            self.assertIn("older lockstep (schema version 1): use that one, or ask again when no run is at work", refused.err)
            self.assertEqual(self.sql("PRAGMA user_version"), [(1,)])
        self.assertIn("20251120T100000Z-00000001", self.look("history", "pay").out)


class Forgetting(JournalTest):
    def age(self, days):
        """As if all that happened so far had happened that much earlier."""
        for table, columns in (("pairs", ("begun_ms", "changed_ms")), ("passes", ("begun_ms", "ended_ms")), ("runs", ("started_ms",)), ("pruned", ("at_ms",))):
            for column in columns:
                self.sql(f"UPDATE {table} SET {column} = {column} - {days * 86_400_000}")
        then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
        self.sql(("UPDATE pairs SET item_key = ? || substr(item_key, 9) WHERE item_key GLOB '*T*Z-*/1'", (then.strftime("%Y%m%d"),)))

    def counts(self):
        return {table: self.sql(f"SELECT count(*) FROM {table}")[0][0] for table in ("pairs", "passes", "runs")}

    def job_without_items(self, **more):
        step = {"step": "pay", "first": self.command("sh", "-c", "echo first >>effects.log", refusedStatus=[3])}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step], **more})

    def test_a_job_that_is_a_new_item_at_every_pass_keeps_a_month_of_them(self):
        job = self.job_without_items()
        for _ in range(3):
            self.assertEqual(self.run_job(job).status, 0)
        self.age(31)
        self.assertEqual(self.counts(), {"pairs": 3, "passes": 3, "runs": 3})
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.counts(), {"pairs": 1, "passes": 1, "runs": 1})

    def test_keep_history_says_how_long(self):
        job = self.job_without_items(keepHistory="60d")
        self.assertEqual(self.run_job(job).status, 0)
        self.age(31)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.counts(), {"pairs": 2, "passes": 2, "runs": 2})

    def test_what_waits_for_a_person_waits_for_ever(self):
        job = self.job_without_items()
        self.assertEqual(self.run_job(job).status, 0)
        self.sql("UPDATE pairs SET state = 'parked', parked_from = 'first-begun', unfinished = 1")
        self.age(4000)
        self.assertEqual(self.run_job(job).status, 1)
        self.assertEqual(self.counts(), {"pairs": 2, "passes": 1, "runs": 1})

    def test_items_that_are_done_stay_done_unless_the_job_file_says_otherwise(self):
        self.used_journal(2)
        self.age(3000)
        result = self.run_job(self.job(["i0", "i1"]))
        self.assertIn("2 done before", result.err)
        self.assertEqual(self.effects(), [])
        self.age(3000)
        result = self.run_job(self.job(["i0", "i1"], forgetItems="400d"))
        self.assertIn("done 2", result.err)
        self.assertEqual(len(self.effects()), 4)


class SaidOnce(JournalTest):
    """What cron mails: a run that says something makes a mail."""

    def park(self, job):
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / "reached").exists, "the effect")
        self.kill_everything()

    def assert_told_once(self, job, *words):
        """The first run of three says these words, the others nothing; each exits 1."""
        first = self.run_job(job, "--quiet")
        self.assertEqual(first.status, 1)
        for word in words:
            self.assertIn(word, first.err)
        for _ in range(2):
            later = self.run_job(job, "--quiet")
            self.assertEqual((later.status, later.err), (1, ""))

    def test_a_parked_pair_is_told_once_not_at_every_run_though_each_exits_1(self):
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n')
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                              "steps": [{"step": "pay", "first": self.command("sh", "-c", "touch reached; exec sleep 60", timeout="70s")}]})
        self.park(job)
        self.assert_told_once(job, "is parked, it waits for a person", "parked 1")
        self.assertIn("parked 1", self.run_job(job).err, "without --quiet it is told every time")
        status = self.lockstep("status", job, "--state-dir", self.state)
        self.assertEqual(status.status, 1)
        self.assertRegex(status.out, r"i1\b[\s\S]*\bparked\b")
        # What is new is told beside it.
        (self.root / "items.ndjson").write_text('{"id": "i1"}\nnonsense\n')
        self.assertIn("failed 1, parked 1", self.run_job(job, "--quiet").err)

    def test_a_record_that_is_no_item_is_told_once_and_again_when_it_has_been_right_meanwhile(self):
        items = self.root / "items.ndjson"
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                              "steps": [{"step": "pay", "first": self.command("true")}],
                              "onFailure": {"command": ["sh", "-c", "cat >>mails"]}})

        def failures():
            mails = self.root / "mails"
            return [json.loads(line)["failedItems"] for line in mails.read_text().splitlines()] if mails.exists() else []
        items.write_text('{"id": "i1"}\nnonsense\n{"id": "i1"}\n')
        self.assert_told_once(job, "items.ndjson:2", "items.ndjson:3")
        self.assertEqual(len(failures()), 1, "and so do the notices")
        self.assertIn("failed 2", self.run_job(job).err, "without --quiet the summary counts it every time")
        # What is new is told, and only that.
        items.write_text('{"id": "i1"}\nnonsense\n{"id": "i1"}\n[1]\n')
        newer = self.run_job(job, "--quiet")
        self.assertIn("items.ndjson:4", newer.err)
        self.assertNotIn("items.ndjson:2", newer.err)
        self.assertEqual(len(failures()[-1]), 1)
        # A pass that looks at one item forgets nothing of the others.
        self.run_job(job, "--quiet", "--only", "i1")
        self.assertEqual(self.run_job(job, "--quiet").err, "")
        items.write_text('{"id": "i1"}\n')
        self.assertEqual(self.run_job(job, "--quiet").status, 0)
        self.assertEqual(self.sql("SELECT count(*) FROM told_records")[0][0], 0)
        items.write_text('{"id": "i1"}\nnonsense\n')
        self.assertIn("items.ndjson:2", self.run_job(job, "--quiet").err)

    def test_one_named_item_is_no_success_of_the_batch(self):
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n{"id": "i2"}\n')
        job = self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                              "steps": [{"step": "pay", "first": self.command("true")}], "expectEvery": "1h"})
        overdue = ("check", "--overdue", job, "--state-dir", self.state)
        self.assertEqual(self.run_job(job, "--only", "i1").status, 0)
        self.assertEqual(self.lockstep(*overdue).status, 1)
        self.assertEqual(self.run_job(job).status, 0)
        self.assertEqual(self.lockstep(*overdue).status, 0)

    def test_a_schema_beside_the_job_files_is_no_job_that_is_wrong(self):
        """check jobs/*.json finds it there, for editors want it there; alone it was meant."""
        job = self.article(lock=self.lock)
        schema = self.root / "job.schema.json"
        schema.write_text('{"title": "a schema"}')
        checked = self.lockstep("check", "--json", job, schema)
        self.assertEqual((checked.status, len(json.loads(checked.out))), (0, 1), checked.err)
        self.assertEqual(self.lockstep("check", schema).status, 78)


if __name__ == "__main__":
    unittest.main()

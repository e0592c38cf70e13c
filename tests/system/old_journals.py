"""Journals as earlier versions of the schema had them."""

import contextlib
import sqlite3

# What leads from a version back to the one before it.
BACK = {
    8: ("ALTER TABLE decisions DROP COLUMN seen", "ALTER TABLE pairs DROP COLUMN run_date", "DROP TABLE pruned"),
    7: ("ALTER TABLE runs DROP COLUMN newest_pass", "ALTER TABLE runs DROP COLUMN newest_begun_ms",
        "ALTER TABLE decisions DROP COLUMN definition"),
    6: ("DROP INDEX failed_pairs", "ALTER TABLE runs DROP COLUMN job"),
}


def make_older(path, version):
    """The journal at `path`, which has the newest schema, becomes one of that version."""
    with contextlib.closing(sqlite3.connect(path)) as journal:
        for newer in range(max(BACK), version, -1):
            for statement in BACK[newer]:
                journal.execute(statement)
        journal.execute(f"PRAGMA user_version = {version}")
        journal.commit()

"""Jobs whose commands take effect in files, and are killed in the midst of it."""

import sqlite3

from support import SystemTest, wait_until

# effect.sh NAME MODE: leaves a line in effects.log, as an API call would; MODE says how far it gets this time.
EFFECT = """#!/bin/sh
case $(cat "$1.mode" 2>/dev/null) in
  before) touch "$1.reached"; exec sleep 60 ;;
  after) echo "$1 $LOCKSTEP_ITEM_KEY" >>effects.log; touch "$1.reached"; exec sleep 60 ;;
  not-applied) exit 9 ;;
  refused) exit 3 ;;
esac
echo "$1 $LOCKSTEP_ITEM_KEY" >>effects.log
"""
# ask.sh NAME: whether that line is there.
ASK = """#!/bin/sh
grep -qx "$1 $2" effects.log 2>/dev/null && echo '{"applied": true}' || echo '{"applied": false}'
"""


class RecoveryTest(SystemTest):
    def setUp(self):
        super().setUp()
        for name, text in (("effect.sh", EFFECT), ("ask.sh", ASK)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

    def effect(self, name, in_doubt=("probe", "park"), **more):
        phase = self.command("./effect.sh", name, timeout="50s", in_doubt=in_doubt, notAppliedStatus=[9], refusedStatus=[3])
        if "probe" in in_doubt:
            phase["probe"] = {"command": ["./ask.sh", name, "{$inputs.id}"], "applied": "$stdout#/applied == true",
                              "absent": "$stdout#/applied == false", "settle": "10ms", "timeout": "20s"}
        phase.update(more)
        return phase

    def job(self, items=("i1",), steps=None, **more):
        (self.root / "items.ndjson").write_text("".join(f'{{"id": "{key}"}}\n' for key in items))
        steps = steps or [{"step": "pay", "first": self.effect("first"), "second": self.effect("second")}]
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": steps,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    def mode(self, name, mode):
        path = self.root / f"{name}.mode"
        path.write_text(mode) if mode else path.unlink()

    def kill_in(self, name, mode, job):
        """Front, guardian and command are killed while effect `name` is at work."""
        self.mode(name, mode)
        self.start_lockstep("run", job, "--state-dir", self.state)
        wait_until((self.root / f"{name}.reached").exists, f"{name} at work")
        self.kill_everything()
        self.mode(name, None)
        (self.root / f"{name}.reached").unlink()

    def effects(self):
        path = self.root / "effects.log"
        return path.read_text().splitlines() if path.exists() else []

    def journal(self):
        return sqlite3.connect(self.state / "pay.sqlite3")

    def state_of(self, item, step="pay"):
        with self.journal() as database:
            return database.execute("SELECT state FROM pairs WHERE item_key = ? AND step = ?", (item, step)).fetchone()[0]

"""Jobs over a list of items, whose command notes each item that it was given."""

from support import SystemTest


class ItemTest(SystemTest):
    def job_over(self, items, script='#!/bin/sh\necho "$1" >>done.log\n', name="items", **more):
        """A job of one command for each item, which notes its key in done.log."""
        path = self.root / "note.sh"
        path.write_text(script)
        path.chmod(0o755)
        return self.write_job({
            "lockstep": 1, "job": name, "lock": str(self.lock), "items": {"key": "{$inputs.id}", **items},
            "steps": [{"step": "note", "first": self.command("./note.sh", "{$inputs.id}", notAppliedStatus=[9], refusedStatus=[3])}],
            **more})

    def noted(self):
        path = self.root / "done.log"
        return path.read_text().split() if path.exists() else []

    def write(self, name, text):
        (self.root / name).write_text(text)
        return self.root / name

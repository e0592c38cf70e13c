"""Items of which a request cannot be made: nothing is begun for them, and they cost no more than others that fail."""

import json
import unittest

from item_jobs import ItemTest

class PoisonItemTest(ItemTest):
    def job(self, items, first=None, second=None, **more):
        """Each command leaves its name and the item in done.log; `first` and `second` are more members of the phases."""
        self.write("items.ndjson", "".join(json.dumps(item) + "\n" for item in items))
        note = ["sh", "-c", 'echo "$1-$2" >>done.log; echo r-$2', "note"]
        one = {**self.command(*note, "first", "{$inputs.id}", in_doubt=("park",)), "outputs": {"rid": "$stdout"}, **(first or {})}
        two = {**self.command(*note, "second", "{$inputs.id}"), **(second or {})}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), **more,
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                               "steps": [{"step": "pay", "first": one, "second": two}]})


class NothingIsBegun(PoisonItemTest):
    def env(self, value):
        """What makes a command of this environment."""
        return {"command": {"argv": ["sh", "-c", "echo later >>done.log"], "env": {"X": value}}, "timeout": "20s", "inDoubt": ["park"]}

    def probe(self, value):
        return {"command": {"argv": ["true"], "env": {"X": value}}, "applied": "$exitStatus == 0", "timeout": "20s", "outputs": {"rid": "$stdout"}}

    def test_when_a_later_phase_or_a_probe_cannot_be_made_of_the_item_the_first_is_not_begun_either(self):
        for place, phases in (("second: env X", {"second": self.env("$inputs.nope")}),
                              ("second: env X", {"second": self.env("{$steps.pay.first.outputs.rid} {$inputs.nope}")}),
                              ("compensate: env X", {"first": {"compensate": self.env("$inputs.nope")}}),
                              ("probe of first: env X", {"first": {"probe": self.probe("$inputs.nope"), "inDoubt": ["probe", "park"]}}),
                              ("probe of second: env X", {"second": {"probe": self.probe("$inputs.nope"), "inDoubt": ["probe", "park"], "outputs": {"rid": "$stdout"}}})):
            with self.subTest(place=place, phases=phases):
                self.state = self.root / f"state{id(phases)}"
                (self.root / "done.log").unlink(missing_ok=True)
                result = self.run_job(self.job([{"id": "a"}, {"id": "b", "nope": "x"}], **phases))
                self.assertEqual(result.status, 1, result.err)
                self.assertIn(f"a: pay was not begun, a request cannot be made of this item: {place}: $inputs.nope is missing", result.err)
                self.assertEqual(self.noted()[0], "first-b", "of the other item nothing is missing")
                self.assertIn("done 1, failed 1, parked 0", result.err)

    def test_an_outputs_absence_stays_the_second_phases_own_affair(self):
        result = self.run_job(self.job([{"id": "a"}], second={"command": ["sh", "-c", "echo $1 >>done.log", "sh", "{$steps.pay.first.outputs.rid}"]}))
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.noted(), ["first-a", "r-a"])


if __name__ == "__main__":
    unittest.main()

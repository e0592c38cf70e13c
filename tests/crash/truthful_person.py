"""A person who settles what is parked or in doubt by `lockstep resolve`, and says nothing but what is true at that moment."""

import collections
import json

PHASES = {("ship", "first"): "reserve", ("ship", "second"): "capture", ("ship", "compensate"): "release", ("tell", "first"): "notice"}


class TruthfulPerson:
    """@param took_effect  took_effect(kind, order): what the world says; outputs(kind, order): of that effect, by name"""

    def __init__(self, test, job, dice, took_effect, outputs):
        self.test, self.job, self.dice = test, job, dice
        self.took_effect, self.outputs = took_effect, outputs
        self.has_parked = set()
        self.said = collections.Counter()

    def look(self):
        result = self.test.lockstep("status", self.job, "--state-dir", self.test.state, "--json")
        return json.loads(result.out) if result.status in (0, 1) else {"open": [], "parked": []}

    def decide(self, at_rest):
        """About everything of which something can be said. `at_rest`: no run is at work, and no call is on its way."""
        status = self.look()
        for pair in status["open"] + (status["parked"] if at_rest else []):
            verb = self.choose(pair)
            if verb:
                self.say(pair, verb)

    def choose(self, pair):
        if pair["possible"] == ["again"]:
            return None  # it has ended, and would be carried out once more
        kind = PHASES[pair["step"], pair["phase"]] if pair["phase"] else None
        truth = kind is not None and self.took_effect(kind, pair["item"])
        # What had no effect so far may have one in a moment, unless nothing is on its way, or the pair is parked.
        true_ones = [verb for verb in pair["possible"] if verb == "park" or (verb == "applied") == truth]
        if "park" in pair["possible"]:
            true_ones = [verb for verb in true_ones if verb in ("applied", "park")]
        if kind == "release" and "again" in true_ones:
            true_ones.remove("again")  # a DELETE needs no new key, and 404 is its success
        return self.dice.choice(true_ones) if true_ones else None

    def say(self, pair, verb):
        words = []
        if verb == "applied":
            stated = self.outputs(PHASES[pair["step"], pair["phase"]], pair["item"])
            words = [word for name in pair["outputsToState"] for word in ("--output", f"{name}={json.dumps(stated[name])}")]
        if verb == "park":
            self.has_parked.add((pair["item"], pair["step"]))
        result = self.test.lockstep("resolve", self.job, pair["item"], "--step", pair["step"], f"--{verb}", *words,
                                    "--state-dir", self.test.state)
        # The run at work may have been faster: then nothing is possible any more (64), or it is decided already (75).
        self.test.assertIn(result.status, (0, 64, 75), result.err)
        self.said[f"{verb} of {pair['state']}" if result.status == 0 else "refused"] += 1

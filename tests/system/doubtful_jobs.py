"""Jobs of one item and one pair of calls, whose API does as a test says (told_api)."""

from support import SystemTest
from told_api import Api


class DoubtTest(SystemTest):
    def phase(self, url, **more):
        return {"http": {"method": "POST", "url": url, "body": {"order": "$inputs.id"}, **more.pop("http", {})}, "idempotencyKey": {},
                "timeout": "20s", "deadline": "60s", "retry": {"maxAttempts": 2, "initialInterval": "1ms"}, **more}

    def job(self, first, second=None, **more):
        (self.root / "items.ndjson").write_text('{"id": "i1"}\n')
        step = {"step": "pay", "first": first, **({"second": second} if second else {})}
        return self.write_job({"lockstep": 1, "job": "pay", "lock": str(self.lock), "steps": [step],
                               "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, **more})

    def api_while_the_secret_is_lost(self, call, answers=None):
        """The secret's file `token`, there at first, is emptied in that call. Every answer is a 201, but for those in `answers`."""
        token = self.root / "token"
        token.write_text("t")

        def answer(number, _):
            if number == call:
                token.write_text("")
            return (answers or {}).get(number, 201)

        return token, Api(self, answer)

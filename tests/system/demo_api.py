"""The demo API (tests/support/demo_api.cpp), on a port of its own."""

import http.client
import json
import os
import signal

from support import PATIENCE, REPOSITORY, wait_until

DEMO_API = os.path.abspath(os.environ.get("DEMO_API", REPOSITORY / "build/release/demo_api"))


class DemoApi:
    """The demo API on a port of its own, and what it has to say about what was done to it."""

    def __init__(self, test, *arguments):
        if not os.access(DEMO_API, os.X_OK):
            test.fail(f"no demo_api at {DEMO_API}: build it, or name it by DEMO_API=")
        port_file = test.root / f"demo_api.{test.started}.port"
        self.process = test.start(DEMO_API, "--port", "0", "--port-file", port_file, *arguments)
        wait_until(port_file.exists, "the demo API")
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise AssertionError(f"{method} {path}: {response.status} {text!r}")
        return json.loads(text) if text else None

    def fault(self, do, **rule):
        return self.request("POST", "/faults", dict(rule, do=do))

    def no_faults(self):
        self.request("DELETE", "/faults")

    def ledger(self):
        return self.request("GET", "/ledger")

    def stop(self):
        self.process.send(signal.SIGTERM)
        self.process.wait()

"""A pair at a real API that is not ours: an address and its reverse entry in PowerDNS, looked up with dig."""

import glob
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import unittest

from support import PATIENCE, SystemTest, own_address, wait_until

SERVER = shutil.which("pdns_server", path="/usr/sbin:/usr/bin")
SCHEMA = "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql"
BACKEND = glob.glob("/usr/lib/*/pdns/libgsqlite3backend.so")
API_KEY = "key-of-a-test-72c1"
DNS_PORT, API_PORT = 5311, 8411


@unittest.skipUnless(SERVER and BACKEND and os.path.exists(SCHEMA), "Debian's pdns-server and pdns-backend-sqlite3 are not installed")
@unittest.skipUnless(shutil.which("dig"), "Debian's package bind9-dnsutils is not installed")
class AtPowerDns(SystemTest):
    def setUp(self):
        super().setUp()
        self.address = own_address()
        database = sqlite3.connect(self.root / "pdns.sqlite3")
        with open(SCHEMA, encoding="utf-8") as schema:
            database.executescript(schema.read())
        database.close()
        (self.root / "pdns").mkdir()
        (self.root / "pdns/pdns.conf").write_text("\n".join((
            "launch=gsqlite3", f"gsqlite3-database={self.root}/pdns.sqlite3", f"local-address={self.address}", f"local-port={DNS_PORT}",
            "webserver=yes", f"webserver-address={self.address}", f"webserver-port={API_PORT}", "webserver-allow-from=127.0.0.0/8",
            "api=yes", f"api-key={API_KEY}", f"socket-dir={self.root}/pdns", "guardian=no", "daemon=no", "cache-ttl=0",
            "query-cache-ttl=0", "negquery-cache-ttl=0", "zone-cache-refresh-interval=0")) + "\n")
        self.server = self.start(SERVER, f"--config-dir={self.root}/pdns")
        wait_until(self.answers, "PowerDNS")
        for zone in ("example.test.", "2.0.192.in-addr.arpa."):
            self.assertEqual(self.api("POST", "zones", {"name": zone, "kind": "Native", "nameservers": ["ns.example.test."]}), 201)

    def api(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, API_PORT, timeout=PATIENCE)
        try:
            connection.request(method, f"/api/v1/servers/localhost/{path}", json.dumps(body) if body else None, {"X-API-Key": API_KEY})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def answers(self):
        try:
            return self.api("GET", "zones") == 200
        except OSError:
            return False

    def dig(self, *question):
        done = subprocess.run(["dig", "+short", "+tries=2", f"@{self.address}", "-p", str(DNS_PORT), *question], capture_output=True,
                              text=True, timeout=PATIENCE, check=True)
        return done.stdout.split()

    def patch(self, zone, name, kind, content, **more):
        return {"http": {"method": "PATCH", "url": f"http://{self.address}:{API_PORT}/api/v1/servers/localhost/zones/{zone}",
                         "headers": {"X-API-Key": "{$secrets.key}"},
                         "body": {"rrsets": [{"name": name, "type": kind, "ttl": 60, "changetype": "REPLACE",
                                              "records": [{"content": content, "disabled": False}]}]}},
                "success": "$statusCode == 204", "idempotent": True, "timeout": "5s", "inDoubt": ["resend", "park"],
                "retry": {"maxAttempts": 5, "initialInterval": "100ms"}, **more}

    def hosts_job(self, count):
        (self.root / "hosts.ndjson").write_text("".join(f'{{"host": "h{n}", "last": "{n}"}}\n' for n in range(1, count + 1)))
        return self.write_job({
            "lockstep": 1, "job": "hosts", "lock": str(self.lock), "items": {"ndjson": "hosts.ndjson", "key": "{$inputs.host}"},
            "secrets": {"key": {"env": "PDNS_KEY"}},  # one at a time: on SQLite, PowerDNS answers 500 to one of two writers
            "steps": [{"step": "address-and-name",
                       "first": self.patch("example.test.", "{$inputs.host}.example.test.", "A", "192.0.2.{$inputs.last}"),
                       "second": self.patch("2.0.192.in-addr.arpa.", "{$inputs.last}.2.0.192.in-addr.arpa.", "PTR",
                                            "{$inputs.host}.example.test.")}]})

    def run_options(self):
        return {"env": self.environment(PDNS_KEY=API_KEY)}

    def pairs(self, count):
        """For each host: has it an address, has that a name?"""
        return [(self.dig(f"h{n}.example.test", "A") == [f"192.0.2.{n}"], self.dig("-x", f"192.0.2.{n}") == [f"h{n}.example.test."])
                for n in range(1, count + 1)]

    def end_server(self):
        self.server.send(signal.SIGKILL)
        self.server.wait()

    def test_every_address_gets_its_name(self):
        result = self.lockstep("run", self.hosts_job(6), "--state-dir", self.state, **self.run_options())
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.pairs(6), [(True, True)] * 6)
        self.assertNotIn(API_KEY, result.out + result.err)
        self.end_server()
        self.assert_nothing_left()

    def test_a_stop_in_the_middle_leaves_no_address_without_its_name(self):
        job = self.hosts_job(120)
        process = self.start_lockstep("run", job, "--state-dir", self.state, **self.run_options())
        wait_until(lambda: self.dig("h2.example.test", "A") or not process.running(), "the second address")
        self.assertTrue(process.running(), process.err())
        process.send(signal.SIGTERM)
        status = process.wait()
        self.assertIn(status, (0, 75), process.err())
        halves = [pair for pair in self.pairs(120) if pair[0] != pair[1]]
        self.assertEqual(halves, [])
        again = self.lockstep("run", job, "--state-dir", self.state, **self.run_options())
        self.assertEqual(again.status, 0, again.err)
        self.assertEqual(self.pairs(120), [(True, True)] * 120)
        self.end_server()
        self.assert_nothing_left()

    def test_a_wrong_name_is_refused_and_said(self):
        text = json.loads(self.hosts_job(1).read_text())
        text["steps"][0]["first"]["http"]["body"]["rrsets"][0]["name"] = "{$inputs.host}.elsewhere.test."
        result = self.lockstep("run", self.write_job(text), "--state-dir", self.state, **self.run_options())
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("422", result.err)
        self.assertEqual(self.dig("-x", "192.0.2.1"), [])


if __name__ == "__main__":
    unittest.main()

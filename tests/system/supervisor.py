"""A real supervisord on a unix socket of its own, told what to do by its own XML-RPC."""

import http.client
import json
import os
import signal
import socket
import unittest
import xmlrpc.client

from support import wait_until

SUPERVISORD = "/usr/bin/supervisord"

# supervisord's own reading of a configuration, a program a line. Run by Debian's Python, which has the package.
READ_CONFIG = """
import json, shlex, sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-n", "-c", sys.argv[1]])
for group in options.process_group_configs:
    for program in group.process_configs:
        print(json.dumps({"group": group.name, "name": program.name, "words": shlex.split(program.command), "uid": program.uid,
                          "stopwaitsecs": program.stopwaitsecs, "stopasgroup": program.stopasgroup,
                          "killasgroup": program.killasgroup, "startsecs": program.startsecs, "exitcodes": program.exitcodes,
                          "stopsignal": int(program.stopsignal)}))
"""

needs_supervisord = unittest.skipUnless(os.path.exists(SUPERVISORD), "Debian's package supervisor is not installed")


def read_by_supervisord(test, config):
    """What supervisord's own parser makes of a configuration: a dictionary of each process's settings."""
    result = test.run_to_end("/usr/bin/python3", "-c", READ_CONFIG, config)
    test.assertEqual(result.status, 0, result.err)
    return [json.loads(line) for line in result.out.splitlines()]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        self.sock = connection


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def make_connection(self, host):
        # Where the base class looks for what it is to close.
        self._connection = host, _UnixConnection(self._path)
        return self._connection[1]


class Supervisord:
    """Programs are dictionaries of supervisord's own settings; each gets a directory of its own to run in. `include`: files of
    sections that are read as they are; `more`: further lines."""

    def __init__(self, test, programs, include=None, more=()):
        self.test = test
        self.socket = str(test.root / "supervisor.sock")
        lines = ["[supervisord]", "nodaemon=true", "user=root" if os.geteuid() == 0 else "", "identifier=lockstep-test",
                 f"logfile={test.root}/supervisord.log", f"pidfile={test.root}/supervisord.pid", f"childlogdir={test.root}",
                 "[unix_http_server]", f"file={self.socket}", "chmod=0700",
                 "[rpcinterface:supervisor]",
                 "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
                 "[supervisorctl]", f"serverurl=unix://{self.socket}"]
        for name, settings in programs.items():
            settings = {"autorestart": "false", "startsecs": "0", "directory": self.directory(name),
                        "redirect_stderr": "true", "stdout_logfile": test.root / f"{name}.log", **settings}
            lines += [f"[program:{name}]"] + [f"{key}={value}" for key, value in settings.items()]
        lines += more
        if include:
            lines += ["[include]", f"files={include}"]
        config = test.root / "supervisord.conf"
        config.write_text("\n".join(lines) + "\n")
        self.process = test.start(SUPERVISORD, "-n", "-c", config)
        wait_until(self._answers, "supervisord's socket")

    def directory(self, name):
        directory = self.test.root / name
        directory.mkdir(exist_ok=True)
        return directory

    def _answers(self):
        try:
            return self.call("getState")["statename"] == "RUNNING"
        except OSError:
            return False

    def call(self, method, *arguments):
        # A connection for each call: calls come from several threads.
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(self.socket))
        with proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def info(self, name):
        return self.call("getProcessInfo", name)

    def start(self, name):
        self.call("startProcess", name, False)

    def stop(self, name, wait=False):
        self.call("stopProcess", name, wait)

    def wait_for_state(self, name, state):
        return wait_until(lambda: (found := self.info(name))["statename"] == state and found, f"{name} to be {state}")

    def log(self, name):
        return (self.test.root / f"{name}.log").read_text()

    def shut_down(self):
        self.process.send(signal.SIGTERM)
        return self.process.wait(60)

"""What a service manager sees of a run: priorities in its journal, and the messages of sd_notify(3)."""

import json
import os
import pathlib
import signal
import socket
import struct
import threading

from processes import is_alive
from support import PATIENCE, SystemTest, wait_until


class Manager:
    """Listens on NOTIFY_SOCKET as systemd does: who sent a message counts, so the kernel is asked for it."""

    def __init__(self, test):
        self.path = test.root / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(str(self.path))
        self.messages = []  # (pid, {NAME: value})
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def listen(self):
        size = struct.calcsize("3i")
        while True:
            text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(size))
            if text == b"close":
                return
            pid = struct.unpack("3i", ancillary[0][2][:size])[0]
            self.messages.append((pid, dict(line.split("=", 1) for line in text.decode().splitlines())))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"close", str(self.path))
        self.thread.join(PATIENCE)
        self.socket.close()

    def values(self, name):
        return [message[name] for _, message in list(self.messages) if name in message]

    def waits_for(self, name, value=""):
        return wait_until(lambda: any(value in said for said in self.values(name)), f"{name}={value}; got {self.messages}")


class Notifications(SystemTest):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self)

    def start_under_manager(self, *argv, **more):
        return self.start_lockstep(*argv, "--state-dir", self.state,
                                   env=self.environment(NOTIFY_SOCKET=self.manager.path, **more))

    def held_job(self, **more):
        """One pair whose first phase lasts until the file `go` is there; each phase notes the environment that it got."""
        script = self.root / "hold.sh"
        script.write_text('#!/bin/sh\nenv >"env.$1"\necho "begin $1" >>story.log\n'
                          'until [ -e go ]; do sleep 0.01; done\necho "end $1" >>story.log\n')
        script.chmod(0o755)
        return self.write_job({"lockstep": 1, "job": "held", "lock": str(self.lock), "every": "60s",
                               "steps": [{"step": "hold", "first": self.command("./hold.sh", "first"),
                                          "second": self.command("./hold.sh", "second")}], **more})

    def test_the_front_says_ready_and_what_is_in_hand_and_no_command_can(self):
        process = self.start_under_manager("run", self.held_job())
        self.manager.waits_for("READY", "1")
        self.manager.waits_for("STATUS", "hold first")
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 0)
        self.assertEqual({pid for pid, _ in self.manager.messages}, {process.pid})
        self.assertEqual(self.manager.values("READY"), ["1"])
        self.assertEqual(self.manager.values("STOPPING") + self.manager.values("EXTEND_TIMEOUT_USEC"), [])
        for phase in ("first", "second"):
            self.assertNotIn("NOTIFY_SOCKET=", (self.root / f"env.{phase}").read_text())
        self.assert_nothing_left()

    def test_ready_comes_before_the_lock_is_there(self):
        holder = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(lambda: (self.lock / "record").exists(), "the holder")
        process = self.start_under_manager("run", "--wait", "forever", self.held_job())
        self.manager.waits_for("READY", "1")
        self.manager.waits_for("STATUS", f"waiting for the lock: pid {holder.pid} since ")
        self.assertEqual(self.story(), [])
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 75)
        holder.send(signal.SIGKILL)

    def test_a_stop_request_asks_for_more_time_until_the_pair_is_done(self):
        process = self.start_under_manager("loop", self.held_job())
        self.wait_for_story(1)
        process.send(signal.SIGTERM)
        self.manager.waits_for("STOPPING", "1")
        wait_until(lambda: len(self.manager.values("EXTEND_TIMEOUT_USEC")) >= 3, "three wishes for more time")
        self.assertTrue(all(value == "5000000" for value in self.manager.values("EXTEND_TIMEOUT_USEC")))
        self.assertIn("stopping; ", self.manager.values("STATUS")[-1])
        self.assertTrue(process.running())
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.manager.values("STOPPING"), ["1"])
        self.assertEqual(self.story(), ["begin first", "end first", "begin second", "end second"])

    def test_no_more_is_asked_for_once_the_grace_is_used_up(self):
        job = json.loads(self.held_job().read_text())
        for phase in job["steps"][0].values():
            if isinstance(phase, dict):
                phase.update(timeout="400ms", deadline="400ms")
        job["stop"] = {"grace": "10800ms"}
        process = self.start_under_manager("loop", self.write_job(job))
        self.wait_for_story(1)
        process.send(signal.SIGTERM)
        process.wait(60)
        wishes = len(self.manager.values("EXTEND_TIMEOUT_USEC"))
        self.assertLessEqual(wishes, 12)

    def test_the_watchdog_is_fed_while_the_guardian_lives_and_not_when_it_hangs(self):
        process = self.start_under_manager("run", self.held_job(), WATCHDOG_USEC="300000")
        wait_until(lambda: len(self.manager.values("WATCHDOG")) >= 5, "the watchdog's food")
        os.kill(process.guardian(), signal.SIGSTOP)

        def a_second_without_food():
            fed = len(self.manager.values("WATCHDOG"))
            threading.Event().wait(1)  # what does not come can only be waited for
            return len(self.manager.values("WATCHDOG")) == fed
        wait_until(a_second_without_food, "an end of what was still under way")
        os.kill(process.guardian(), signal.SIGCONT)
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 0)

    def test_a_manager_that_does_not_listen_delays_nothing(self):
        dead = self.root / "dead"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as silent:
            silent.bind(str(dead))
            (self.root / "go").touch()
            for path in (dead, self.root / "missing"):
                with self.subTest(path=path):
                    result = self.lockstep("run", self.held_job(), "--state-dir", self.state,
                                           env=self.environment(NOTIFY_SOCKET=path))
                    self.assertEqual(result.status, 0, result.err)

    def test_a_killed_guardian_is_still_told_of_by_the_front(self):
        process = self.start_under_manager("run", self.held_job())
        self.wait_for_story(1)
        guardian = process.guardian()
        os.kill(guardian, signal.SIGKILL)
        wait_until(lambda: not is_alive(guardian), "the guardian's end")
        (self.root / "go").touch()
        self.assertEqual(process.wait(), 70)


class Journal(SystemTest):
    """A run whose stderr is the manager's stream, or is not, says so by JOURNAL_STREAM."""

    def run_into(self, *options, stream=None):
        """stderr goes to a file; JOURNAL_STREAM names that file unless `stream` says otherwise."""
        job = self.write_job({"lockstep": 1, "job": "journal", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("sh", "-c", "echo said >&2; exit 3", refusedStatus=[3])}]})
        path = self.root / "stream"
        with open(path, "wb") as file:
            at = os.fstat(file.fileno())
            process = self.start_lockstep("run", job, "--state-dir", self.state, *options, stderr=file,
                                          env=self.environment(JOURNAL_STREAM=stream or f"{at.st_dev}:{at.st_ino}"))
        self.assertEqual(process.wait(), 1)
        return path.read_text().splitlines()

    def test_lines_carry_their_priority_and_leave_the_time_to_the_journal(self):
        lines = self.run_into()
        self.assertTrue(lines[0].startswith("<6>journal: run "), lines[0])
        self.assertIn("said", lines)  # a command's own output passes as it is
        refused = [line for line in lines if "refused" in line]
        self.assertRegex(refused[0], r"\A<4>journal: .*: s first refused: exit status 3: said\Z")

    def test_json_lines_carry_it_too(self):
        for line in self.run_into("--log-format", "json"):
            if line != "said":
                self.assertRegex(line, r"\A<[346]>\{")
                json.loads(line[3:])

    def test_another_ones_journal_stream_changes_nothing(self):
        self.assertRegex(self.run_into(stream="1:2")[0], r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} journal: run ")


class JsonLog(SystemTest):
    def test_every_line_names_the_run_and_a_phase_its_item_step_outcome_and_duration(self):
        (pathlib.Path(self.root) / "items.ndjson").write_text('{"id": "a"}\n{"id": "b"}\n')
        job = self.write_job({"lockstep": 1, "job": "facts", "lock": str(self.lock),
                              "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"},
                              "steps": [{"step": "s", "first": self.command("sh", "-c", '[ "$1" = a ] || exit 3', "sh", "{$inputs.id}",
                                                                            refusedStatus=[3])}]})
        result = self.lockstep("run", job, "--state-dir", self.state, "--log-format", "json", "--log-level", "debug")
        self.assertEqual(result.status, 1, result.err)
        lines = [json.loads(line) for line in result.err.splitlines()]
        self.assertEqual(len({line["run"] for line in lines}), 1)
        attempts = {line["item"]: line for line in lines if "attempt" in line}
        self.assertEqual({key: (line["step"], line["phase"], line["attempt"], line["outcome"]) for key, line in attempts.items()},
                         {"a": ("s", "first", 1, "done"), "b": ("s", "first", 1, "refused")})
        self.assertTrue(all(0 <= line["ms"] < 20_000 for line in attempts.values()))
        refused = [line for line in lines if line["level"] == "warning" and line.get("item") == "b"]
        self.assertEqual((refused[0]["phase"], refused[0]["outcome"], refused[0]["reason"]), ("first", "refused", "exit status 3"))
        summary = [line for line in lines if "done" in line]
        self.assertEqual((summary[0]["done"], summary[0]["failed"], summary[0]["parked"], summary[0]["pass"]), (1, 1, 0, 1))

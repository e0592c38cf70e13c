"""What the tests of single system calls share: a place of its own for each point, and what must be true there in the end.

A point is one system call of the guardian at which something happens, in one scenario: the run is killed there, or the call
fails. Many points are tried at once, each in a directory, with an API and with processes of its own.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import traceback
import uuid

from crash_world import FULL, CrashTest, kill_one_of
from processes import MARK, kill, processes_marked
from support import LOCKSTEP, PATIENCE, wait_until
from world_api import APPLIED, Fault, WorldApi

AT_SYSCALL = os.path.abspath(os.environ.get("AT_SYSCALL", pathlib.Path(LOCKSTEP).parent / "tests/crash/at_syscall"))
AT_ONCE = 2
GUARDIAN_KILLED = 70  # the front's exit status

# effect.sh NAME KEY: leaves a line, and may be held up after that, as an API call whose answer takes its time.
EFFECT = """#!/bin/sh
echo "$1 $2" >>effects.log
if [ -e "hold.$1" ]; then : >reached; while [ -e "hold.$1" ]; do sleep 0.01; done; fi
"""
ASK = '#!/bin/sh\ngrep -qx "$1 $2" effects.log 2>/dev/null && echo \'{"applied": true}\' || echo \'{"applied": false}\'\n'


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    keyed: bool = False
    commands: bool = False
    refused: bool = False     # the second phase, always: the first is compensated
    killed_at: str = ""       # a call in whose midst, after its effect, an earlier run was killed
    items: tuple = ("o1",)


SCENARIOS = (
    Scenario("with keys", keyed=True, items=("o1", "o2")),
    Scenario("by probe"),
    Scenario("commands", commands=True),
    Scenario("compensation", keyed=True, refused=True),
    Scenario("recovery of the first, with keys", keyed=True, killed_at="reserve"),
    Scenario("recovery of the second, by probe", killed_at="capture"),
    Scenario("recovery of a command", commands=True, killed_at="second"),
    Scenario("recovery of a compensation", refused=True, killed_at="release"),
)


@dataclasses.dataclass(frozen=True)
class Call:
    """A line of at_syscall's list."""
    thread: int
    name: str
    file: str
    nth: int            # of the thread
    nth_durable: int    # of the thread, of this name, of those with a file; 0: it is none


# What others can see: the API, the lock, commands, the end.
SEEN_OUTSIDE = ("connect", "sendto", "recvfrom", "flock", "clone", "clone3", "execve", "exit_group")


def that_matter(calls):
    """Those that change something, and what comes right after each: between the two lies a state that a kill can leave."""
    chosen, before = [], {}
    for call in sorted(calls, key=lambda call: (call.thread, call.nth)):
        matters = bool(call.file) or call.name in SEEN_OUTSIDE
        if matters or before.get(call.thread):
            chosen.append(call)
        before[call.thread] = matters
    return chosen


class Place:
    """Where one point is tried."""

    def __init__(self, root, scenario):
        self.root, self.scenario = root, scenario
        self.lock, self.state, self.temporary = root / "job.lock", root / "state", root / "tmp"
        self.mark = uuid.uuid4().hex
        self.told = []
        self.temporary.mkdir(parents=True)
        self.api = None if scenario.commands else WorldApi(scenario.keyed)
        if scenario.refused:
            self.api.treat = lambda call: Fault(status=400, applied=False) if call.kind == "capture" else Fault()
        self.job = self.write_job()

    def close(self):
        while left := self.my_processes():
            for pid in left:
                kill(pid)
        if self.api:
            self.api.close()

    # ---- the job ----------------------------------------------------------------------------------------------------------------

    def write_job(self):
        items = "".join(json.dumps({"id": key}) + "\n" for key in self.scenario.items)
        (self.root / "items.ndjson").write_text(items)
        step = self.command_step() if self.scenario.commands else self.http_step()
        path = self.root / "job.json"
        path.write_text(json.dumps({
            "lockstep": 1, "job": "shop", "lock": str(self.lock), "maxConcurrency": len(self.scenario.items),
            "maxPairAttempts": 1000, "items": {"ndjson": "items.ndjson", "key": "{$inputs.id}"}, "steps": [step]}))
        return path

    def command_step(self):
        for name, text in (("effect.sh", EFFECT), ("ask.sh", ASK)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)

        def phase(name):
            return {"command": ["./effect.sh", name, "{$inputs.id}"], "timeout": "20s", "inDoubt": ["probe"], "probe": {
                "command": ["./ask.sh", name, "{$inputs.id}"], "timeout": "20s", "settle": "1ms",
                "applied": "$stdout#/applied == true", "absent": "$stdout#/applied == false"}}
        return {"step": "ship", "first": phase("first"), "second": phase("second")}

    def http_step(self):
        url = self.api.url
        common = {"timeout": "10s", "deadline": "30s", "retry": {"maxAttempts": 2, "initialInterval": "5ms", "maxInterval": "5ms"}}

        def post(path, body, outputs):
            phase = {"http": {"method": "POST", "url": f"{url}/{path}", "body": body}, **common}
            if outputs:
                phase["outputs"] = {"rid": "$response.body#/id"}
            if self.scenario.keyed:
                return dict(phase, idempotencyKey={}, inDoubt=["resend"])
            return dict(phase, inDoubt=["probe"], probe={
                "http": {"method": "GET", "url": f"{url}/{path}", "query": {"order": "$inputs.id"}}, "timeout": "10s",
                "applied": "$response.body#/0 != null", "settle": "1ms",
                **({"outputs": {"rid": "$response.body#/0/id"}} if outputs else {})})
        first = post("reservations", {"order": "$inputs.id"}, True)
        first["compensate"] = {"http": {"method": "DELETE", "url": f"{url}/reservations/{{$steps.ship.first.outputs.rid}}"},
                               "success": "$statusCode == 204 || $statusCode == 404", **common}
        return {"step": "ship", "first": first, "second": post("captures", {"reservation": "$steps.ship.first.outputs.rid"}, False)}

    # ---- runs ----------------------------------------------------------------------------------------------------------------------

    def start(self, before=(), options=()):
        """A run, or a program that carries it out."""
        argv = [*map(str, before), LOCKSTEP, "run", str(self.job), "--state-dir", str(self.state), "--wait", "60s", *options]
        environment = dict(os.environ, TMPDIR=str(self.temporary), LC_ALL="C.UTF-8", **{MARK: self.mark})
        environment.pop("NOTIFY_SOCKET", None)
        with open(self.root / f"err.{len(self.told)}", "wb") as err:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd=self.root, env=environment)
        self.told.append(process)
        return process

    def end_of(self, process):
        """Exit status and what it said."""
        try:
            status = process.wait(3 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{process.args} does not end") from None
        # Without a key nobody can tell a call that comes too late from a second one.
        if self.api and not self.scenario.keyed:
            self.api.settle()
        return status, self.said(process)

    def said(self, process):
        return (self.root / f"err.{self.told.index(process)}").read_text(errors="replace")

    def run(self, *options):
        return self.end_of(self.start(options=options))

    def traced(self, *order):
        """(status, what it said, what at_syscall wrote) of a run under at_syscall."""
        out = self.root / "out.calls"
        status, said = self.end_of(self.start(before=(AT_SYSCALL, out, *order, "--")))
        if status == 125:
            raise AssertionError(f"at_syscall could not do it: {said}")
        return status, said, out.read_text() if out.exists() else ""

    def calls(self):
        """Every call of the guardian in a run that nothing happens to."""
        status, said, text = self.traced("list")
        if status != int(self.scenario.refused):
            raise AssertionError(f"{self.scenario.name}: exit status {status}: {said}")
        calls, of_thread, of_name = [], {}, {}
        for line in text.splitlines():
            thread, name, file = line.split(" ", 2)
            of_thread[thread] = of_thread.get(thread, 0) + 1
            if file:
                of_name[thread, name] = of_name.get((thread, name), 0) + 1
            calls.append(Call(int(thread), name, file, of_thread[thread], of_name[thread, name] if file else 0))
        return calls

    def leave_half_done(self):
        """What the scenario says of an earlier run."""
        where = self.scenario.killed_at
        if where and self.scenario.commands:
            (self.root / f"hold.{where}").touch()
            process = self.start()
            wait_until((self.root / "reached").exists, "the command")
            kill_one_of(process.pid, "both")
            (self.root / f"hold.{where}").unlink()
            self.end_of(process)
            # Else a run would sometimes wait for it, by calls that the others do not make.
            wait_until(lambda: not self.my_processes(), "the end of the command that was left at work")
        elif where:
            struck = []

            def strike(moment, call):
                if not struck and moment == APPLIED and call.kind == where:
                    struck.append(wait_until(lambda: self.told, "the run"))
                    kill_one_of(self.told[0].pid, "both")
            self.api.moment = strike
            status, said = self.end_of(self.start())
            # The guardian dies first: a quick front may say so before it is killed itself.
            if status not in (-signal.SIGKILL, GUARDIAN_KILLED):
                raise AssertionError(f"it was to be killed at {where}: {status} {said}")
            self.api.moment = lambda moment, call: None

    # ---- what must be true ------------------------------------------------------------------------------------------------------------

    def my_processes(self):
        return processes_marked(self.mark)

    def effects(self, key):
        """(all first phases that took effect, those not compensated, second phases)"""
        if self.api:
            world = self.api.world
            firsts = sum(line == f"reserve {key}" for line in world.history)
            return (firsts, *world.count(key)[:2])
        path = self.root / "effects.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return lines.count(f"first {key}"), lines.count(f"first {key}"), lines.count(f"second {key}")

    def states(self):
        with sqlite3.connect(f"file:{self.state}/shop.sqlite3?mode=ro", uri=True) as database:
            states = dict(database.execute("SELECT item_key, state FROM pairs"))
        database.close()
        return states

    def assert_nothing_left(self, files=True):
        wait_until(lambda: not self.my_processes(), f"the end of {self.my_processes()}")
        assert not os.path.lexists(self.lock), "the lock was left behind"
        assert not files or not os.listdir(self.temporary), f"left behind: {os.listdir(self.temporary)}"

    def assert_all_done(self):
        assert not self.api or not self.api.world.problems, self.api.world.problems
        for key in self.scenario.items:
            firsts, live, seconds = self.effects(key)
            assert (live, seconds) == (1, 1), f"{key}: {live} first, {seconds} second"
            assert firsts == 1 or self.scenario.refused, f"{key}: {firsts} first phases, though nobody refused anything"
        assert self.states() == {key: "done" for key in self.scenario.items}, self.states()

    def assert_whole(self, status, said):
        """After a run that nothing happened to: everything done, or compensated where it was refused."""
        self.assert_nothing_left(files=False)
        if not self.scenario.refused:
            assert status == 0, f"exit status {status}: {said}"
            self.assert_all_done()
            return
        assert status == 1, f"refused, but the exit status is {status}: {said}"
        assert not self.api.world.problems, self.api.world.problems
        for key in self.scenario.items:
            firsts, live, seconds = self.effects(key)
            assert (live, seconds) == (0, 0) and firsts > 0, f"{key}: {firsts} first, {live} not compensated, {seconds} second"
            story = [line.split()[0] for line in self.api.world.history if line.split()[1] == key]
            assert story == ["reserve", "release"] * firsts, f"not compensated before it began anew: {story}"
        assert self.states() == {key: "compensated" for key in self.scenario.items}, self.states()
        self.api.treat = lambda call: Fault()
        for key in self.scenario.items:  # named, it does not wait for its turn after so many failures
            status, said = self.run("--only", key)
            assert status == 0, f"exit status {status}: {said}"
        self.assert_all_done()
        self.assert_nothing_left(files=False)

    def tell(self):
        runs = "\n".join(f"--- exit status {process.poll()}:\n{self.said(process)}" for process in self.told)
        return f"{runs}\n{self.api.world.history if self.api else (self.root / 'effects.log').exists() and (self.root / 'effects.log').read_text()}"


def spread(points, wanted):
    """All, or `wanted` of them at even distances."""
    if FULL or len(points) <= wanted:
        return points
    return [points[(2 * n + 1) * len(points) // (2 * wanted)] for n in range(wanted)]


def for_each_scenario(begin):
    """Makes a class's try_scenario(scenario) a test of each; `begin` is how their names begin."""
    def add_tests(test_class):
        for scenario in SCENARIOS:
            name = scenario.name.replace(",", "").replace(" ", "_")
            setattr(test_class, f"test_{begin}_{name}", lambda self, scenario=scenario: self.try_scenario(scenario))
        return test_class
    return add_tests


class PointTest(CrashTest):
    def setUp(self):
        super().setUp()
        if not os.access(AT_SYSCALL, os.X_OK):
            self.fail(f"no at_syscall at {AT_SYSCALL}: build it, or name it by AT_SYSCALL=")

    def calls_of(self, scenario):
        place = Place(self.root / f"list {scenario.name}", scenario)
        try:
            place.leave_half_done()
            return place.calls()
        finally:
            place.close()

    def try_some(self, scenario, points, wanted, attempt):
        """try_points() for `wanted` of them. Returns what was returned where the point was reached."""
        chosen = spread(points, wanted)
        struck = [answer for answer in self.try_points(scenario, chosen, attempt) if answer]
        # A call that was never reached proves nothing.
        self.assertGreater(len(struck), len(chosen) * 3 // 4, "too few of the calls were reached")
        return struck

    def try_points(self, scenario, points, attempt):
        """attempt(place, point) for each, each in a place of its own. Returns what it returned: nothing where the point was not
        reached, for threads take turns a little differently every time; then it is tried again."""
        def one(number):
            for again in range(3):
                answer, problem = once(number, again)
                if answer or problem:
                    break
            return answer, problem

        def once(number, again):
            place = Place(self.root / f"{scenario.name} {number} {again}", scenario)
            try:
                place.leave_half_done()
                answer = attempt(place, points[number])
                shutil.rmtree(place.root, ignore_errors=True)
                return answer, None
            except Exception as problem:  # pylint: disable=broad-except
                where = "" if isinstance(problem, AssertionError) else traceback.format_exc()
                return None, f"{scenario.name}, {points[number]}: {problem}\n{where}{place.tell()}"
            finally:
                place.close()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(one, range(len(points))))
        self.reap()
        wrong = [problem for _, problem in results if problem]
        if wrong:
            shown = "\n\n".join(wrong[:4])
            self.fail(f"{len(wrong)} of {len(points)} points went wrong, among them:\n\n{shown}")
        return [answer for answer, _ in results]

"""`lockstep check --supervisord --systemd`: the supervisor's own configuration, read as the supervisor reads it."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import unittest

from supervisor import READ_CONFIG, needs_supervisord, read_by_supervisord
from support import LOCKSTEP, SystemTest, wait_until

# Each program runs a job of its own, {job}; what is odd about it is odd in a way that people write.
CONFIG = """
; A supervisord configuration with most of what its manual allows.
[supervisord]
user=root
logfile={root}/supervisord.log
environment=PATIENCE="31",JOBS="%(here)s"

[DEFAULT]
startsecs=0

[include]
files = conf.d/*.conf more/%(host_node_name)s.ini nothing/*.conf

[program:plain]
command={lockstep} loop {root}/plain.json
stopwaitsecs = 41     ; enough

[program:comments]
command={lockstep} loop "{root}/com#ments.json"    # a comment
STOPWAITSECS: 12

[program:continued]
command={lockstep}
  loop
  %(here)s/continued.json
stopwaitsecs=%(ENV_PATIENCE)s

[group:several]
programs=grouped,other

[program:grouped]
command={lockstep} loop %(ENV_JOBS)s/%(group_name)s-%(program_name)s.json
numprocs=2
process_name=%(program_name)s_%(process_num)02d
stopwaitsecs=13

[program:other]
command=sh -c 'exec {lockstep} loop {root}/other.json --log-level warning'
"""

INCLUDED = """
[program:included]
command={lockstep} loop %(here)s/../included.json
environment=HERE="%(here)s"
[program:plain]
stopwaitsecs=7
"""

JOBS = ["plain", "com#ments", "continued", "several-grouped", "other", "included", "by-host"]


class CheckTest(SystemTest):
    def check(self, *arguments, status):
        result = self.lockstep("check", *arguments, "--json")
        self.assertEqual(result.status, status, result.err)
        return json.loads(result.out) if result.out else None

    def job(self, name="job", seconds=20, **more):
        """A job whose longest pair takes twice (seconds + 5)."""
        return self.write_job({"lockstep": 1, "job": "job", "lock": str(self.lock), "every": "1s",
                               "steps": [{"step": "s", "first": self.command("true", timeout=f"{seconds}s"),
                                          "second": self.command("true", timeout=f"{seconds}s")}], **more}, f"{name}.json")


class OfSupervisord(CheckTest):
    @needs_supervisord
    def test_every_program_is_read_as_supervisord_itself_reads_it(self):
        (self.root / "conf.d").mkdir()
        (self.root / "more").mkdir()
        values = {"root": self.root, "lockstep": LOCKSTEP}
        config = self.root / "supervisord.conf"
        config.write_text(CONFIG.format(**values))
        (self.root / "conf.d/a.conf").write_text(INCLUDED.format(**values))
        (self.root / f"more/{os.uname().nodename}.ini").write_text(
            f"[program:by-host]\ncommand={LOCKSTEP} loop {self.root}/by-host.json\nstopwaitsecs=55\n")
        files = [self.job(name) for name in JOBS]
        theirs = {one["name"] if one["name"] == one["group"] else f"{one['group']}:{one['name']}": one["stopwaitsecs"]
                  for one in read_by_supervisord(self, config)}
        ours = {}
        for plan in self.check(*files, "--supervisord", config, status=1):
            one, = plan["supervised"]
            ours[one["name"]] = one["givenMs"] // 1000
        theirs.pop("several:grouped_01")  # of one program's processes the first stands for all
        self.assertEqual(ours, theirs)
        self.assertEqual(ours["plain"], 7, "an included file's setting counts")

    def config(self, settings):
        path = self.root / "supervisord.conf"
        path.write_text("[supervisord]\n[program:job]\ncommand=lockstep loop job.json\n"
                        f"directory={self.root}\n" + settings)
        return path

    def test_a_stop_that_would_be_cut_is_status_1_with_the_line_to_write(self):
        job = self.job()
        config = self.config("stopwaitsecs=49\nexitcodes=0,75\n")
        plan, = self.check(job, "--supervisord", config, status=1)
        one, = plan["supervised"]
        self.assertEqual((one["verdict"], one["longestPairMs"], one["neededSeconds"], one["givenMs"]), ("too short", 50000, 55, 49000))
        self.assertEqual(one["change"]["place"], {"file": str(config), "line": 5})
        self.assertEqual(one["change"]["write"], "stopwaitsecs=55")
        text = self.lockstep("check", job, "--supervisord", config).out
        self.assertIn(f"{config}:5: write stopwaitsecs=55", text)
        self.assertIn("too short", text)

    def test_the_line_that_it_names_is_enough(self):
        job = self.job()
        self.config("exitcodes=0,75\n")
        change = self.check(job, "--supervisord", self.root / "supervisord.conf", status=1)[0]["supervised"][0]["change"]
        self.assertTrue(change["add"])
        config = self.root / "supervisord.conf"
        lines = config.read_text().splitlines()
        lines.insert(change["place"]["line"], change["write"])
        config.write_text("\n".join(lines) + "\n")
        plan, = self.check(job, "--supervisord", config, status=0)
        self.assertEqual((plan["supervised"][0]["verdict"], plan["supervised"][0]["warnings"]), ("enough", []))

    def test_a_directory_in_place_of_a_configuration_is_told_as_one_included_or_named(self):
        place = self.root / "conf.d"
        place.mkdir()
        config = self.root / "supervisord.conf"
        config.write_text(f"[supervisord]\n[include]\nfiles={place}\n")
        for named in (place, config):
            with self.subTest(named=named):
                result = self.lockstep("check", self.job(), "--supervisord", named)
                self.assertEqual((result.status, result.err), (66, f"lockstep: reading {place}: Is a directory\n"))

    def test_what_setup_writes_is_enough_and_needs_no_word(self):
        job = self.job()
        self.assertEqual(self.lockstep("setup", "supervisord", job, "--write", self.root).status, 0)
        config = self.root / "supervisord.conf"
        config.write_text("[supervisord]\n[include]\nfiles=job.conf\n")
        plan, = self.check(job, "--supervisord", config, status=0)
        self.assertEqual(plan["supervised"][0]["verdict"], "enough")
        self.assertEqual(plan["supervised"][0]["warnings"], [])

    def test_a_job_that_nothing_runs_is_status_1_and_says_how_to_add_it(self):
        self.job()
        other = self.job("other")
        result = self.lockstep("check", other, "--supervisord", self.config(""))
        self.assertEqual(result.status, 1)
        self.assertIn("lockstep setup supervisord", result.out)

    def in_hand(self, argv, line):
        """Starts that, holds the call that begins with this line of the story, and says which program the process has become."""
        release = self.hold_story(line)
        process = self.start(*argv)
        self.wait_for_story(line)
        return process, pathlib.Path(os.readlink(f"/proc/{process.pid}/exe")).name, release

    def test_a_shell_stays_in_front_where_that_is_told_and_makes_room_where_it_says_what_is_advised(self):
        job = self.article()
        for shell, script in (("sh", "exec 2>>{log}; {run}"), ("sh", "cd / && {run} | cat"), ("bash", "exec {run} 2>&1 | cat >{log}"),
                              ("sh", "(exec {run})"), ("bash", "exec {run} & wait")):
            with self.subTest(shell=shell, script=script):
                script = script.format(log=self.root / "log", run=f"{LOCKSTEP} run {job} --state-dir {self.state}")
                config = self.config("stopwaitsecs=100\nexitcodes=0,75\n")
                config.write_text(config.read_text().replace("lockstep loop job.json", f"{shell} -c {shlex.quote(script)}"))
                told = self.check(job, "--supervisord", config, status=1)[0]["supervised"][0]
                self.assertEqual(told["verdict"], "lost")
                warning, = told["warnings"]
                lines = len(self.story())
                process, program, release = self.in_hand([shell, "-c", script], lines + 1)
                self.assertIn(program, ("dash", "bash"))
                release()
                process.wait()
                self.assert_nothing_left()
                advised = warning["write"]
                argv = shlex.split(advised.removeprefix("command=")) if advised.startswith("command=") else [shell, "-c", advised]
                process, program, release = self.in_hand(argv, lines + 5)
                self.assertEqual(program, "lockstep-job")
                process.send(signal.SIGTERM)
                release()
                self.assertIn(process.wait(), (0, 75))
                self.assert_whole_pairs(at_least=2)

    def test_what_stays_in_front_ends_by_a_stop_that_lockstep_never_hears_of_and_the_line_to_write_is_stopped(self):
        job = self.article()
        run = [LOCKSTEP, "run", job, "--state-dir", self.state]
        for front, verdict in ((["flock", "-n", self.root / "file"], "lost"), (["setlock", "-n", self.root / "file"], "enough"),
                               (["env", "nice", "flock", self.root / "file"], "lost"), (["timeout", "1h"], "enough"),
                               (["timeout", "-k", "0.1", "1h"], "too short")):
            if shutil.which(front[0]) is None:
                continue
            with self.subTest(front=front):
                argv = [str(word) for word in front + run]
                config = self.config("stopwaitsecs=100\nexitcodes=0,75\n")
                config.write_text(config.read_text().replace("lockstep loop job.json", shlex.join(argv)))
                told = self.check(job, "--supervisord", config, status=verdict != "enough")[0]["supervised"][0]
                self.assertEqual(told["verdict"], verdict)
                lines = len(self.story())
                process, _, release = self.in_hand(argv, lines + 1)
                process.send(signal.SIGTERM)
                if verdict != "enough":
                    self.assertIn(process.wait(), (-signal.SIGTERM, -signal.SIGKILL), "it has not waited for the pair")
                release()
                process.wait()
                wait_until(lambda: not self.lock.exists(), "the lock is given back")
                advised = shlex.split(told["warnings"][0]["write"].removeprefix("command=")) if told["warnings"] else argv
                process, _, release = self.in_hand(advised, len(self.story()) + 1)
                process.send(signal.SIGTERM)
                release()
                self.assertIn(process.wait(), (0, 75))
                self.assert_whole_pairs(at_least=1)

    def test_lockstep_exec_in_front_defers_a_stop_and_the_time_that_is_named_is_enough(self):
        job = self.job(seconds=1)
        config = self.config("stopwaitsecs=18\nexitcodes=0,75\n")
        config.write_text(config.read_text().replace("lockstep loop", "lockstep exec --grace 7s x -- lockstep loop"))
        one = self.check(job, "--supervisord", config, status=1)[0]["supervised"][0]
        self.assertEqual((one["verdict"], one["neededSeconds"], one["change"]["write"]), ("too short", 24, "stopwaitsecs=24"))

    def test_no_value_of_an_option_of_lockstep_exec_is_taken_for_its_command(self):
        job = self.job(seconds=1)
        config = self.config("stopwaitsecs=18\nexitcodes=0,75\n")
        text = config.read_text()
        options = re.findall(r"^ +(?:(-\w), )?(--[\w-]+) ([A-Z]\S*)", self.lockstep("exec", "--help").out, re.MULTILINE)
        self.assertGreaterEqual({long for _, long, _ in options}, {"--lock", "--wait", "--busy-status", "--limit", "--grace"})
        for short, long, meaning in options:
            if long in ("--grace", "--shell"):
                continue
            value = {"NAME|PATH": "run", "N": "7"}.get(meaning, "9s")
            name = "" if long == "--lock" else "loop "
            for words in (f"{long} {value}", f"{long}={value}", *((f"{short} {value}", f"{short}{value}") if short else ())):
                with self.subTest(words=words):
                    front = f"lockstep exec {words} --grace 7s {name}-- lockstep loop"
                    config.write_text(text.replace("lockstep loop", front))
                    one = self.check(job, "--supervisord", config, status=1)[0]["supervised"][0]
                    self.assertEqual((one["verdict"], one["neededSeconds"]), ("too short", 24))

    @needs_supervisord
    def test_a_percent_sign_with_which_supervisord_does_not_start_is_an_error_of_the_configuration(self):
        job = self.job()
        for setting in ("command=lockstep loop job.json --set a=100%", "environment=A=\"5% x\"", "directory=/tmp/%d"):
            with self.subTest(setting=setting):
                config = self.config("stopwaitsecs=100\nexitcodes=0,75\n")
                text = config.read_text()
                name = setting.partition("=")[0]
                text = "\n".join(line for line in text.splitlines() if not line.startswith(name)) + f"\n{setting}\n"
                config.write_text(text)
                theirs = self.run_to_end("/usr/bin/python3", "-c", READ_CONFIG, config)
                self.assertNotEqual(theirs.status, 0, "supervisord reads it")
                result = self.lockstep("check", job, "--supervisord", config)
                self.assertEqual(result.status, 78, result.out)
                self.assertIn(f"{name}=", result.err)
                self.assertIn("write %%", result.err)
                config.write_text(text.replace("%", "%%").replace("directory=/tmp/%%d", f"directory={self.root}"))
                read_by_supervisord(self, config)
                self.assertNotEqual(self.lockstep("check", job, "--supervisord", config).status, 78)

    def test_a_configuration_that_cannot_be_read_is_an_error_of_its_own(self):
        self.assertEqual(self.lockstep("check", self.job(), "--supervisord", self.root / "none.conf").status, 66)
        broken = self.root / "broken.conf"
        broken.write_text("command=x\n")
        result = self.lockstep("check", self.job(), "--supervisord", broken)
        self.assertEqual(result.status, 78)
        self.assertIn(f"{broken}:1:", result.err)


class OfSystemd(CheckTest):
    def test_what_setup_writes_is_enough_and_needs_no_word(self):
        job = self.job(lock="/tmp/lockstep-test-never-taken.lock")
        self.assertEqual(self.lockstep("setup", "systemd", job, "--write", self.root).status, 0)
        plan, = self.check(job, "--systemd", self.root / "job.service", status=0)
        self.assertEqual((plan["supervised"][0]["verdict"], plan["supervised"][0]["warnings"]), ("enough", []))

    def test_a_drop_in_that_shortens_it_is_found_and_named(self):
        job = self.job(lock="/tmp/lockstep-test-never-taken.lock")
        self.lockstep("setup", "systemd", job, "--write", self.root)
        drop_in = self.root / "job.service.d/50-hasty.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nTimeoutStopSec=20\nPrivateTmp=yes\nKillMode=control-group\n")
        plan, = self.check(job, "--systemd", self.root / "job.service", status=1)
        one, = plan["supervised"]
        self.assertEqual((one["verdict"], one["givenMs"]), ("too short", 20000))
        self.assertEqual(one["change"]["place"], {"file": str(drop_in), "line": 2})
        self.assertEqual([w["write"] for w in one["warnings"]], ["KillMode=mixed", "PrivateTmp=no"])
        self.assertEqual({w["place"]["file"] for w in one["warnings"]}, {str(drop_in)})

    def test_a_timeout_that_the_run_extends_is_enough(self):
        job = self.job(lock="/tmp/lockstep-test-never-taken.lock")
        unit = self.root / "job.service"
        unit.write_text(f"[Service]\nExecStart={LOCKSTEP} loop {job}\nKillMode=mixed\nNotifyAccess=main\nTimeoutStopSec=3\n")
        one, = self.check(job, "--systemd", unit, status=0)[0]["supervised"]
        self.assertEqual((one["verdict"], one["extended"], one["givenMs"], one["change"]), ("enough", True, 3000, None))
        self.assertIn("asks for more time as it goes", self.lockstep("check", job, "--systemd", unit).out)
        unit.write_text(unit.read_text().replace("mixed", "control-group"))
        self.check(job, "--systemd", unit, status=1)

    def test_a_unit_that_names_its_job_in_a_roundabout_way_is_found_to_run_it(self):
        job = self.job()
        unit = self.root / "job.service"
        for lines in (f'Environment="JOB={job}"\nExecStart={LOCKSTEP} loop ${{JOB}}',
                      f"WorkingDirectory=-{self.root}\nExecStart={LOCKSTEP} loop job.json",
                      f"ExecStart={LOCKSTEP} loop {self.root}/\\x6aob.json"):
            with self.subTest(lines=lines):
                unit.write_text(f"[Service]\n{lines}\nTimeoutStopSec=60\n")
                one, = self.check(job, "--systemd", unit, status=0)[0]["supervised"]
                self.assertEqual(one["name"], "job.service")

    def test_where_it_cannot_be_told_which_job_is_run_no_second_entry_is_advised(self):
        job = self.job()
        unit = self.root / "job.service"
        config = self.root / "supervisord.conf"
        config.write_text("[supervisord]\n[program:job]\ncommand=lockstep loop job.json\n")
        for word in ("${JOB}", "%h/job.json"):
            unit.write_text(f"[Service]\nExecStart={LOCKSTEP} loop {word}\n")
            result = self.lockstep("check", job, "--systemd", unit, "--supervisord", config)
            self.assertEqual(result.status, 1)
            self.assertIn(f"  it cannot be told whether job.service ({unit}:1) runs it: what {word} is is not known here\n", result.out)
            self.assertIn(f"  it cannot be told whether job ({config}:2) runs it: where job.json lies is not known here\n", result.out)
            self.assertNotIn("lockstep setup", result.out)

    def test_a_plain_unit_has_systemds_defaults(self):
        unit = self.root / "plain.service"
        unit.write_text(f"[Service]\nExecStart={LOCKSTEP} loop {self.job(seconds=60)}\n")
        plan, = self.check(self.job(seconds=60), "--systemd", unit, status=1)
        one, = plan["supervised"]
        self.assertEqual((one["givenMs"], one["settingPlace"], one["change"]["add"]), (90000, None, True))
        self.assertEqual([w["write"] for w in one["warnings"]], ["KillMode=mixed", "SuccessExitStatus=75"])

    def test_a_unit_that_is_not_there_is_an_error(self):
        result = self.lockstep("check", self.job(), "--systemd", "lockstep-no-such-unit")
        self.assertEqual(result.status, 66)
        self.assertIn("lockstep-no-such-unit.service", result.err)


if __name__ == "__main__":
    unittest.main()

"""Under a real systemd, as the first process of private namespaces: stopped in every way that a unit can be told to stop."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest

from support import LOCKSTEP, SystemTest, wait_until
from systemd import FOR_ALL, Systemd, needs_systemd

TOO_SHORT = "a stop can be cut"  # the article's longest pair takes 50 s


@needs_systemd
class UnderSystemd(SystemTest):
    def boot(self):
        self.systemd = Systemd(self)
        return self.systemd

    def loop(self, *settings, name="job", job=None, options=(), **more):
        """A service of the article's job, started."""
        job = job or self.article(**more)
        command = " ".join(map(str, [LOCKSTEP, "loop", job, "--state-dir", self.state, *options]))
        self.systemd.service(name, command, *settings)
        self.systemd.do("start", name)

    def stopped_cleanly(self, name="job", directory=None, at_least=1):
        self.assertEqual(self.systemd.show(name, "Result"), "success", self.systemd.log(name))
        self.assert_whole_pairs(directory, at_least)
        self.assertFalse(((directory or self.root) / "job.lock").exists())

    def test_a_stop_divides_no_pair_whatever_the_kill_mode(self):
        self.boot()
        for mode in ("control-group", "mixed", "process"):
            with self.subTest(mode):
                self.loop(f"KillMode={mode}", "TimeoutStopSec=20s", "SuccessExitStatus=75", seconds=0.5)
                before = len(self.story())
                self.wait_for_story(before + 1)
                self.systemd.do("stop", "job")
                self.assertIn("signal received: SIGTERM from pid 1", self.systemd.log("job"))
                self.stopped_cleanly()

    def test_without_the_shield_control_group_does_cut_a_command(self):
        self.boot()
        self.hold_story(1)
        job = self.article(seconds=0, shield=False)
        self.loop("KillMode=control-group", "TimeoutStopSec=20s", job=job)
        self.wait_for_story(1)
        self.systemd.do("stop", "job")
        self.assertEqual(self.story(), ["start proc 1"])
        self.assertIn("KillMode=control-group sends SIGTERM to the commands in hand, too: write KillMode=mixed",
                      self.systemd.log("job").replace(", the default,", ""))

    def test_an_answer_of_systemd_that_comes_in_the_middle_of_a_pass_shields_what_it_begins_from_then_on(self):
        self.boot()
        slow = self.root / "bin" / "systemctl"
        slow.parent.mkdir()
        slow.write_text(f'#!/bin/sh\nuntil [ -e {self.root}/answer ]; do sleep 0.01; done\nPATH={os.environ["PATH"]}\nexec systemctl "$@"\n')
        slow.chmod(0o755)
        end_first, end_second = self.hold_story(1), self.hold_story(3)
        self.loop("KillMode=control-group", "SuccessExitStatus=75", f"Environment=PATH={slow.parent}:{os.environ['PATH']}", seconds=0)
        self.wait_for_story(1)
        (self.root / "answer").touch()
        wait_until(lambda: "sends SIGTERM to the commands in hand" in self.systemd.log("job"), "the answer")
        end_first()
        self.wait_for_story(3)
        self.systemd.do("stop", "--no-block", "job")
        wait_until(lambda: "signal received" in self.systemd.log("job"), "the stop")
        end_second()
        wait_until(lambda: self.systemd.show("job", "ActiveState") == "inactive", "the end")
        self.stopped_cleanly()

    def test_a_stop_timeout_that_is_too_short_is_extended_where_systemd_listens(self):
        self.boot()
        self.loop("KillMode=mixed", "TimeoutStopSec=2s", "NotifyAccess=main", seconds=2)
        self.wait_for_story(1)
        self.systemd.do("stop", "job")
        self.stopped_cleanly()
        log = self.systemd.log("job")
        self.assertIn("asked for more time as long as it takes", log)
        self.assertNotIn(TOO_SHORT, log)
        result = self.systemd.lockstep("check", self.root / "job.json", "--systemd", "job", "--json")
        one, = json.loads(result.out)[0]["supervised"]
        self.assertEqual((result.status, one["verdict"], one["extended"], one["givenMs"]), (0, "enough", True, 2000))

    def test_where_it_does_not_listen_the_pair_is_cut_and_the_warning_had_said_so(self):
        self.boot()
        self.hold_story(1)
        self.loop("KillMode=mixed", "TimeoutStopSec=1s", seconds=0)
        self.wait_for_story(1)
        wait_until(lambda: TOO_SHORT in self.systemd.log("job"), "the warning")
        self.assertIn(f"({self.root}/units/job.service:", self.systemd.log("job"))
        self.systemd.do("stop", "job")
        self.assertEqual(self.systemd.show("job", "Result"), "timeout")
        self.assertEqual(self.story(), ["start proc 1"])

    def test_strict_begins_nothing(self):
        self.boot()
        job = self.article()
        self.systemd.service("job", f"{LOCKSTEP} run {job} --state-dir {self.state} --strict", "Type=oneshot", "TimeoutStopSec=1s")
        self.assertNotEqual(self.systemd.systemctl("start", "job").status, 0)
        self.assertEqual(self.systemd.show("job", "ExecMainStatus"), "78")
        self.assertEqual(len(self.story()) % 4, 0)

    def test_what_setup_writes_runs_and_stops_and_needs_no_word(self):
        self.boot()
        job = self.article(seconds=0.3)
        written = self.lockstep("setup", "systemd", job, "--write", self.systemd.units, "--state-dir", self.state)
        self.assertEqual(written.status, 0, written.err)
        drop_in = self.systemd.units / "article.service.d"
        drop_in.mkdir()
        (drop_in / "log.conf").write_text(f"[Unit]\nWants=\nAfter=\n[Service]\nStandardError=append:{self.root}/article.log\n")
        self.systemd.do("daemon-reload")
        self.systemd.do("start", "article")
        self.wait_for_story(1)
        self.systemd.do("stop", "article")
        self.stopped_cleanly("article")
        self.assertNotIn("systemd", self.systemd.log("article"))

    def test_check_asks_the_manager_and_agrees_with_it(self):
        self.boot()
        job = self.article()
        self.systemd.service("job", f"{LOCKSTEP} loop {job} --state-dir {self.state}", "TimeoutStopSec=30s")
        drop_in = self.systemd.units / "job.service.d"
        drop_in.mkdir()
        (drop_in / "10.conf").write_text("[Service]\nTimeoutStopSec=1min 1s\nKillMode=mixed\n")
        self.systemd.do("daemon-reload")
        self.systemd.do("start", "job")  # a unit that is not in use is read anew each time
        result = self.systemd.lockstep("check", job, "--systemd", "job", "--json")
        one, = json.loads(result.out)[0]["supervised"]
        self.assertEqual((result.status, one["verdict"], one["givenMs"]), (0, "enough", 61000))
        self.assertEqual(self.systemd.show("job", "TimeoutStopUSec"), "1min 1s")
        self.assertEqual(one["settingPlace"], {"file": str(drop_in / "10.conf"), "line": 2})
        (drop_in / "10.conf").write_text("[Service]\nTimeoutStopSec=2s\nKillMode=mixed\n")
        result = self.systemd.lockstep("check", job, "--systemd", "job", "--json")
        one, = json.loads(result.out)[0]["supervised"]
        self.assertEqual(one["givenMs"], 61000, "what the manager goes by, not what the file says meanwhile")
        self.assertIn("run: systemctl daemon-reload", [warning["write"] for warning in one["warnings"]])

    def test_a_private_tmp_is_warned_of(self):
        self.boot()
        # A unit with a /tmp of its own does not see the test's directory, nor a program that was built in /tmp.
        outside = pathlib.Path(tempfile.mkdtemp(prefix="lockstep-system-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, outside)
        for program in (LOCKSTEP, LOCKSTEP + "-job"):
            shutil.copy(program, outside)
        lock = f"/tmp/lockstep-test-{self.mark}.lock"
        job = self.article(seconds=0, directory=outside, lock=lock)
        self.systemd.service("job", f"{outside}/lockstep run {job} --state-dir {outside}/state", "Type=oneshot", "PrivateTmp=yes",
                             "KillMode=mixed", "TimeoutStopSec=60s")
        self.systemd.do("start", "job")
        self.assert_whole_pairs(outside, at_least=1)
        self.assertIn(f"PrivateTmp=yes gives it a /tmp of its own: no run outside meets the lock {lock}", self.systemd.log("job"))
        self.assertFalse(os.path.exists(lock))

    def test_a_timer_starts_no_second_pass_beside_one_at_work(self):
        self.boot()
        job = self.article(seconds=0.7)
        self.systemd.service("job", f"{LOCKSTEP} run {job} --state-dir {self.state}", "Type=oneshot", "KillMode=mixed")
        self.systemd.add("job.timer", "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=300ms\nAccuracySec=1ms\n")
        self.systemd.do("start", "job.timer")
        self.wait_for_story(11)
        self.systemd.do("stop", "job.timer")
        self.systemd.do("stop", "job")
        self.assert_whole_pairs(at_least=3)
        self.assertNotIn("busy", self.systemd.log("job"))

    def test_a_shutdown_with_ten_jobs_divides_no_pair(self):
        self.boot()
        names = [f"job{number}" for number in range(10)]
        for name in names:
            directory = self.root / name
            directory.mkdir()
            job = self.article(seconds=0.4, directory=directory)
            self.systemd.service(name, f"{LOCKSTEP} loop {job} --state-dir {self.state / name}", "KillMode=mixed", "TimeoutStopSec=20s")
        self.systemd.do("start", *names)
        for name in names:
            self.wait_for_story(1, self.root / name)
        # What a shutdown does to services; the machine that it would then switch off is not ours.
        self.systemd.do("start", "--job-mode=replace-irreversibly", "shutdown.target")
        for name in names:
            self.assertEqual(self.systemd.show(name, "ActiveState"), "inactive")
            self.stopped_cleanly(name, self.root / name)

    def start_logind(self):
        """A real logind on a bus of its own. Its reboot is a target of ours, in which nothing happens."""
        self.systemd.add("reboot.target", "[Unit]\nDefaultDependencies=no\n")
        # By these names systemd itself finds the bus, on which logind asks it for the reboot.
        self.systemd.add("dbus.socket", FOR_ALL + "[Socket]\nListenStream=/run/dbus/system_bus_socket\n")
        self.systemd.service("dbus", "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation",
                             "Type=notify", unit="Requires=dbus.socket")
        self.systemd.do("start", "dbus.socket", "dbus")
        wait_until(lambda: self.systemd.run("busctl", "list").status == 0, "the bus")
        self.systemd.service("logind", "/lib/systemd/systemd-logind", "RuntimeDirectory=systemd/seats systemd/inhibit systemd/users "
                             "systemd/sessions", "RuntimeDirectoryPreserve=yes", unit="After=dbus.service")
        self.systemd.do("start", "logind")
        wait_until(lambda: "org.freedesktop.login1 " in self.systemd.run("busctl", "list", "--no-pager", "--acquired").out, "logind")

    def delays(self):
        return self.systemd.run("systemd-inhibit", "--list", "--no-legend", "--no-pager").out

    @unittest.skipUnless(os.access("/usr/bin/dbus-daemon", os.X_OK) and os.access("/lib/systemd/systemd-logind", os.X_OK),
                         "Debian's package dbus is not installed")
    def test_logind_lets_a_pair_end_before_the_machine_goes_down_and_only_a_pair(self):
        self.boot()
        self.start_logind()
        let_go = self.hold_story(1)
        self.loop(seconds=0, pause="1h")
        self.wait_for_story(1)
        wait_until(lambda: "article finishes what it has begun" in self.delays(), "the delay")
        self.assertIn("delay", self.delays())
        asked = self.systemd.run("busctl", "call", "org.freedesktop.login1", "/org/freedesktop/login1",
                                 "org.freedesktop.login1.Manager", "Reboot", "b", "false")
        self.assertEqual(asked.status, 0, asked.err + self.systemd.log("logind"))
        self.assertEqual(self.systemd.systemctl("is-active", "reboot.target").out.strip(), "inactive")
        let_go()
        wait_until(lambda: self.systemd.systemctl("is-active", "reboot.target").out.strip() == "active", "the reboot")
        self.assert_whole_pairs(at_least=1)
        self.assertEqual(len(self.story()), 4)
        self.assertIn("stop request: the machine is about to shut down; finishing", self.systemd.log("job"))

    @unittest.skipUnless(os.access("/usr/bin/dbus-daemon", os.X_OK) and os.access("/lib/systemd/systemd-logind", os.X_OK),
                         "Debian's package dbus is not installed")
    def test_a_pause_delays_no_shutdown(self):
        self.boot()
        self.start_logind()
        self.loop(seconds=0.1, pause="60s")
        self.wait_for_story(4)
        wait_until(lambda: "article" not in self.delays(), "the end of the delay")
        self.systemd.do("stop", "job")
        self.stopped_cleanly()

    def test_the_machines_own_kernel_settings_cannot_be_written_from_inside(self):
        self.boot()
        result = self.systemd.run("sh", "-c", "echo 7 >/proc/sys/kernel/printk_ratelimit_burst")
        self.assertNotEqual(result.status, 0)
        self.assertIn("Read-only file system", result.err)


if __name__ == "__main__":
    unittest.main()

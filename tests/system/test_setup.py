"""What `lockstep setup` and `lockstep init` write, read by the programs that it is written for."""

import os
import shutil
import unittest

import yaml

from supervisor import Supervisord, needs_supervisord, read_by_supervisord
from support import LOCKSTEP, SystemTest

ODD = "a b; c #d 100% $HOME it's"  # a directory whose name means something in every syntax


class SetupTest(SystemTest):
    def setup(self, *arguments, status=0):
        result = self.lockstep("setup", *arguments)
        self.assertEqual(result.status, status, result.err)
        return result

    def odd_job(self, **more):
        """A job in a directory with an odd name: 20 s + 5 s for each of its two commands, so the longest pair takes 50 s."""
        directory = self.root / ODD
        directory.mkdir()
        return self.article(directory=directory, **more)


class ForSupervisord(SetupTest):
    def read(self, entry):
        config = self.root / "supervisord.conf"
        config.write_text(f"[supervisord]\nuser=root\nlogfile={self.root}/supervisord.log\n[include]\nfiles={entry}\n")
        return read_by_supervisord(self, config)

    @needs_supervisord
    def test_supervisords_own_parser_reads_the_entry_as_it_is_meant(self):
        job = self.odd_job()
        self.setup("supervisord", job, "--write", self.root, "--state-dir", self.state, "--every", "3s")
        program, = self.read(self.root / "article.conf")
        self.assertEqual(program["words"], [LOCKSTEP, "loop", str(job), "--state-dir", str(self.state), "--every", "3s"])
        self.assertEqual({name: program[name] for name in ("name", "stopwaitsecs", "stopasgroup", "killasgroup", "startsecs")},
                         {"name": "article", "stopwaitsecs": 55, "stopasgroup": False, "killasgroup": False, "startsecs": 1})
        self.assertEqual(program["exitcodes"][:2], [0, 75])
        self.assertEqual(program["stopsignal"], 15)
        self.assertEqual(program["uid"], os.geteuid())

    @needs_supervisord
    def test_the_entry_runs_under_supervisord_and_a_stop_divides_no_pair(self):
        job = self.article(seconds=0.3)
        self.setup("supervisord", job, "--write", self.root, "--state-dir", self.state)
        supervisord = Supervisord(self, {}, include=self.root / "article.conf")
        self.wait_for_story(1)
        supervisord.stop("article", True)
        info = supervisord.wait_for_state("article", "STOPPED")
        self.assertEqual(info["exitstatus"], 0)
        self.assert_whole_pairs(at_least=1)
        supervisord.shut_down()
        self.assert_nothing_left()

    @needs_supervisord
    def test_a_run_that_cannot_start_is_fatal_after_some_tries_and_is_not_started_for_ever(self):
        self.lock.write_text("no lock\n")
        job = self.article(pause="100ms")
        self.setup("supervisord", job, "--write", self.root, "--state-dir", self.state)
        entry = self.root / "article.conf"
        entry.write_text(entry.read_text().replace("startretries=10", "startretries=1"))
        supervisord = Supervisord(self, {}, include=entry)
        supervisord.wait_for_state("article", "FATAL")
        supervisord.shut_down()
        log = (self.root / "supervisord.log").read_text()
        self.assertEqual(log.count("exit status 73"), 2, log)
        self.assertNotIn("entered RUNNING", log)

    def test_a_job_without_a_pause_is_refused_and_the_option_is_named(self):
        job = self.write_job({"lockstep": 1, "job": "one", "steps": [{"step": "s", "first": self.command("true")}]})
        self.assertIn("--every", self.setup("supervisord", job, status=64).err)
        self.assertIn("no timetable", self.setup("supervisord", job, "--schedule", "@daily", status=64).err)


@unittest.skipUnless(shutil.which("systemd-analyze"), "Debian's package systemd is not installed")
class ForSystemd(SetupTest):
    def verify(self, *units):
        result = self.run_to_end("systemd-analyze", "verify", *units)
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))

    def test_systemd_finds_nothing_wrong_with_a_loops_service(self):
        self.setup("systemd", self.odd_job(), "--write", self.root)
        self.verify(self.root / "article.service")
        self.assertFalse((self.root / "article.timer").exists())

    def test_systemd_finds_nothing_wrong_with_a_service_and_its_timer(self):
        self.setup("systemd", self.odd_job(), "--write", self.root, "--schedule", "Mon..Fri *-*-* 03:00")
        self.verify(self.root / "article.service", self.root / "article.timer")

    def test_the_words_of_cron_are_not_taken_for_systemds(self):
        for times in ("*/5 * * * *", "99 * * * *", "@daily"):
            said = self.setup("systemd", self.article(), "--write", self.root, "--schedule", times, status=64).err
            self.assertIn("is written for cron", said)
        self.assertFalse((self.root / "article.timer").exists())

    def test_times_that_systemd_does_not_understand_are_refused_unless_nobody_can_be_asked(self):
        for times in ("nonsense", "Mon..Fri 25:00", "--version"):
            said = self.setup("systemd", self.article(), "--write", self.root, f"--schedule={times}", status=64).err
            self.assertIn(f'"{times}" is no calendar expression', said)
        self.assertFalse((self.root / "article.service").exists())
        result = self.lockstep("setup", "systemd", self.article(), "--schedule", "nonsense", env=self.environment(PATH="/nowhere"))
        self.assertEqual((result.status, "\nOnCalendar=nonsense\n" in result.out), (0, True), result.err)

    def test_systemd_would_find_a_wrong_one(self):
        self.setup("systemd", self.article(), "--write", self.root)
        unit = self.root / "article.service"
        unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=mixd"))
        self.assertIn("kill mode", self.run_to_end("systemd-analyze", "verify", unit).err)


class ForKubernetes(SetupTest):
    def documents(self, *arguments):
        return list(yaml.safe_load_all(self.setup("kubernetes", *arguments).out))

    def test_a_loop_is_a_deployment_that_waits_long_enough_and_is_never_there_twice(self):
        job = self.odd_job()
        claim, deployment = self.documents(job, "--image", "registry.example/shop:1.2")
        self.assertEqual((claim["kind"], deployment["kind"]), ("PersistentVolumeClaim", "Deployment"))
        spec = deployment["spec"]
        self.assertEqual((spec["replicas"], spec["strategy"]), (1, {"type": "Recreate"}))
        self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
        pod = spec["template"]["spec"]
        self.assertEqual(pod["terminationGracePeriodSeconds"], 55)
        container, = pod["containers"]
        self.assertEqual(container["command"], ["lockstep", "loop", str(job), "--state-dir", "/var/lib/lockstep", "--stop-timeout", "55s"])
        self.assertEqual(container["image"], "registry.example/shop:1.2")
        self.assertEqual(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"])
        self.assertEqual(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"])

    def test_a_job_at_set_times_is_a_cron_job_that_forbids_two_at_once(self):
        _, cron_job = self.documents(self.article(), "--schedule", "*/5 * * * *")
        self.assertEqual((cron_job["kind"], cron_job["spec"]["schedule"]), ("CronJob", "*/5 * * * *"))
        self.assertEqual(cron_job["spec"]["concurrencyPolicy"], "Forbid")
        pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        self.assertEqual((pod["terminationGracePeriodSeconds"], pod["restartPolicy"]), (55, "Never"))
        self.assertEqual(pod["containers"][0]["command"][:2], ["lockstep", "run"])

    def test_the_journal_lies_on_the_volume_wherever_it_is_to_lie(self):
        for state, options in (("/var/lib/lockstep", []), ("/data/a b", ["--state-dir", "/data/a b"])):
            _, deployment = self.documents(self.article(), *options)
            container, = deployment["spec"]["template"]["spec"]["containers"]
            self.assertEqual(container["command"][3:5], ["--state-dir", state])
            self.assertEqual([mount["mountPath"] for mount in container["volumeMounts"]], [state])

    def test_a_dollar_in_front_of_a_parenthesis_is_not_expanded_in_the_pod(self):
        _, cron_job = self.documents(self.article(params={"a": "x"}, key="{$params.a}"), "--schedule", "@daily", "--set", "a=$(B)")
        command = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"]
        self.assertIn("a=$$(B)", command)


@unittest.skipUnless(shutil.which("crontab"), "Debian's package cron is not installed")
class ForCron(SetupTest):
    def test_crontab_accepts_the_lines(self):
        self.setup("cron", self.odd_job(), "--write", self.root, "--schedule", "*/5 * * * *")
        result = self.run_to_end("crontab", "-n", self.root / "article.crontab")
        self.assertEqual(result.status, 0, result.err)
        wrong = self.root / "wrong"
        wrong.write_text("*/5 * * *  lockstep\n")
        self.assertNotEqual(self.run_to_end("crontab", "-n", wrong).status, 0, "crontab -n must see a wrong line")

    def test_a_file_for_cron_d_names_the_account_and_has_no_dot_in_its_name(self):
        self.setup("cron", self.article(), "--write", self.root, "--user", "www-data")
        self.assertRegex((self.root / "article").read_text(), r"\n0 \* \* \* \*  www-data  PATH=")

    def test_what_crontab_would_refuse_is_refused_with_what_is_wrong(self):
        job = self.article()
        for times in ("99 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "mon * * * *", "*/0 * * * *", "5/10 * * * *",
                      "1, * * * *", "* * * january *", "@bogus", "@every 5m", "* * * *"):
            with self.subTest(times):
                crontab = self.root / "wrong"
                crontab.write_text(f"{times}  true\n")
                self.assertNotEqual(self.run_to_end("crontab", "-n", crontab).status, 0, "crontab takes it")
                refused = self.setup("cron", job, "--schedule", times, status=64)
                self.assertEqual((refused.out, len(refused.err.splitlines())), ("", 1))
                self.assertIn(f'--schedule "{times}"', refused.err)

    def test_an_account_that_is_more_than_one_word_is_refused(self):
        job = self.article()
        for user in ("no such", "root rm -rf", "a\nb", "-x", "a%b"):
            with self.subTest(user):
                self.assertIn("is not the name of an account", self.setup("cron", job, f"--user={user}", status=64).err)
        self.setup("cron", job, "--user", "www-data")

    def test_what_sh_makes_of_the_command_is_the_job_that_was_meant(self):
        job = self.odd_job()
        line = self.setup("cron", job, "--state-dir", self.state).out.splitlines()[-1]
        command = line.removeprefix("0 * * * *  ").replace("\\%", "%")  # what cron itself does to it
        result = self.run_to_end("/bin/sh", "-c", command)
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))
        self.assertEqual(self.assert_whole_pairs(job.parent), 1)


class Writing(SetupTest):
    def test_what_was_written_before_a_file_that_cannot_be_is_told(self):
        job = self.article()
        (self.root / "article.timer").mkdir()
        err = self.setup("systemd", job, "--write", self.root, "--schedule", "hourly", "--force", status=71).err
        self.assertRegex(err, r"article\.timer: Is a directory; written before that: \S+/article\.service\n\Z")

    def test_what_is_there_and_differs_is_kept_unless_forced(self):
        job = self.article()
        said = self.setup("systemd", job, "--write", self.root, "--schedule", "hourly").out
        self.assertEqual(said.count("wrote "), 2)
        self.assertEqual(self.setup("systemd", job, "--write", self.root, "--schedule", "hourly").out.count("unchanged "), 2)
        service, timer = self.root / "article.service", self.root / "article.timer"
        service.write_text("mine\n")
        timer.unlink()
        self.assertIn("--force", self.setup("systemd", job, "--write", self.root, "--schedule", "hourly", status=64).err)
        self.assertEqual(service.read_text(), "mine\n")
        self.assertFalse(timer.exists(), "nothing is written when one file stands in the way")
        self.setup("systemd", job, "--write", self.root, "--schedule", "hourly", "--force")
        self.assertIn("TimeoutStopSec", service.read_text())
        self.assertEqual([p.name for p in self.root.iterdir() if ".new." in p.name], [])

    def test_a_wrong_job_file_writes_nothing(self):
        job = self.write_job({"lockstep": 1, "job": "a"})
        self.setup("systemd", job, "--write", self.root, status=78)
        self.assertEqual(list(self.root.glob("*.service")), [])

    def test_a_directory_that_is_not_there_is_named(self):
        said = self.setup("systemd", self.article(), "--write", self.root / "nowhere", status=71).err
        self.assertEqual(said, f"lockstep: creating {self.root}/nowhere/article.service: No such file or directory\n")


class StartingJobs(SystemTest):
    def test_each_kind_is_accepted_by_check_and_by_the_entries(self):
        for kind in ("pair", "batch", "loop", "command"):
            with self.subTest(kind):
                made = self.lockstep("init", kind, f"my-{kind}")
                self.assertEqual(made.status, 0, made.err)
                file = self.root / f"my-{kind}.json"
                self.assertIn("$comment", file.read_text())
                self.assertEqual(self.lockstep("check", file).status, 0)
                self.assertEqual(self.lockstep("setup", "systemd", file).status, 0)

    def test_those_with_commands_run_as_they_are(self):
        for kind in ("loop", "command"):
            with self.subTest(kind):
                self.lockstep("init", kind, kind)
                result = self.lockstep("run", f"{kind}.json", "--lock", self.lock, "--state-dir", self.state)
                self.assertEqual(result.status, 0, result.err)

    def test_the_batch_has_items_to_look_at(self):
        self.lockstep("init", "batch", "orders")
        result = self.lockstep("run", "orders.json", "--dry-run")
        self.assertEqual(result.status, 0, result.err)
        self.assertGreaterEqual(result.out.count("curl "), 2)

    def test_a_file_of_that_name_is_kept(self):
        (self.root / "mine.json").write_text("{}")
        self.assertEqual(self.lockstep("init", "pair", "mine").status, 64)
        self.assertEqual((self.root / "mine.json").read_text(), "{}")
        self.assertEqual(self.lockstep("init", "pair", "mine", "--force").status, 0)

    def test_what_is_no_name_is_refused(self):
        for name in ("a b", "../a", "1", ""):
            with self.subTest(name):
                self.assertEqual(self.lockstep("init", "pair", name).status, 64)


if __name__ == "__main__":
    unittest.main()

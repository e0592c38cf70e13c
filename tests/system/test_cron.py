"""A real cron with a crontab of its own, whose minutes last a second."""

import glob
import os
import shutil
import unittest

from processes import MARK, kill
from support import LOCKSTEP, SystemTest, wait_until

CRON = "/usr/sbin/cron"
FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketime.so.1") or [""])[0]

# In a mount namespace of its own cron sees its own spool, no system crontabs, and a sendmail that only keeps what it is given.
START = """
    mount --bind "$1/run" /run && mount --bind "$1/spool" /var/spool/cron && mount --bind "$1/empty.d" /etc/cron.d &&
        mount --bind "$1/empty" /etc/crontab && mount -t overlay overlay -o "lowerdir=$1/sbin:/usr/sbin" /usr/sbin || exit 99
    # A cron's minute is a second of ours; the jobs' own clock must be true, and cron gives them an environment without these.
    exec env LD_PRELOAD="$2" FAKETIME="+0 x60" "$3" -f -L 15
"""


@unittest.skipUnless(os.geteuid() == 0, "needs root, for a private mount namespace")
@unittest.skipUnless(os.path.exists(CRON), "Debian's package cron is not installed")
@unittest.skipUnless(FAKETIME, "Debian's package faketime is not installed")
class UnderCron(SystemTest):
    def start_cron(self, *commands):
        for name in ("run", "spool", "spool/crontabs", "empty.d", "sbin", "mail"):
            (self.root / name).mkdir()
        (self.root / "empty").write_text("")
        sendmail = self.root / "sbin/sendmail"
        sendmail.write_text(f'#!/bin/sh\nnew=$(mktemp "{self.root}/mail/new.XXXXXX")\ncat >"$new"\nmv "$new" "{self.root}/mail/$$"\n')
        sendmail.chmod(0o755)
        crontab = self.root / "spool/crontabs/root"
        crontab.write_text("".join(f"{line}\n" for line in (f"{MARK}={self.mark}", "MAILTO=root", *[f"* * * * * {c}" for c in commands])))
        crontab.chmod(0o600)
        if shutil.which("getent"):
            shutil.chown(self.root / "spool/crontabs", group="crontab")
        self.cron = self.start("unshare", "-m", "--propagation", "private", "sh", "-c", START, "sh", self.root, FAKETIME, CRON)

    def stop_cron(self):
        kill(self.cron.pid)
        self.cron.wait()

    def mails(self):
        """The bodies of the mails that cron sent."""
        return [path.read_text().split("\n\n", 1)[-1] for path in (self.root / "mail").iterdir() if not path.name.startswith("new.")]

    def counted(self, command):
        """The command, noting each start and each end with its status."""
        return (f'cd {self.root}; echo start >>starts; {command}; s=$?; echo "$s" >>ends; exit $s')

    def lines(self, name):
        path = self.root / name
        return path.read_text().split() if path.exists() else []

    def test_a_job_every_minute_that_finds_itself_busy_is_silent_with_quiet(self):
        job = self.article(seconds=1.2)
        self.start_cron(self.counted(f"{LOCKSTEP} run {job} --quiet --state-dir {self.state}"))
        wait_until(lambda: self.lines("ends").count("75") >= 2 and "0" in self.lines("ends"), "a run, and two that find it busy", 60)
        self.stop_cron()
        wait_until(lambda: len(self.lines("ends")) == len(self.lines("starts")), "the end of the last run")
        self.assert_nothing_left()
        self.assertEqual(self.mails(), [])
        self.assertEqual(set(self.lines("ends")), {"0", "75"})
        self.assertEqual(self.assert_whole_pairs(at_least=1), self.lines("ends").count("0"))

    def test_60_minutes_with_a_job_each_minute_never_overlap_and_mail_only_what_failed(self):
        # Its passes take from none to two and a half of cron's minutes; every tenth start fails.
        work = self.root / "work.sh"
        work.write_text('#!/bin/sh\n[ -e at-work ] && echo overlap >>overlaps\ntouch at-work\nn=$(wc -l <starts)\n'
                        'sleep "$((n % 5 / 2)).$((n % 5 % 2 * 5))"\nrm at-work\n[ $((n % 10)) != 9 ] || { echo "work failed" >&2; exit 3; }\n')
        work.chmod(0o755)
        job = self.write_job({"lockstep": 1, "job": "hourly", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("./work.sh", refusedStatus=[3])}]})
        self.start_cron(self.counted(f"{LOCKSTEP} run {job} --quiet --state-dir {self.state}"))
        wait_until(lambda: len(self.lines("starts")) >= 60, "sixty minutes", 120)
        self.stop_cron()
        wait_until(lambda: len(self.lines("ends")) == len(self.lines("starts")), "the end of the last run")
        self.assert_nothing_left()
        ends = self.lines("ends")
        self.assertEqual(self.lines("overlaps"), [])
        self.assertGreater(ends.count("0"), 10, ends)
        self.assertGreater(ends.count("75"), 10, ends)
        self.assertEqual(len(self.mails()), ends.count("1"), self.mails())
        for mail in self.mails():
            self.assertIn("work failed", mail)

    def test_without_quiet_a_busy_run_sends_one_line_that_names_the_holder(self):
        holder = self.start_lockstep("exec", self.lock, "--", "sleep", "60")
        wait_until(lambda: (self.lock / "record").exists(), "the holder")
        self.start_cron(f"{LOCKSTEP} run {self.article()} --log-level warning --state-dir {self.state}")
        wait_until(self.mails, "a mail", 60)
        self.stop_cron()
        self.assertRegex(self.mails()[0], rf"\Alockstep: article: busy: pid {holder.pid} since [^\n]*\n\Z")
        self.assertEqual(self.story(), [])

    def test_the_line_that_setup_writes_does_its_work_and_says_nothing(self):
        job = self.article()
        written = self.lockstep("setup", "cron", job, "--state-dir", self.state, "--schedule", "* * * * *")
        self.assertEqual(written.status, 0, written.err)
        self.start_cron(written.out.splitlines()[-1].removeprefix("* * * * *  "))
        wait_until(lambda: len(self.story()) >= 8, "two runs", 60)
        self.stop_cron()
        self.assert_nothing_left()
        self.assertEqual(self.mails(), [])
        self.assert_whole_pairs(at_least=2)

    def test_a_run_that_fails_sends_one_block(self):
        (self.root / "fail.sh").write_text("#!/bin/sh\necho 'the reason' >&2\nexit 3\n")
        (self.root / "fail.sh").chmod(0o755)
        job = self.write_job({"lockstep": 1, "job": "failing", "lock": str(self.lock),
                              "steps": [{"step": "s", "first": self.command("./fail.sh", refusedStatus=[3])}]})
        self.start_cron(self.counted(f"{LOCKSTEP} run {job} --quiet --state-dir {self.state}"))
        wait_until(self.mails, "a mail", 60)
        self.stop_cron()
        block = self.mails()[0]
        for words in ("the reason\n", "s first refused", "failed 1"):
            self.assertIn(words, block)
        self.assertLessEqual(len(block.splitlines()), 3, block)
        self.assertEqual(set(self.lines("ends")), {"1"})
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

"""`exec` goes by the plain road, before the C library starts, until something is out of the ordinary: both roads do the same.

Which one a process has gone shows in its memory: the C library makes a heap when it starts, the plain road never has one. The other
road is taken here by a duration that is only longer to write: `--wait 0000s`."""

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import unittest

from plain_road import OTHER_ROAD, PlainRoadTest, ROADS, has_heap
from processes import children_of, command_line_of, kill
from support import LOCKSTEP, wait_until
from terminal import Terminal


class WhichRoad(PlainRoadTest):
    def test_the_plain_one_for_plain_words(self):
        for options in ((), ("-q",), ("--quiet", "--wait", "5s"), ("-w", "forever"), ("--grace=forever",), ("-E", "9"),
                        ("--busy-status=0", "--grace", "90s")):
            with self.subTest(options=options):
                holder = self.hold(*options)
                self.assertEqual((has_heap(holder.pid), has_heap(holder.guardian())), (False, False))
                kill(holder.command_pid)
                self.assertEqual(holder.wait(), 128 + signal.SIGKILL)
        self.assert_nothing_left()

    def test_the_other_one_for_everything_else(self):
        for options in (OTHER_ROAD, ("-w5s",), ("--shared",), ("--limit", "1h"), ("-v",), ("--lock", str(self.root / "other.lock"), "--lock")):
            with self.subTest(options=options):
                holder = self.hold(*options)
                self.assertEqual((has_heap(holder.pid), has_heap(holder.guardian())), (True, True))
                kill(holder.command_pid)
                self.assertEqual(holder.wait(), 128 + signal.SIGKILL)
        self.assert_nothing_left()

    def test_the_guardian_of_a_stopped_run_goes_on_with_all_of_the_program_in_the_memory_that_it_shares_with_the_front(self):
        holder = self.hold()
        guardian = holder.guardian()
        self.assertFalse(has_heap(guardian))
        holder.send(signal.SIGTERM)
        holder.says("waiting for sh")
        self.assertEqual((has_heap(holder.pid), has_heap(guardian)), (True, True))
        kill(holder.command_pid)
        self.assertEqual(holder.wait(), 128 + signal.SIGKILL)
        self.assert_nothing_left()

    def test_a_start_costs_a_dozen_page_faults_and_half_the_memory_of_flock(self):
        def faults(*argv):
            best = None
            for _ in range(5):
                before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
                subprocess.run([*map(str, argv)], check=True, env=self.environment())
                cost = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before
                best = cost if best is None else min(best, cost)
            return best
        # Python's own fork and what /bin/true costs itself are in all of them.
        alone = faults("/bin/true")
        self.assertLess(faults(LOCKSTEP, "exec", self.lock, "--", "/bin/true") - alone, 20)
        self.assertGreater(faults(LOCKSTEP, "exec", *OTHER_ROAD, self.lock, "--", "/bin/true") - alone, 40)

        def memory(pid):
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        holder = self.hold()
        flock = self.start("flock", "-n", self.root / "file", "sleep", "300")
        wait_until(lambda: [pid for pid in children_of(flock.pid) if command_line_of(pid).startswith("sleep ")], "flock's command")
        # In KiB. flock(1)'s share of the C library is the smaller the more processes run; we have none of it.
        self.assertLess(memory(holder.pid) + memory(holder.guardian()), max(0.5 * memory(flock.pid), 128))


class BothRoadsDoTheSame(PlainRoadTest):
    def test_the_record_and_the_files_beside_it(self):
        script = ('cd "$0"; stat -c "%n %a %u" . * ; sed -e "s/^\\(check\\|run\\|guardian\\|guardian_start\\|front\\|front_start\\|since_ms\\) .*/\\1/" record; '
                  'wc -c <record; echo "parent $PPID" | sed "s/$(sed -n "s/^guardian //p" record)/the guardian/"')
        result = self.on_both_roads("sh", "-c", script, self.lock)
        for words in (". 1700", "record 600", "boot ", "pid_namespace ", "host ", "command sh -c", "parent the guardian", "\n1024\n",
                      "guardian_start\n", "front_start\n", "job job.lock\n"):
            self.assertIn(words, result.out)

    def test_a_long_and_odd_command_line_in_the_record(self):
        self.on_both_roads("sh", "-c", 'sed -n "s/^command //p" "$0/record"', self.lock, "a b", "", "tab\there", "line\nbreak", "ümlaut",
                           b"\xff\xfe", "x" * 500)

    def test_what_the_command_is_given(self):
        # The record's descriptor is the lowest that is free, whatever the test was started with.
        script = ('cat; pwd; umask; env | sort; grep -E "^Sig[PBIC]|^Shd" /proc/self/status; '
                  'ls -l /proc/self/fd | sed "s/.* \\([0-9]* ->\\)/\\1/; s/^[0-9]* \\(.*record\\)/N \\1/" | sort; '
                  'ulimit -a; test "$(ps -o pgid= $$ | tr -d " ")" = $$ && echo leads its group; ps -o sid= $$ | grep -qx " *$PPID" && echo session of the guardian')
        directory = self.root / "a directory"
        directory.mkdir()
        file = self.root / "stdin"
        file.write_text("from stdin\n")

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            os.dup2(1, 77)
        answers = []
        for options in ROADS.values():
            with open(file, "rb") as stdin:
                out = self.root / "answer"
                with open(out, "wb") as stdout:
                    done = subprocess.run([LOCKSTEP, "exec", *options, str(self.lock), "--", "sh", "-c", script], stdin=stdin, stdout=stdout,
                                          stderr=subprocess.STDOUT, cwd=directory, umask=0o027, preexec_fn=prepare, close_fds=False, env=self.environment(GREETING="good morning", LOCKSTEP_RUN_ID="outer-1"), check=False)
                self.assertEqual(done.returncode, 0)
                answers.append(self.without_accidents(out.read_text()))
        self.assertEqual(*answers)
        for words in ("from stdin", "GREETING=good morning", f"LOCKSTEP_LOCK={self.lock}", "LOCKSTEP_RUN_ID=outer-1 RUN", "0027",
                      "leads its group", "session of the guardian"):
            self.assertIn(words, answers[0])

    def test_variables_of_runs_around_it_are_replaced_where_they_stand(self):
        self.on_both_roads("env", env={"LOCKSTEP_LOCK": "old", "PATH": os.environ["PATH"], "LOCKSTEP_RUN_ID": "outer-1 outer-2", "Z": "1",
                                       "LOCKSTEP_LOCKS": "another"})

    def test_an_environment_of_any_size(self):
        for count in (0, 1, 150, 156, 157, 158, 159, 160, 161, 1000):
            with self.subTest(count=count):
                environment = {f"VARIABLE_{n}": "x" * (n % 50) for n in range(count)}
                self.on_both_roads("/usr/bin/env", env=environment)

    def test_how_the_command_is_found(self):
        here = self.root / "bin"
        here.mkdir()
        (here / "plain").write_text("no interpreter line\n")
        (here / "bare").write_text("echo a script without an interpreter line $1\n")
        (here / "refused").write_text("#!/bin/sh\necho refused\n")
        second = self.root / "bin2"
        second.mkdir()
        (second / "refused").write_text("#!/bin/sh\necho the second one\n")
        (second / "interpreted").write_text("#!/no/such/interpreter\n")
        for file in (here / "bare", second / "refused", second / "interpreted"):
            file.chmod(0o755)
        path = f"{self.root}/nowhere:{here}::{second}:/usr/bin:/bin"
        for command in ("bare", "refused", "plain", "interpreted", "no-such-command", "./no-such", "", "/", "bin/bare", "sh/", "echo"):
            for value in (path, "", ":", "/" + "x" * 300 + ":" + path, None):
                with self.subTest(command=command, path=value):
                    environment = self.environment() | ({"PATH": value} if value is not None else {})
                    if value is None:
                        environment.pop("PATH")
                    self.on_both_roads(command, "argument", env=environment)
        self.assert_nothing_left()

    def test_every_way_to_end(self):
        for script in ("exit 0", "exit 1", "exit 75", "exit 255", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$"):
            with self.subTest(script=script):
                self.on_both_roads("sh", "-c", script)
        self.assert_nothing_left()

    def test_names_and_places_of_all_kinds(self):
        (self.root / "sub").mkdir()
        (self.root / "link").symlink_to("sub")
        (self.root / "open").mkdir()
        (self.root / "open").chmod(0o777)
        (self.root / "file").write_text("")
        places = ["relative.lock", "./dots.lock", "sub/below.lock", f"{self.root}//double.lock", f"{self.root}/slash.lock/", f"{self.root}/link/l.lock",
                  f"{self.root}/{'x' * 250}", f"{self.root}/{'x' * 255}", f"{self.root}/{'x' * 256}", f"{self.root}/missing/a.lock",
                  f"{self.root}/open/a.lock", f"{self.root}/file/a.lock", f"{self.root}/.", f"{self.root}/..", "/", "//", ".", "..", "-", "\\",
                  "/proc/a.lock", f"/{'sub/' * 300}", f"{self.root}/ümlaut and space\n.lock"]
        for place in places:
            for root in (None, str(self.root), str(self.root) + "/", "", "sub"):
                with self.subTest(place=place, root=root):
                    environment = self.environment() | ({"LOCKSTEP_LOCK_ROOT": root} if root is not None else {})
                    answers = []
                    if "/" not in place and root in (None, ""):
                        continue  # in /tmp, which is not this test's alone
                    for options in ROADS.values():
                        result = self.lockstep("exec", *options, place, "--", "sh", "-c", 'echo "$LOCKSTEP_LOCK"; ls -d "$LOCKSTEP_LOCK"', env=environment)
                        answers.append((result.status, result.out, result.err))
                    self.assertEqual(*answers)
        self.assertEqual(sorted(name for name in os.listdir(self.root) if not name.startswith(("out.", "err."))),
                         ["file", "link", "open", "sub", "tmp"])

    def test_odd_umasks(self):
        for umask in (0o000, 0o077, 0o277, 0o477, 0o577, 0o777):
            with self.subTest(umask=oct(umask)):
                self.on_both_roads("sh", "-c", 'umask; stat -c %a "$0" "$0"/*', self.lock, umask=umask)
                self.assert_nothing_left()

    def test_a_directory_that_somebody_has_put_files_into(self):
        answers = []
        for options in ROADS.values():
            result = self.execute("touch", self.lock / "notes", options=options)
            answers.append((result.status, result.err))
            shutil.rmtree(self.lock)
        self.assertEqual(*answers)
        self.assertIn("notes", answers[0][1])

    def test_a_directory_that_was_removed_or_replaced_meanwhile(self):
        for script in ('rm -rf "$0"', 'rm -rf "$0"; mkdir "$0"'):
            with self.subTest(script=script):
                answers = []
                for options in ROADS.values():
                    result = self.execute("sh", "-c", script, self.lock, options=options)
                    answers.append((result.status, result.err, self.lock.exists()))
                    shutil.rmtree(self.lock, ignore_errors=True)
                self.assertEqual(*answers)
                self.assertIn("lock lost", answers[0][1])

    def test_a_terminal_on_stdin(self):
        answers = []
        for options in ROADS.values():
            terminal = Terminal(self, LOCKSTEP, "exec", *options, self.lock, "--", "sh", "-c", "readlink /proc/self/fd/0; tty; ps -o tty= $$")
            self.assertEqual(terminal.wait(), 0)
            answers.append(terminal.read())
        self.assertEqual(*answers)
        self.assertIn("/dev/null", answers[0])

    def test_closed_streams_stay_closed(self):
        (self.root / "streams.sh").write_text('exec 9>"$1"; for fd in 0 1 2; do if [ -e "/proc/$$/fd/$fd" ]; then echo "$fd is open"; fi; done >&9\n')
        for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closing=closing):
                answers = []
                for options in ROADS.values():
                    file = self.root / "answer"
                    file.unlink(missing_ok=True)
                    result = self.run_to_end("sh", "-c", f'"$0" exec "$@" -- sh streams.sh {file} {closing}', LOCKSTEP, *options, self.lock)
                    answers.append((result.status, file.read_text()))
                self.assertEqual(*answers)


if __name__ == "__main__":
    unittest.main()

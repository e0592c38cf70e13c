"""`exec` goes by the plain road, before the C library starts, until something is out of the ordinary: both roads do the same.

Which one a process has gone shows in its memory: the C library makes a heap when it starts, the plain road never has one. The other
road is taken here by a duration that is only longer to write: `--wait 0000s`.
"""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import unittest

from processes import children_of, command_line_of, is_alive, kill, parent_of
from strace import needs_strace, start_and_stop_after
from support import LOCKSTEP, PATIENCE, SystemTest, wait_until
from terminal import Terminal

OTHER_ROAD = ("--wait", "0000s")
ROADS = {"plain": (), "other": OTHER_ROAD}


def has_heap(pid):
    return "[heap]" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def has_dealt_with(pid, number):
    """The signal is no longer pending, and the process sleeps in rt_sigtimedwait(2) for the next one."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    pending = int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16) >> (number - 1) & 1
    return not pending and "\nState:\tS" in status and pathlib.Path(f"/proc/{pid}/syscall").read_text().startswith("128 ")


def goes_the_plain_road():
    """Sanitizers and other processors than x86-64 have only the other one."""
    file = pathlib.Path(LOCKSTEP).read_bytes()
    return b"lockstep_entry" in file


@unittest.skipUnless(goes_the_plain_road(), "this lockstep was built without the plain road")
class PlainRoadTest(SystemTest):
    def execute(self, *command, options=(), **more):
        return self.lockstep("exec", *options, self.lock, "--", *command, **more)

    def hold(self, *options, **more):
        return super().hold(*options, self.lock, **more)

    def on_both_roads(self, *command, **more):
        """The results, which must agree in status, stdout and stderr but for what differs in any two runs."""
        results = {name: self.execute(*command, options=options, **more) for name, options in ROADS.items()}
        self.assertEqual(*((each.status, self.without_accidents(each.out), self.without_accidents(each.err))
                           for each in results.values()))
        return results["plain"]

    @staticmethod
    def without_accidents(text):
        text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "RUN", text)
        text = re.sub(r"pid \d+", "pid N", text)
        text = re.sub(r"(/proc/|pipe:\[)\d+", r"\1N", text)
        return re.sub(r"\d\d:\d\d:\d\d", "TIME", text)


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

    def test_the_guardian_of_a_stopped_run_goes_on_with_all_of_the_program_and_the_front_does_not_need_it(self):
        holder = self.hold()
        guardian = holder.guardian()
        self.assertFalse(has_heap(guardian))
        holder.send(signal.SIGTERM)
        holder.says("waiting for sh")
        self.assertEqual((has_heap(holder.pid), has_heap(guardian)), (False, True))
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
        self.assertLess(memory(holder.pid) + memory(holder.guardian()), 0.5 * memory(flock.pid))


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


class HandingOver(PlainRoadTest):
    """Each place at which the plain road leaves off and the program goes on: nothing is done twice, nothing is forgotten."""

    def test_a_busy_a_foreign_and_a_left_behind_lock(self):
        holder = self.hold()
        busy = self.on_both_roads("true")
        self.assertEqual(busy.status, 75)
        self.assertIn(f"pid {holder.pid}"[:3], busy.err)
        guardian = holder.guardian()
        kill(holder.pid)
        kill(guardian)
        kill(holder.command_pid)
        holder.wait()
        wait_until(lambda: not is_alive(guardian) and not is_alive(holder.command_pid), "the end of all")
        adopted = self.execute("echo", "mine")
        self.assertEqual((adopted.status, adopted.out), (0, "mine\n"))
        self.assertIn("took over", adopted.err)
        self.lock.mkdir(0o755)
        self.assertEqual(self.on_both_roads("true").status, 75)
        self.lock.rmdir()
        self.assert_nothing_left()

    def test_an_empty_directory_of_ours_is_no_lock_and_is_taken(self):
        for options in ROADS.values():
            self.lock.mkdir()
            self.lock.chmod(0o1700)
            result = self.execute("echo", "mine", options=options)
            self.assertEqual((result.status, result.out, result.err), (0, "mine\n", ""))
            self.assert_nothing_left()

    @needs_strace
    def test_a_stop_before_the_command_runs_nothing(self):
        """Sent to the front while its guardian is stopped between its system calls."""
        for options in ROADS.values():
            marker = self.root / "ran"
            process, guardian = start_and_stop_after(self, "pwrite64", LOCKSTEP, "exec", *options, self.lock, "--", "touch", marker)
            front = parent_of(guardian)
            self.assertIn(f"\nguardian {guardian}\n", (self.lock / "record").read_text())
            os.kill(front, signal.SIGTERM)
            wait_until(lambda: has_dealt_with(front, signal.SIGTERM), "the front to pass it on")
            os.kill(guardian, signal.SIGCONT)
            self.assertEqual(process.wait(), 75, process.err())
            self.assertFalse(marker.exists())
            self.assert_nothing_left()

    def test_a_command_that_is_stopped_and_goes_on(self):
        holder = self.hold()
        os.kill(holder.command_pid, signal.SIGSTOP)
        holder.says("is stopped")
        os.kill(holder.command_pid, signal.SIGCONT)
        holder.let_go()
        self.assertEqual(holder.wait(), 0, holder.err())
        self.assert_nothing_left()

    def test_the_front_dies_and_then_the_command_ends(self):
        holder = self.hold()
        guardian = holder.guardian()
        kill(holder.pid)
        holder.wait()
        self.assertTrue(is_alive(guardian))
        holder.let_go()
        wait_until(lambda: not self.lock.exists(), "the guardian to give the lock back")
        self.assert_nothing_left()

    def test_a_relative_path_is_on_the_plain_road_too(self):
        (self.root / "sub").mkdir()
        for place in ("./job.lock", "sub/../job.lock"):
            holder = self.start_lockstep("exec", place, "--", "sh", "-c", 'echo "$LOCKSTEP_LOCK"; exec sleep 300')
            wait_until(holder.out, "the command")
            self.assertEqual(holder.out(), f"{self.root}/{place.removeprefix('./')}\n")
            self.assertFalse(has_heap(holder.guardian()))
            holder.send(signal.SIGKILL)
            for pid in self.my_processes():
                if command_line_of(pid) == "sleep 300":
                    kill(pid)
            wait_until(lambda: self.reap() or not self.my_processes(), "the end of all")
        self.assert_nothing_left()

    def test_a_waiter_gets_the_directory_itself_from_the_plain_road(self):
        holder = self.hold()
        inode = self.lock.stat().st_ino
        waiter = self.start_lockstep("exec", "--wait", "60s", self.lock, "--", "stat", "-c", "%i", self.lock)
        waiter.says("waiting")
        holder.let_go()
        self.assertEqual((holder.wait(), waiter.wait()), (0, 0), waiter.err())
        self.assertEqual(int(waiter.out()), inode)
        self.assert_nothing_left()

    def test_without_descriptors(self):
        answers = {}
        for limit in range(3, 16):
            for name, options in ROADS.items():
                result = self.execute("true", options=options, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
                self.assertFalse(self.lock.exists(), f"{name}, {limit}: {result.err}")
                answers.setdefault(limit, []).append(result.status)
        for limit, both in answers.items():
            # The plain road never needs more, and may need less.
            self.assertTrue(both[0] == both[1] or both[0] == 0, f"{limit}: {both}")

    def test_without_processes(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become a user without processes")
        self.root.chmod(0o755)
        place = self.root / "theirs"
        place.mkdir()
        os.chown(place, 64321, 64321)
        for limit in (1, 2, 3):
            answers = []
            for options in ROADS.values():
                done = subprocess.run([LOCKSTEP, "exec", *options, str(place / "job.lock"), "--", "true"], user=64321, group=64321, extra_groups=[],
                                      capture_output=True, text=True, timeout=PATIENCE, check=False, env=self.environment(), cwd="/",
                                      preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NPROC, (n, n)))
                answers.append((done.returncode, self.without_accidents(done.stderr)))
                self.assertEqual(os.listdir(place), [])
            with self.subTest(limit=limit):
                self.assertEqual(*answers)


@needs_strace
class EveryCallFails(PlainRoadTest):
    """Each system call of the plain road fails once: the exit status tells the truth, and no lock stays."""

    CALLS = ("socketpair", "mmap", "clone", "setsid", "signalfd4", "openat", "fstat", "fstatfs", "mkdirat", "flock", "newfstatat", "read", "readlink",
             "uname", "getrandom", "pwrite64", "poll", "unlinkat", "fcntl", "close", "prctl", "setpgid")

    def test_one_after_the_other(self):
        struck = 0
        for call in self.CALLS:
            for nth in (1, 2, 3):
                marker = self.root / "ran"
                marker.unlink(missing_ok=True)
                trace = self.root / "trace"
                result = self.run_to_end("strace", "-f", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={nth}",
                                         LOCKSTEP, "exec", self.lock, "--", "/usr/bin/touch", marker)
                hit = "INJECTED" in trace.read_text()
                struck += hit
                with self.subTest(call=call, nth=nth, hit=hit, err=result.err):
                    # Each process has its own nth call: the command's may have been hit, too.
                    self.assertTrue(marker.exists() or result.status != 0)
                    # What could not be removed is the next run's to remove.
                    if os.path.lexists(self.lock):
                        self.assertTrue(call in ("unlinkat", "newfstatat", "flock", "fcntl", "openat"), f"{result.status}: {os.listdir(self.lock)}")
                        again = self.execute("true")
                        self.assertEqual(again.status, 0, again.err)
                    wait_until(lambda: not self.my_processes(), "the end of every process")
                    self.assertFalse(os.path.lexists(self.lock))
        self.assertGreater(struck, len(self.CALLS))

    def test_of_both_roads_the_same_steps_make_the_lock_and_give_it_back(self):
        steps = {"mkdirat", "openat", "flock", "newfstatat", "fcntl", "pwrite64", "unlinkat"}

        def of_the_lock(*options):
            trace = self.root / "trace"
            result = self.run_to_end("strace", "-f", "-o", trace, "-e", "trace=" + ",".join(sorted(steps)), LOCKSTEP, "exec", *options, self.lock, "--",
                                     "/bin/true")
            self.assertEqual(result.status, 0, result.err)
            told = []
            for line in trace.read_text().splitlines():
                call = line.split(maxsplit=1)[1]
                if any(word in call for word in ('job.lock"', '"record"', "LOCK_", "OFD")):
                    told.append(call.split(" = ")[0].split("<unfinished")[0].strip())
            return [re.sub(r"\b\d+\b", "N", call) for call in told if not call.startswith("openat(AT_FDCWD")]
        plain, other = of_the_lock(), of_the_lock("--wait", "0000s")
        self.assertEqual(plain, other)
        self.assertGreater(len(plain), 8)


if __name__ == "__main__":
    unittest.main()

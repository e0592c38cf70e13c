"""Places where no lock can be."""

import os
import resource
import shutil
import socket
import subprocess
import unittest

from support import LOCKSTEP, PATIENCE, SystemTest, as_root


class HostilePlaces(SystemTest):
    """20 places where no lock can be: 73, a clear word, nothing created, nothing run."""

    def refused(self, lock, *words, **more):
        before = self.everything_below(self.root)
        result = self.lockstep("exec", lock, "--", "touch", self.root / "ran", **more)
        after = [name for name in self.everything_below(self.root) if not name.startswith(("out.", "err."))]
        self.assertEqual(result.status, 73, f"{lock}: {result.err}")
        self.assertEqual(len(result.err.splitlines()), 1, result.err)
        self.assertNotIn(f"{lock}: {lock}", result.err, "the place is named twice")
        for word in words:
            self.assertIn(word, result.err)
        self.assertEqual(after, [name for name in before if not name.startswith(("out.", "err."))])

    @staticmethod
    def everything_below(root):
        found = []
        for directory, names, files in os.walk(root):
            found += [os.path.relpath(os.path.join(directory, name), root) for name in names + files]
        return sorted(found)

    def test_a_plain_file(self):
        self.lock.write_text("somebody's")
        self.refused(self.lock, "plain file")
        self.refused(self.lock, "Remove it, or name another lock")

    def test_a_symbolic_link_to_a_directory(self):
        (self.root / "elsewhere").mkdir()
        self.lock.symlink_to(self.root / "elsewhere")
        self.refused(self.lock, "symbolic link")

    def test_a_dangling_symbolic_link(self):
        self.lock.symlink_to(self.root / "nowhere")
        self.refused(self.lock, "symbolic link")

    def test_a_symbolic_link_to_itself(self):
        self.lock.symlink_to(self.lock)
        self.refused(self.lock, "symbolic link")

    def test_a_fifo(self):
        os.mkfifo(self.lock)
        self.refused(self.lock, "fifo")

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.lock))
            self.refused(self.lock, "socket")

    def test_a_device(self):
        self.refused("/dev/null")

    def test_a_missing_parent(self):
        self.refused(self.root / "missing/job.lock", "missing")

    def test_a_parent_that_is_a_file(self):
        (self.root / "file").write_text("")
        self.refused(self.root / "file/job.lock", "file")

    def test_a_parent_that_others_may_write_without_the_sticky_bit(self):
        parent = self.root / "open"
        parent.mkdir()
        parent.chmod(0o777)
        self.refused(parent / "job.lock", "sticky")

    def test_a_setgid_parent_is_no_hindrance(self):
        parent = self.root / "group"
        parent.mkdir()
        parent.chmod(0o2750)
        result = self.lockstep("exec", parent / "job.lock", "--", "stat", "-c", "%a", parent / "job.lock")
        self.assertEqual((result.status, result.out), (0, "3700\n"), result.err)
        self.assert_nothing_left(parent / "job.lock")

    def test_a_last_component_of_dots(self):
        self.refused(str(self.root) + "/.")
        self.refused(str(self.root) + "/..")

    def test_the_root_directory(self):
        self.refused("/")

    def test_a_name_that_is_too_long(self):
        self.refused(self.root / ("x" * 300))

    def test_procfs_and_sysfs(self):
        self.refused("/proc/lockstep.lock")
        self.refused("/sys/lockstep.lock")

    @as_root
    def test_another_users_directory(self):
        self.lock.mkdir(0o1700)
        self.lock.chmod(0o1700)
        os.chown(self.lock, 65534, 65534)
        self.refused(self.lock, "uid 65534")

    @as_root
    def test_a_parent_that_we_may_not_write(self):
        parent = self.root / "theirs"
        parent.mkdir()
        self.root.chmod(0o755)
        binary = self.root / "lockstep"
        shutil.copy(LOCKSTEP, binary)
        err = self.root / "tmp/refusal"
        with open(err, "wb") as file:
            done = subprocess.run([str(binary), "exec", str(parent / "job.lock"), "--", "true"], user=65534, group=65534,
                                  extra_groups=[], env=self.environment(), stderr=file, timeout=PATIENCE, check=False)
        text = err.read_text()
        err.unlink()
        self.assertEqual(done.returncode, 73, text)
        self.assertIn("uid 65534) may not write", text)
        self.assertEqual(os.listdir(parent), [])

    @as_root
    def test_a_read_only_file_system(self):
        place = self.root / "readonly"
        place.mkdir()
        result = self.run_to_end("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro,mode=0700 none "$1" && "$0" exec "$1/job.lock" -- true',
                                 LOCKSTEP, place)
        self.assertEqual(result.status, 73, result.err)
        self.assertIn("read-only file system", result.err)

    @as_root
    def test_a_full_disk_has_no_room_for_the_record(self):
        place = self.root / "full"
        place.mkdir()
        # First without the fault, then with every page of the small tmpfs taken.
        script = """
            mount -t tmpfs -o size=64k,mode=0700 none "$1" || exit 99
            "$0" exec "$1/job.lock" -- echo ran || exit 98
            dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null
            "$0" exec "$1/job.lock" -- echo ran again
            echo "status $?"
            ls -A "$1"
        """
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, place)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.out.splitlines(), ["ran", "status 73", "filler"], result.err)
        self.assertIn("No space left on device", result.err)

    @as_root
    def test_a_disk_without_inodes(self):
        place = self.root / "inodes"
        place.mkdir()
        script = """
            mount -t tmpfs -o nr_inodes=2,mode=0700 none "$1" || exit 99
            touch "$1/a"
            "$0" exec "$1/job.lock" -- echo ran
            echo "status $?"
            ls -A "$1"
        """
        result = self.run_to_end("unshare", "-m", "sh", "-c", script, LOCKSTEP, place)
        self.assertEqual(result.out.splitlines(), ["status 73", "a"], result.err)
        self.assertIn("No space left on device", result.err)

    def test_without_descriptors_nothing_runs_and_no_lock_stays(self):
        outcomes = set()
        for limit in range(3, 16):
            marker = self.root / f"ran.{limit}"
            result = self.lockstep("exec", self.lock, "--", "touch", marker, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
            outcomes.add(result.status)
            with self.subTest(limit=limit):
                self.assertIn(result.status, (0, 71, 73, 127), result.err)
                self.assertEqual(marker.exists(), result.status == 0, "the status must tell the truth")
                self.assertFalse(self.lock.exists(), result.err)
                if result.status:
                    self.assertTrue(result.err.strip(), "a failure must say something")
        self.assertIn(0, outcomes)
        self.assertTrue(outcomes - {0}, "the fault never showed")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()

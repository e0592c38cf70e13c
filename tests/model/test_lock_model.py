"""The lock protocol under spin(1): right as it is, in every order of its steps, and wrong in every variant that is known to be."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

MODEL = pathlib.Path(__file__).resolve().parents[2] / "src/lock/lock_protocol.pml"


def explore(*defines, optimise, hash_bits):
    """Tries every order. @return what spin's checker said"""
    with tempfile.TemporaryDirectory() as directory:
        def run(*argv):
            return subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=300, check=False)

        for step in (["spin", "-a", *(f"-D{define}" for define in defines), str(MODEL)],
                     ["cc", "-w", optimise, "-DSAFETY", "-o", "pan", "pan.c"]):
            done = run(*step)
            if done.returncode != 0:
                raise RuntimeError(f"{step[0]}: {done.stdout}{done.stderr}")
        # -m: no path is cut short; -w: room for the states.
        return run("./pan", "-m1000000", f"-w{hash_bits}").stdout


@unittest.skipUnless(shutil.which("spin"), "Debian's package spin is not installed")
class LockModel(unittest.TestCase):
    def holds(self, *defines):
        said = explore(*defines, optimise="-O1", hash_bits=23)
        self.assertRegex(said, r"errors: 0\b", said)
        self.assertNotIn("Search not completed", said)
        self.assertNotIn("max search depth too small", said)
        states = int(re.search(r"(\d+) states, stored", said)[1])
        self.assertGreater(states, 50_000, f"so few states cannot be all: {said}")

    def fails(self, reason, *defines):
        said = explore(*defines, optimise="-O0", hash_bits=20)
        self.assertRegex(said, r"errors: 1\b", f"the model does not see what is wrong here: {said}")
        self.assertIn(reason, said)

    DIRECTORY_LOST = "assertion violated (path==fd)"
    SCRIPTS_LOCK_REMOVED = "assertion violated (path==mine)"
    RECORD_LOST = "assertion violated ((inode[fd].readers&(1<<me))!=0)"
    LEFT_BEHIND = "assertion violated ((path==15)"

    def test_three_contenders_and_a_script(self):
        self.holds("SCRIPT")

    def test_three_contenders_and_a_remover_of_empty_directories(self):
        self.holds("REMOVER")

    def test_readers_writers_and_a_script(self):
        self.holds("READERS", "SCRIPT", "CONTENDERS=2")

    def test_readers_writers_and_a_remover(self):
        self.holds("READERS", "REMOVER", "CONTENDERS=2")

    def test_three_readers_or_writers(self):
        self.holds("READERS")

    def test_wrong_a_creator_that_does_not_look_again(self):
        self.fails(self.DIRECTORY_LOST, "REMOVER", "CREATOR_TRUSTS_ITS_MKDIR")

    def test_wrong_closing_before_rmdir(self):
        self.fails(self.SCRIPTS_LOCK_REMOVED, "SCRIPT", "CLOSE_BEFORE_RMDIR")

    def test_wrong_adopting_by_rmdir_and_mkdir(self):
        self.fails(self.DIRECTORY_LOST, "SCRIPT", "ADOPT_BY_RMDIR")

    def test_wrong_a_hand_over_without_a_second_look_at_the_marks(self):
        self.fails(self.LEFT_BEHIND, "NO_SECOND_LOOK")

    def test_wrong_a_waiter_that_leaves_without_a_look_at_the_lock(self):
        self.fails(self.LEFT_BEHIND, "LEAVE_WITHOUT_A_LOOK")

    def test_wrong_a_reader_that_just_leaves(self):
        self.fails(self.LEFT_BEHIND, "READERS", "READER_JUST_LEAVES", "CONTENDERS=2")

    def test_wrong_a_creator_that_never_searches_for_what_readers_have_left(self):
        self.fails("assertion violated (inode[fd].readers==0)", "READERS", "CREATOR_NEVER_SEARCHES", "CONTENDERS=2")

    def test_wrong_a_reader_that_trusts_the_conversion_of_its_lock(self):
        self.fails(self.RECORD_LOST, "READERS", "TRUST_THE_CONVERSION")

    def test_wrong_a_reader_that_converts_its_lock_without_a_mark(self):
        self.fails(self.LEFT_BEHIND, "READERS", "CONVERT_WITHOUT_A_MARK", "CONTENDERS=2")

    def test_wrong_not_searching_what_was_passed_on_where_readers_have_been(self):
        self.fails("assertion violated (inode[fd].readers==0)", "READERS", "TRUST_WHAT_WAS_PASSED_ON", "CONTENDERS=2")

    def test_wrong_a_leaver_that_leaves_a_record_that_was_passed_on(self):
        self.fails(self.LEFT_BEHIND, "LEAVE_THE_RECORD")

    def test_known_a_remover_between_the_last_look_and_rmdir_lets_a_script_lose_its_lock(self):
        """rmdir(2) goes by the name. It takes somebody who removes the emptied directory between two system calls."""
        self.fails(self.SCRIPTS_LOCK_REMOVED, "SCRIPT", "REMOVER")


if __name__ == "__main__":
    unittest.main()

"""`lockstep exec` with options, in a directory of its own."""

from support import SystemTest


class OptionsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.a = self.root / "a.lock"
        self.b = self.root / "b.lock"

    def execute(self, *arguments, **more):
        return self.lockstep("exec", *arguments, **more)

"""`lockstep exec` as it is started and held by tests."""

from support import SystemTest


class ExecTest(SystemTest):
    def execute(self, *command, options=(), **more):
        return self.lockstep("exec", *options, self.lock, "--", *command, **more)

    def start_exec(self, *command, options=(), **more):
        return self.start_lockstep("exec", *options, self.lock, "--", *command, **more)

    def hold(self, *options, **more):
        """A holder of the lock that is surely inside its command."""
        return super().hold(*options, self.lock, **more)

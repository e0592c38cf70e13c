"""What the tests of stop requests and of kills share."""

from support import SystemTest


class StoppingTest(SystemTest):
    def start_job(self, command, job, *options, **more):
        return self.start_lockstep(command, job, "--state-dir", self.state, *options, **more)

"""An API that answers as a test tells it."""

import http.server
import threading


class Api:
    """Answers each POST, PUT and DELETE with the status that `answer(number of the call, its path)` says, or, told None, never. Remembers every call.

    A status may come with a header: (429, "Retry-After", "60").
    """

    def __init__(self, test, answer, at=("127.0.0.1", 0)):
        self.calls = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format, *arguments):  # pylint: disable=redefined-builtin
                """Nobody reads it."""

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                api.calls.append({"call": f"{self.command} {self.path}", "key": self.headers["Idempotency-Key"], "token": self.headers["Authorization"], "body": body})
                given = answer(len(api.calls), self.path)
                if given is None:
                    self.rfile.read(1)  # until the client is gone
                    self.close_connection = True
                    return
                status, *header = given if isinstance(given, tuple) else (given,)
                self.send_response(status)
                if header:
                    self.send_header(*header)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_DELETE = do_PUT = do_POST

        self.server = http.server.ThreadingHTTPServer(at, Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that hangs up is what is tested
        self.url = f"http://{at[0]}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        test.addCleanup(self.stop)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

"""An API inside the test, so that something can happen at an exactly defined moment of a call: when it has arrived, when it has
taken effect, when it has been answered. It remembers all effects, and whatever no honest client would ask of it.

    POST /reservations {"order", "text"}   POST /captures {"reservation", "text"}   DELETE /reservations/ID
    POST /notices {"order", "text"}        GET /reservations, /captures, /notices ?order=O
"""

import collections
import dataclasses
import http.server
import json
import socket
import struct
import threading
import urllib.parse

ARRIVED, APPLIED, ANSWERED = "arrived", "applied", "answered"
MOMENTS = (ARRIVED, APPLIED, ANSWERED)


@dataclasses.dataclass
class Fault:
    """How a write is treated. status 0: the true answer. `lost`: none at all, by "close", "reset" or "hang"."""
    applied: bool = True
    status: int = 0
    lost: str = ""


@dataclasses.dataclass
class Call:
    kind: str  # reserve, capture, release, notice
    order: str
    nth: int   # of that kind for that order
    number: int  # of all writes


@dataclasses.dataclass
class Reservation:
    order: str
    live: bool = True
    captures: int = 0


@dataclasses.dataclass
class Remembered:
    body: bytes
    answer: tuple = None  # None: in flight


class World:
    """What was done. All under one lock."""

    def __init__(self, keyed):
        self.keyed = keyed
        self.lock = threading.Lock()
        self.reservations = []
        self.notices = collections.defaultdict(list)
        self.keys = {}
        self.calls = collections.Counter()
        self.writes = 0
        self.problems = []
        self.history = []

    def order_of(self, kind, path, body):
        if kind in ("reserve", "notice"):
            return body["order"]
        number = int(path.rsplit("/", 1)[1] if kind == "release" else body["reservation"])
        return self.reservations[number].order

    def come(self, kind, path, body):
        with self.lock:
            order = self.order_of(kind, path, body)
            self.calls[kind, order] += 1
            self.writes += 1
            return Call(kind, order, self.calls[kind, order], self.writes)

    def claim(self, scope, body):
        """An answer, or None: carry it out, and call `remember` or `forget` afterwards."""
        if scope is None:
            return None
        with self.lock:
            known = self.keys.get(scope)
            if known is None:
                self.keys[scope] = Remembered(body)
                return None
            if known.body != body:
                self.problems.append(f"the same key with another body: {scope} {known.body} {body}")
                return 422, {"error": "this key came with another body before"}
            return known.answer or (409, {"error": "in flight"})

    def remember(self, scope, answer):
        if scope is not None:
            with self.lock:
                self.keys[scope].answer = answer

    def forget(self, scope):
        if scope is not None:
            with self.lock:
                del self.keys[scope]

    def apply(self, call, path, body):
        with self.lock:
            answer = getattr(self, call.kind)(path, body)
            if answer[0] < 300:
                self.history.append(f"{call.kind} {call.order}")
            return answer

    def reserve(self, _, body):
        self.reservations.append(Reservation(body["order"]))
        return 201, {"id": str(len(self.reservations) - 1)}

    def capture(self, _, body):
        reservation = self.reservations[int(body["reservation"])]
        if not reservation.live:
            self.problems.append(f"{reservation.order}: captured after it had been compensated")
            return 404, {}
        reservation.captures += 1
        return 201, {"id": f"c{body['reservation']}"}

    def release(self, path, _):
        reservation = self.reservations[int(path.rsplit("/", 1)[1])]
        if not reservation.live:
            return 404, {}
        if reservation.captures:
            self.problems.append(f"{reservation.order}: compensated though the second phase took effect")
        reservation.live = False
        return 204, None

    def notice(self, _, body):
        self.notices[body["order"]].append(body["text"])
        return 201, {"id": "n"}

    def look(self, what, order):
        with self.lock:
            mine = [(number, known) for number, known in enumerate(self.reservations) if known.order == order and known.live]
            if what == "reservations":
                return [{"id": str(number)} for number, _ in mine]
            if what == "captures":
                return [{"id": f"c{number}"} for number, known in mine for _ in range(known.captures)]
            return [{"text": text} for text in self.notices[order]]

    def count(self, order):
        """(live reservations, captures of them, notices) of an order."""
        with self.lock:
            mine = [known for known in self.reservations if known.order == order and known.live]
            return len(mine), sum(known.captures for known in mine), len(self.notices[order])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that died in the middle of a call is what these tests are about."""


class WorldApi:
    """Serves a World. `treat(call)` gives the Fault of a write, `look_fails(order)` whether a GET answers 500, `moment(moment,
    call)` is called in the thread that serves the call."""

    def __init__(self, keyed):
        self.world = World(keyed)
        self.treat = lambda call: Fault()
        self.look_fails = lambda what, order: False
        self.moment = lambda moment, call: None
        self.busy = 0
        self.idle = threading.Condition()
        self.server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"api": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def settle(self, deadline=20):
        """Until every call that was sent before this one has been dealt with: connections are taken in their order."""
        with socket.create_connection(self.server.server_address, timeout=deadline) as last:
            last.sendall(b"GET /notices?order= HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            while last.recv(4096):
                pass
        with self.idle:
            if not self.idle.wait_for(lambda: self.busy == 0, deadline):
                raise AssertionError("the API is still at work, though nobody is there")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    KINDS = {"/reservations": "reserve", "/captures": "capture", "/notices": "notice"}

    def log_message(self, format, *arguments):  # pylint: disable=redefined-builtin
        """Nobody reads it."""

    def setup(self):
        super().setup()
        with self.api.idle:
            self.api.busy += 1

    def finish(self):
        try:
            super().finish()
        finally:
            with self.api.idle:
                self.api.busy -= 1
                self.api.idle.notify_all()

    def answer(self, status, body):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        order = urllib.parse.parse_qs(parts.query).get("order", [""])[0]
        what = parts.path[1:]
        if order and self.api.look_fails(what, order):
            self.answer(500, {"error": "a fault"})
        else:
            self.answer(200, self.api.world.look(what, order))

    def do_POST(self):
        self.write(self.KINDS[self.path])

    def do_DELETE(self):
        self.write("release")

    def write(self, kind):
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        if len(data) < length:
            self.close_connection = True  # whoever sent it died in the middle
            return
        api, world = self.api, self.api.world
        body = json.loads(data) if data else {}
        call = world.come(kind, self.path, body)
        key = self.headers.get("Idempotency-Key") if world.keyed else None
        scope = (self.command, self.path, key) if key else None
        fault = api.treat(call)
        api.moment(ARRIVED, call)
        answer = world.claim(scope, data)
        if answer is None:
            answer = self.carry_out(call, scope, body, fault)
        elif fault.status == 400:
            fault = Fault()  # no API refuses under a key what it has accepted under it
        api.moment(APPLIED, call)
        if fault.lost:
            self.lose(fault.lost)
        elif fault.status:
            self.answer(fault.status, {"error": "a fault"})
        else:
            self.answer(*answer)
        api.moment(ANSWERED, call)

    def carry_out(self, call, scope, body, fault):
        world = self.api.world
        if fault.applied:
            answer = world.apply(call, self.path, body)
            world.remember(scope, answer)
            return answer
        answer = (fault.status, {"error": "a fault"})
        if fault.status == 400:
            world.remember(scope, answer)  # as APIs do: a stored refusal is given again under its key
        else:
            world.forget(scope)
        return answer

    def lose(self, how):
        self.close_connection = True
        if how == "hang":
            self.connection.settimeout(20)
            try:
                self.connection.recv(1)  # until the client gives up
            except OSError:
                pass
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

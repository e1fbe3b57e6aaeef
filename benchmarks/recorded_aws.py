"""An AWS on a loopback port that passes calls on to moto and notes the answers, or gives noted answers again.

Whoever is measured against it finds the same answers as everybody before, whatever they wrote.
"""

import http.client
import logging
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.server import ThreadedMotoServer

_HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")

Call = tuple[str, str, str]
"""Method, path with query, and the operation where neither says it."""


@dataclass(frozen=True)
class Answer:
    """`size_bytes` is what Content-Length says: of a HEAD the object's, which has no body here."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size_bytes: int


@dataclass
class RecordedAws:
    """Answers to calls, in their order. `unknown` are the calls that nobody had made before; moto answers these, too,
    if it `is_asked_again`."""

    endpoint: str
    moto: tuple[str, int]
    recording: bool = True
    is_asked_again: bool = False
    unknown: list[Call] = field(default_factory=list)
    _noted: dict[Call, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    _left: dict[Call, deque[Answer]] = field(default_factory=dict)

    @property
    def moto_endpoint(self) -> str:
        """Where calls change what moto knows, and are not noted."""
        return f"http://{self.moto[0]}:{self.moto[1]}"

    def record(self) -> None:
        """Forget all answers, and note new ones."""
        self.recording = True
        self._noted.clear()

    def replay(self) -> None:
        """Give the noted answers, from the first."""
        self.recording = False
        self._left = {call: deque(answers) for call, answers in self._noted.items()}

    def reset(self) -> None:
        """Empty moto's account."""
        self._ask_moto("POST", "/moto-api/reset", {}, b"")

    def answer(self, call: Call, headers: dict[str, str], body: bytes) -> Answer:
        if self.recording:
            found = self._ask_moto(call[0], call[1], headers, body)
            self._noted[call].append(found)
            return found
        left = self._left.get(call)
        if not left and self.is_asked_again:
            return self._ask_moto(call[0], call[1], headers, body)
        if not left:
            self.unknown.append(call)
            return Answer(501, (), b"", 0)
        return left.popleft()

    def _ask_moto(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(*self.moto)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            kept = tuple((name, value) for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP)
            body = reply.read()
            size_bytes = int(reply.getheader("Content-Length") or 0) if method == "HEAD" else len(body)
            return Answer(reply.status, kept, body, size_bytes)
        finally:
            connection.close()


@contextmanager
def recorded_aws() -> Iterator[RecordedAws]:
    """One, recording, in threads of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.aws = RecordedAws(  # type: ignore[attr-defined]
        f"http://127.0.0.1:{server.server_address[1]}", moto.get_host_and_port()
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.aws  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        moto.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def _serve(self) -> None:
        body = self._read_body()
        operation = self.headers.get("X-Amz-Target") or ""
        if action := _ACTION.search(body):
            operation = action[1].decode()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        answer = self.server.aws.answer((self.command, self.path, operation), headers, body)  # type: ignore[attr-defined]
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.size_bytes))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _read_body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

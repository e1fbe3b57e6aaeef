"""One node's line to another: JSON messages, one a line, over TCP."""

import json
import socket
import time
from typing import Any

# The longest line taken from the network; ours have a hundred bytes.
LONGEST_LINE = 65_536


class Peer:
    """The other end: what it says, and when it was last heard."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._line = b""  # the part that has come of the next one
        self._unread: list[dict[str, Any]] = []
        self.heard_at = time.monotonic()
        self.is_closed = False

    @property
    def local_address(self) -> str:
        """The address of this host that the other one speaks to."""
        return self._connection.getsockname()[0]

    def fileno(self) -> int:
        """For `select`."""
        return self._connection.fileno()

    def send(self, **message: Any) -> None:
        """Say something; a line that is broken shows in `is_closed`, for there is nobody else to tell."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.is_closed = True

    def receive(self) -> list[dict[str, Any]]:
        """The messages that have come; waits for the first bytes as long as the connection's timeout says.

        Raises: TimeoutError; ValueError when the other one does not speak as we do.
        """
        if self._unread:
            unread, self._unread = self._unread, []
            return unread
        try:
            received = self._connection.recv(LONGEST_LINE)
        except TimeoutError:
            raise
        except OSError:
            received = b""
        if not received:
            self.is_closed = True
            return []
        self.heard_at = time.monotonic()
        *lines, self._line = (self._line + received).split(b"\n")
        if len(self._line) > LONGEST_LINE:
            raise ValueError("a line that does not end")
        return [_parse(line) for line in lines]

    def first_message(self, deadline: float) -> dict[str, Any]:
        """Wait for one message; what came with it is kept for `receive`.

        Raises: TimeoutError; ValueError when the other one hangs up or does not speak as we do.
        """
        messages: list[dict[str, Any]] = []
        while not messages:
            self.wait_at_most(max(0.001, deadline - time.monotonic()))
            messages = self.receive()
            if self.is_closed:
                raise ValueError("it hung up")
        first, *self._unread = messages
        return first

    def wait_at_most(self, seconds: float) -> None:
        """How long sending and receiving may take from now on."""
        self._connection.settimeout(seconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _parse(line: bytes) -> dict[str, Any]:
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"no message: {line[:80]!r}")
    return message

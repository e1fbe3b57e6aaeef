"""Nodes that watch each other, whatever their workers do: who is silent for too long, or hangs up, is lost.

A collective cannot tell: when a host vanishes without a word, TCP waits for minutes and NCCL for its own timeout. So
the launchers say every second that they live. The main node hears all the others, and they hear it.
"""

import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.launch.peers import Peer
from training.log import log_event

BEAT_EVERY_S = 1.0
# Ten beats: long enough for a launcher that waits for a CPU, short enough that the job ends within 30 s.
SILENT_AFTER_S = 10.0
SEND_WITHIN_S = 1.0


@dataclass(frozen=True)
class Heard:
    """What a node says about its run, or why it is lost (`message` None)."""

    node: int
    message: dict[str, Any] | None
    lost_because: str = ""


class Neighbours:
    """The nodes that this one has a line to, by their order in the job."""

    def __init__(self, peers: Mapping[int, Peer], silent_after_s: float = SILENT_AFTER_S) -> None:
        self._peers = dict(peers)
        self._silent_after_s = silent_after_s
        self._beat_at = 0.0
        for peer in self._peers.values():
            peer.wait_at_most(SEND_WITHIN_S)
            peer.heard_at = time.monotonic()  # they had to wait for each other until now

    def tell(self, **message: Any) -> None:
        """Say it to every one that is there."""
        for peer in self._peers.values():
            peer.send(**message)

    def listen(self, wait_s: float) -> list[Heard]:
        """Say that this node lives when it is time, and what has come within `wait_s`."""
        self._beat()
        readable, _, _ = select.select(list(self._peers.values()), [], [], wait_s)
        heard = [entry for node, peer in list(self._peers.items()) if peer in readable for entry in _read(node, peer)]
        return heard + self._lose_the_silent()

    def close(self) -> None:
        """Hang up."""
        for peer in self._peers.values():
            peer.close()

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at >= BEAT_EVERY_S:
            self._beat_at = time.monotonic()
            self.tell()

    def _lose_the_silent(self) -> list[Heard]:
        lost = []
        for node, peer in list(self._peers.items()):
            silent_s = round(time.monotonic() - peer.heard_at, 1)
            if peer.is_closed or silent_s >= self._silent_after_s:
                log_event("node_lost", node=node, silent_s=silent_s, hung_up=peer.is_closed)
                self._peers.pop(node).close()
                because = "its launcher is gone" if peer.is_closed else f"nothing was heard of it for {silent_s} s"
                lost.append(Heard(node, None, because))
        return lost


def _read(node: int, peer: Peer) -> list[Heard]:
    try:
        return [Heard(node, message) for message in peer.receive() if message]
    except (TimeoutError, ValueError):  # select said that there is something: it is not one of ours any more
        peer.is_closed = True
        return []

"""How the nodes of a multi-node parallel job find each other, from the variables that Batch gives.

The main node listens; the others knock until it is there, for either may start minutes before the other. When all are
there the main node gives everyone its ranks, and stops listening: it had to on all its addresses, since Batch tells
its address to the other nodes only. The connections stay, for the nodes to watch each other (liveness).
Source: https://docs.aws.amazon.com/batch/latest/userguide/multi-node-parallel-jobs.html
"""

import os
import socket
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from training.errors import NodeLostError
from training.launch.peers import Peer
from training.log import log_event

MEET_WITHIN_S = 600.0
KNOCK_EVERY_S = 0.5
GREET_WITHIN_S = 5.0
MAIN = 0  # the main node's order
LOOPBACK = "127.0.0.1"

_MEND = "let Batch try the job again; if it happens again, look at the node's log and the security group between nodes"


@dataclass(frozen=True)
class Node:
    """This node's place in the job. `order` 0 is the main node, whatever index Batch gave it."""

    order: int = MAIN
    count: int = 1
    main_address: str | None = None

    @property
    def is_main(self) -> bool:
        """Whether the others look to this one."""
        return self.order == MAIN


@dataclass(frozen=True)
class Meeting:
    """What a node knows once all are there. `peers`: by order, all the others on the main node, else the main one."""

    first_rank: int
    world_size: int
    fencing: int
    local_address: str
    main_address: str
    store_port: int
    peers: dict[int, Peer]
    store_socket: socket.socket | None  # on the main node, where workers will look for torch's store


def find_node(environment: Mapping[str, str] = os.environ) -> Node:
    """This node's place, from Batch's variables; alone without them."""
    count = int(environment.get("AWS_BATCH_JOB_NUM_NODES", "1"))
    if count == 1:
        return Node()
    index, main = int(environment["AWS_BATCH_JOB_NODE_INDEX"]), int(environment["AWS_BATCH_JOB_MAIN_NODE_INDEX"])
    order = (index - main) % count
    return Node(order, count, environment["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] if order else None)


def rendezvous_port(run_id: str) -> int:
    """The same on all nodes of a run, and different for runs that share a host.

    Below the ports that Linux gives to outgoing connections.
    """
    return 20_000 + zlib.crc32(run_id.encode()) % 10_000


def meet(node: Node, run_id: str, processes: int, fencing: int, within_s: float = MEET_WITHIN_S) -> Meeting:
    """Wait for all nodes. `processes` is this node's number; `fencing` the main node's word for all.

    Raises: NodeLostError when one has not come in time.
    """
    deadline = time.monotonic() + within_s
    if node.is_main:
        return _gather(node, run_id, processes, fencing, deadline)
    return _join(node, run_id, processes, deadline)


def _gather(node: Node, run_id: str, processes: int, fencing: int, deadline: float) -> Meeting:
    guests = _await_all(node, run_id, deadline) if node.count > 1 else {}
    peers = {order: peer for order, (peer, _) in sorted(guests.items())}
    sizes = [processes, *(guests[order][1] for order in peers)]
    address = peers[1].local_address if peers else LOOPBACK
    store = socket.create_server((address, 0), backlog=1024)
    common = {"world_size": sum(sizes), "fencing": fencing, "store_port": store.getsockname()[1]}
    for order, peer in peers.items():
        peer.send(first_rank=sum(sizes[:order]), **common)
    return Meeting(first_rank=0, local_address=address, main_address=address, peers=peers, store_socket=store, **common)


def _await_all(node: Node, run_id: str, deadline: float) -> dict[int, tuple[Peer, int]]:
    """By order, the line to each other node and how many processes it runs."""
    guests: dict[int, tuple[Peer, int]] = {}
    try:
        with _listen(rendezvous_port(run_id), deadline) as listener:
            while missing := set(range(1, node.count)) - set(guests):
                listener.settimeout(max(0.01, deadline - time.monotonic()))
                try:
                    connection, address = listener.accept()
                except TimeoutError:
                    raise NodeLostError(
                        f"nodes {sorted(missing)} (counted from the main one) did not come", _MEND
                    ) from None
                _welcome(Peer(connection), address[0], node, run_id, guests)
    except BaseException:
        for peer, _ in guests.values():
            peer.close()
        raise
    return guests


def _welcome(peer: Peer, address: str, node: Node, run_id: str, guests: dict[int, tuple[Peer, int]]) -> None:
    """Add whoever knocks to the guests, unless it is a stranger."""
    try:
        order, processes = _greet(peer, node, run_id)
    except (TimeoutError, ValueError) as error:
        log_event("stranger_refused", address=address, reason=str(error))
        peer.close()
        return
    if order in guests:
        guests[order][0].close()  # it has knocked again: its first line is broken
    guests[order] = (peer, processes)


def _listen(port: int, deadline: float) -> socket.socket:
    while True:
        try:
            return socket.create_server(("", port), backlog=128)
        except OSError:  # an attempt before this one, or another run that shares host and port, is still there
            if time.monotonic() > deadline:
                raise
            time.sleep(KNOCK_EVERY_S)


def _greet(peer: Peer, node: Node, run_id: str) -> tuple[int, int]:
    """Raises: TimeoutError, ValueError when whoever knocks is no node of this run."""
    hello = peer.first_message(time.monotonic() + GREET_WITHIN_S)
    order, processes = hello.get("order"), hello.get("processes")
    if hello.get("run_id") != run_id or not isinstance(order, int) or not isinstance(processes, int):
        raise ValueError("it is no node of this run")
    if not 0 < order < node.count or processes < 1:
        raise ValueError(f"this run has no node {order}, or not with {processes} processes")
    return order, processes


def _join(node: Node, run_id: str, processes: int, deadline: float) -> Meeting:
    main = str(node.main_address)
    peer = _knock(main, rendezvous_port(run_id), deadline)
    peer.send(run_id=run_id, order=node.order, processes=processes)
    try:
        start = peer.first_message(deadline)
    except (TimeoutError, ValueError) as error:
        peer.close()
        raise NodeLostError(f"the main node at {main} did not start the run: {error}", _MEND) from error
    return Meeting(local_address=peer.local_address, main_address=main, peers={MAIN: peer}, store_socket=None, **start)


def _knock(address: str, port: int, deadline: float) -> Peer:
    while True:
        with suppress(OSError):  # it is not there yet
            return Peer(socket.create_connection((address, port), timeout=GREET_WITHIN_S))
        if time.monotonic() > deadline:
            raise NodeLostError(f"the main node at {address} did not come", _MEND)
        time.sleep(KNOCK_EVERY_S)

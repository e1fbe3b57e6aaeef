"""Nodes that find each other, from Batch's variables and through TCP on loopback."""

import json
import os
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from training.errors import NodeLostError
from training.launch import rendezvous
from training.launch.rendezvous import Meeting, Node, find_node, meet, rendezvous_port

LONG_S = 30.0


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> str:
    return f"winery-{os.getpid()}-{zlib.crc32(request.node.name.encode())}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "KNOCK_EVERY_S", 0.01)


def batch(index: int, main: int, address: str | None = None, count: int = 3) -> dict[str, str]:
    numbers = {"NUM_NODES": count, "NODE_INDEX": index, "MAIN_NODE_INDEX": main}
    return {f"AWS_BATCH_JOB_{name}": str(number) for name, number in numbers.items()} | (
        {"AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": address} if address else {}
    )


def end(meeting: Meeting) -> None:
    for peer in meeting.peers.values():
        peer.close()
    if meeting.store_socket:
        meeting.store_socket.close()


def test_a_job_of_one_node_is_alone() -> None:
    assert find_node({}) == Node(0, 1)
    assert find_node(batch(0, 0, count=1)) == Node(0, 1)


def test_nodes_are_counted_from_the_main_one() -> None:
    assert find_node(batch(1, 1)) == Node(0, 3)
    assert find_node(batch(2, 1, "10.0.0.7")) == Node(1, 3, "10.0.0.7")
    assert find_node(batch(0, 1, "10.0.0.7")) == Node(2, 3, "10.0.0.7")


def test_runs_that_share_a_host_meet_at_other_ports() -> None:
    ports = {rendezvous_port(f"vision-digits-{number:012x}") for number in range(20)}
    assert len(ports) == 20
    assert all(1024 < port < 32768 for port in ports)


def test_three_nodes_of_different_sizes_agree_in_whatever_order_they_come(run_id: str) -> None:
    """Children knock before the main node is there."""
    nodes = [Node(2, 3, "127.0.0.1"), Node(1, 3, "127.0.0.1"), Node(0, 3)]
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(meet, node, run_id, node.order + 1, 41) for node in nodes]
        last, middle, main = (each.result(LONG_S) for each in running)
    assert [each.first_rank for each in (main, middle, last)] == [0, 1, 3]
    assert {(each.world_size, each.fencing, each.store_port) for each in (main, middle, last)} == {
        (6, 41, main.store_port)
    }
    assert sorted(main.peers) == [1, 2]
    assert main.store_socket is not None
    assert main.store_socket.getsockname() == ("127.0.0.1", main.store_port)
    for each in (main, middle, last):
        end(each)


@pytest.mark.parametrize(
    "hello",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
        b"[1]\n",
        json.dumps({"run_id": "another", "order": 1, "processes": 1}).encode() + b"\n",
        b'{"run_id": "%s", "order": 2, "processes": 1}\n',
        b'{"run_id": "%s", "order": 1, "processes": 0}\n',
        b'{"run_id": "%s", "order": "1", "processes": 1}\n',
    ],
)
def test_strangers_are_refused_and_the_node_comes_in(run_id: str, hello: bytes, capsys: Any) -> None:
    with ThreadPoolExecutor() as threads:
        main = threads.submit(meet, Node(0, 2), run_id, 1, 0)
        stranger = knock(run_id)
        stranger.sendall(hello.replace(b"%s", run_id.encode()))
        stranger.shutdown(socket.SHUT_WR)
        child = threads.submit(meet, Node(1, 2, "127.0.0.1"), run_id, 1, 0)
        for meeting in (main.result(LONG_S), child.result(LONG_S)):
            end(meeting)
    stranger.close()
    assert "stranger_refused" in capsys.readouterr().out


def test_a_silent_stranger_holds_nobody_up(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "GREET_WITHIN_S", 0.1)
    with ThreadPoolExecutor() as threads:
        main = threads.submit(meet, Node(0, 2), run_id, 1, 0)
        with knock(run_id):
            child = threads.submit(meet, Node(1, 2, "127.0.0.1"), run_id, 1, 0)
            for meeting in (main.result(LONG_S), child.result(LONG_S)):
                end(meeting)


def test_a_node_that_knocks_again_is_the_one_that_counts(run_id: str) -> None:
    with ThreadPoolExecutor() as threads:
        main = threads.submit(meet, Node(0, 3), run_id, 1, 0)
        first = knock(run_id)
        first.sendall(json.dumps({"run_id": run_id, "order": 1, "processes": 1}).encode() + b"\n")
        again = threads.submit(meet, Node(1, 3, "127.0.0.1"), run_id, 1, 0)
        assert first.recv(1) == b""  # the main node has hung up on it
        other = threads.submit(meet, Node(2, 3, "127.0.0.1"), run_id, 1, 0)
        for meeting in (main.result(LONG_S), again.result(LONG_S), other.result(LONG_S)):
            end(meeting)
    first.close()


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node(0, 3), r"nodes \[1, 2\] .* did not come"),
        (Node(1, 2, "127.0.0.1"), "the main node at 127.0.0.1 did not come"),
    ],
)
def test_who_does_not_come_in_time_is_lost(node: Node, words: str, run_id: str) -> None:
    with pytest.raises(NodeLostError, match=words) as caught:
        meet(node, run_id, 1, 0, within_s=0.05)
    assert caught.value.exit_code == 75


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_main_node_that_never_starts_the_run_is_lost(run_id: str, hangs_up: bool) -> None:
    with socket.create_server(("127.0.0.1", rendezvous_port(run_id))) as listener, ThreadPoolExecutor() as threads:
        child = threads.submit(meet, Node(1, 2, "127.0.0.1"), run_id, 1, 0, within_s=LONG_S if hangs_up else 0.3)
        line = listener.accept()[0]
        line.recv(1000)
        if hangs_up:
            line.close()
        with pytest.raises(NodeLostError, match="did not start the run"):
            child.result(LONG_S)
        line.close()


def knock(run_id: str) -> socket.socket:
    return _persist(lambda: socket.create_connection(("127.0.0.1", rendezvous_port(run_id))))


def _persist(attempt: Callable[[], socket.socket]) -> socket.socket:
    for _ in range(1000):
        try:
            return attempt()
        except ConnectionRefusedError:
            threading.Event().wait(0.01)
    raise AssertionError("nobody listens")

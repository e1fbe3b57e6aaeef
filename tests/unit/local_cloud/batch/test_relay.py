"""The relay between a network namespace's 127.0.0.1 and this cloud's port."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.batch.relay import Relay

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter"))),
    reason="network namespaces need root and iproute2",
)
LARGE = 3_000_000


@pytest.fixture
def namespace() -> Iterator[Path]:
    name = f"turbine-relay-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield Path("/run/netns") / name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_it_carries_both_directions_to_their_ends(namespace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as cloud:
        port = cloud.getsockname()[1]

        def answer() -> None:
            peer, _ = cloud.accept()
            with peer:
                received = b""
                while len(received) < LARGE:
                    received += peer.recv(1 << 16)
                peer.sendall(received[::-1])

        served = threading.Thread(target=answer)
        served.start()
        program = (
            f"import socket; s = socket.create_connection(('127.0.0.1', {port}))\n"
            f"s.sendall(b'a' + b'b' * {LARGE - 1})\n"
            "got = b''\nwhile part := s.recv(1 << 16): got += part\nprint(len(got), got[-1:].decode())"
        )
        with contextlib.closing(Relay([namespace], port)):
            said = subprocess.run(
                ["nsenter", f"--net={namespace}", "--", sys.executable, "-S", "-c", program],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            served.join()
    assert said.stdout == f"{LARGE} a\n", said.stderr


def test_this_process_stays_in_its_own_namespace(namespace: Path) -> None:
    own = os.readlink("/proc/self/ns/net")  # noqa: PTH115
    with contextlib.closing(Relay([namespace], 29_401)), socket.socket() as probe:
        assert os.readlink("/proc/thread-self/ns/net") == own  # noqa: PTH115
        assert probe.connect_ex(("127.0.0.1", 29_401)) != 0

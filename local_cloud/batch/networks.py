"""Where the nodes of a multi-node job meet: on 127.0.0.1 as process groups, or in network namespaces of their own.

With namespaces each node has an `eth0` with an address of 10.213.x.0/24, as a container in awsvpc mode has. All of it
(nodes, bridge, links) lies in namespaces whose names begin with this cloud's own prefix, so that nothing of the
machine's network changes, its firewall does not see the packets, and removing the names removes everything, also at
the next start after a kill. The cloud's port is the only thing a node reaches outside: see `relay`.

Source: https://man7.org/linux/man-pages/man8/ip-netns.8.html
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from local_cloud import settings
from local_cloud.batch.relay import Relay

_NAMES = Path("/run/netns")
_NEEDED = ("ip", "nsenter")
_numbers = itertools.count(1)


class NodeNetwork(Protocol):
    """A job's nodes, each with an address that the others reach."""

    addresses: list[str]

    @property
    def number(self) -> int | None:
        """By which another cloud finds it again; None where there is nothing to find."""
        ...

    def inside(self, index: int, command: Sequence[str]) -> list[str]:
        """The command that runs `command` as node `index`."""
        ...

    def cut(self, index: int) -> None:
        """Let node `index` vanish without a word to the others, as a host does that loses its power."""
        ...

    def close(self) -> None:
        """Take the network away. Its processes have ended."""
        ...


class SharedNetwork:
    """All nodes are this machine."""

    def __init__(self, count: int) -> None:
        self.addresses = ["127.0.0.1"] * count
        self.number: int | None = None

    def inside(self, index: int, command: Sequence[str]) -> list[str]:  # noqa: ARG002  the protocol's
        return list(command)

    def cut(self, index: int) -> None:
        """Not here: the kernel says farewell for a process that it kills."""

    def close(self) -> None:
        """Nothing was made."""


class NamespaceNetwork:
    """A namespace for each node, and one for the bridge between them. `number`: of one that an earlier cloud made."""

    def __init__(self, count: int, number: int | None = None) -> None:
        is_new = number is None
        if number is None:
            number = next(one for one in _numbers if not (_NAMES / f"{_prefix()}{one}-switch").exists())
        name = f"{_prefix()}{number}"
        self.number: int | None = number
        self._switch = f"{name}-switch"
        self._nodes = [f"{name}-{index}" for index in range(count)]
        self.addresses = [f"10.213.{number % 256}.{10 + index}" for index in range(count)]
        self._relay: Relay | None = None
        try:
            if is_new:
                self._lay()
            self._relay = Relay([_NAMES / node for node in self._nodes], settings.current().port)
        except BaseException:
            self.close()
            raise

    def inside(self, index: int, command: Sequence[str]) -> list[str]:
        return ["nsenter", f"--net={_NAMES / self._nodes[index]}", "--", *command]

    def cut(self, index: int) -> None:
        _ip(["-n", self._switch], [f"link set node{index} down"])

    def close(self) -> None:
        if self._relay is not None:
            self._relay.close()
        _remove([self._switch, *self._nodes])

    def _lay(self) -> None:
        _ip([], [f"netns add {name}" for name in (self._switch, *self._nodes)])
        _ip(["-n", self._switch], ["link add nodes type bridge", "link set nodes up"])
        for index, (node, address) in enumerate(zip(self._nodes, self.addresses, strict=True)):
            _ip(
                ["-n", self._switch],
                [
                    f"link add node{index} type veth peer name eth0 netns {node}",
                    f"link set node{index} master nodes",
                    f"link set node{index} up",
                ],
            )
            _ip(["-n", node], ["link set lo up", f"address add {address}/24 dev eth0", "link set eth0 up"])


def of_nodes(count: int) -> NodeNetwork:
    """The network for a job of `count` nodes, as this cloud was asked to make them."""
    if count > 1 and settings.current().node_networks == settings.NAMESPACES:
        return NamespaceNetwork(count)
    return SharedNetwork(count)


def again(count: int, number: int | None) -> NodeNetwork:
    """The network of nodes that an earlier cloud started. Raises: OSError if it is gone."""
    return SharedNetwork(count) if number is None else NamespaceNetwork(count, number)


def require() -> None:
    """Raises: RuntimeError saying what this machine lacks for namespaces."""
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    if missing:
        raise RuntimeError(f"node networks as namespaces need Linux with {' and '.join(missing)}: install iproute2")
    if os.geteuid() != 0:
        raise RuntimeError("node networks as namespaces need root")


def remove_all(but: Collection[int] = ()) -> None:
    """Remove what this cloud, or one killed in the same state directory, made; nothing else has its prefix."""
    if _NAMES.is_dir() and os.geteuid() == 0:
        kept = tuple(f"{_prefix()}{number}-" for number in but)
        names = [path.name for path in _NAMES.iterdir() if path.name.startswith(_prefix())]
        _remove([name for name in names if not name.startswith(kept)])


def _prefix() -> str:
    state_dir = str(settings.current().state_dir)
    return f"turbine-{hashlib.sha256(state_dir.encode()).hexdigest()[:10]}-"


def _remove(names: Sequence[str]) -> None:
    existing = [name for name in names if (_NAMES / name).exists()]
    if existing:
        _ip([], [f"netns delete {name}" for name in existing])


def _ip(options: Sequence[str], lines: Sequence[str]) -> None:
    """Run lines of `ip -batch`. Raises: OSError with what ip said."""
    done = subprocess.run(
        ["ip", *options, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise OSError(f"ip could not lay the nodes' network: {done.stderr.strip()}")

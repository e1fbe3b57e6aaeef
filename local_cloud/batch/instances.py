"""The EC2 instances that attempts believe to run on: one a container, told apart by an id, and taken away as EC2 does.

Three ends: a Spot reclaim (a notice in the metadata first, then a shutdown), a termination (a shutdown at once), and a
loss (no notice, no signal but SIGKILL, as when the hardware dies). After each of them nobody is left to report the
container's exit code, and Batch says `Host EC2 (instance i-…) terminated.` (R: whether a container that still ends in
time keeps its code).

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NOTICE_S = 120.0
SHUTDOWN_GRACE_S = 15.0
"""How long Docker's daemon waits for its containers when its host shuts down.

Source: https://docs.docker.com/reference/cli/dockerd/ (shutdown-timeout)
"""


class Signal(threading.Event):
    """An event that also tells those who asked to be told."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Callable[[], None]] = []

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` when this is set; at once if it is."""
        self._listeners.append(listener)
        if self.is_set():
            listener()

    def set(self) -> None:
        super().set()
        for listener in list(self._listeners):
            listener()


def terminated(instance_id: str) -> str:
    """What Batch says of an attempt whose host went away."""
    return f"Host EC2 (instance {instance_id}) terminated."


class NotSpotError(ValueError):
    """Only Spot Instances are reclaimed with a notice."""


@dataclass
class Instance:
    """One host. `is_going` asks for its shutdown, `is_lost` says that it is gone already."""

    account: str
    region: str
    is_spot: bool
    cluster: str
    runs: Mapping[str, Any]
    instance_id: str = field(default_factory=lambda: f"i-{secrets.token_hex(8)}0")
    container_instance: str = field(default_factory=lambda: secrets.token_hex(16))
    ends_at: datetime.datetime | None = None
    is_going: Signal = field(default_factory=Signal)
    is_lost: Signal = field(default_factory=Signal)

    @property
    def container_instance_arn(self) -> str:
        place = f"{self.cluster}/{self.container_instance}"
        return f"arn:aws:ecs:{self.region}:{self.account}:container-instance/{place}"

    @property
    def status_reason(self) -> str:
        """What Batch says of an attempt whose host went away."""
        return terminated(self.instance_id)

    @property
    def is_ending(self) -> bool:
        return self.is_going.is_set() or self.is_lost.is_set()

    def reclaim(self, notice_s: float = NOTICE_S) -> None:
        """Announce a Spot interruption, and shut down when the notice is over.

        Raises: NotSpotError for an on-demand instance.
        """
        if not self.is_spot:
            raise NotSpotError(f"{self.instance_id} is no Spot Instance: terminate it, or lose it")
        self.ends_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=notice_s)
        timer = threading.Timer(notice_s, self.is_going.set)
        timer.daemon = True
        timer.start()


_live: dict[str, Instance] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def launched(instance: Instance) -> Iterator[None]:
    """Make an instance known while its container runs."""
    with _lock:
        _live[instance.instance_id] = instance
    try:
        yield
    finally:
        with _lock:
            del _live[instance.instance_id]


def find(instance_id: str) -> Instance | None:
    """A live instance by its id."""
    with _lock:
        return _live.get(instance_id)


def live() -> list[Instance]:
    """All live instances, the oldest first."""
    with _lock:
        return list(_live.values())

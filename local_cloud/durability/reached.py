"""Which backends a request reaches, besides those of the service it was sent to: SNS puts messages into queues.

moto makes a backend when somebody first looks it up, a request that only reads included: what it then holds, made-up
identifiers among it, is written before anybody is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_cloud.durability.pickling import service_of
from local_cloud.durability.tracked import changes, making
from local_cloud.replacements import Replacement


def _noted(original: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(self: Any, region_name: str) -> Any:
        service = service_of(self.backend)
        changes.reach(service)
        if dict.__contains__(self, "aws" if region_name == "global" else region_name):
            return original(self, region_name)
        with making():
            backend = original(self, region_name)
        changes.note_service(service)
        return backend

    return look_up


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.core.base_backend:AccountSpecificBackend.__getitem__",
        build=_noted,
        why="nothing tells which backends a request changes, nor that it makes one",
    ),
]

"""What moto works out again for every request or service, worked out once: a quarter of a deployment's time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from local_cloud.replacements import Replacement


def _listed_once(original: Callable[[], Iterable[str]]) -> Callable[[], tuple[str, ...]]:
    names = tuple(original())
    return lambda: names


def _one_loader(original: Callable[[], Any]) -> Callable[[], Any]:
    """moto's own loader, which adds moto's error shapes to botocore's models, but one for all services."""
    loader = original()
    return lambda: loader


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.backends:list_of_moto_modules",
        build=_listed_once,
        why="moto lists its own folder for every request",
    ),
    Replacement(
        target="moto.core.utils:create_loader",
        build=_one_loader,
        why="moto searches all folders of models again for every service",
    ),
]

"""The one table of moto symbols that the embedded cloud replaces, checked before anything is served.

A service module declares its own entries as `REPLACEMENTS`; this module collects and installs them. A symbol
that a new moto release renamed or dropped fails here, at start, by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


class MotoChangedError(RuntimeError):
    """A moto symbol that this cloud replaces is not there any more."""


@dataclass(frozen=True)
class Replacement:
    """One moto symbol, what stands in for it, and why.

    `target` is `package.module:attribute[.attribute…]`. `build` takes the original and returns the
    replacement, so that a wrapper can call what it wraps.
    """

    target: str
    build: Callable[[Any], Any]
    why: str


def install(replacements: Sequence[Replacement]) -> None:
    """Check that every target exists, then replace them all, in order.

    Raises: MotoChangedError naming each target that moto no longer has.
    """
    absent = missing(replacements)
    if absent:
        raise MotoChangedError(
            f"moto does not have {', '.join(absent)}. Install the moto version of requirements.lock: make setup"
        )
    for replacement in replacements:
        owner, name = _owner(replacement.target)
        setattr(owner, name, replacement.build(owner.__dict__.get(name, getattr(owner, name))))


def missing(replacements: Sequence[Replacement]) -> list[str]:
    """The targets that moto does not have."""
    return [r.target for r in replacements if not _exists(r.target)]


def _owner(target: str) -> tuple[Any, str]:
    module_name, _, path = target.partition(":")
    *parents, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name


def _exists(target: str) -> bool:
    try:
        owner, name = _owner(target)
    except (ImportError, AttributeError):
        return False
    return hasattr(owner, name)

"""Calls that may be made again after a crash, and must not take effect twice.

Whoever makes such a call names what he means by it: whose it is, and which of his. The cloud's own clients send that in
a header, and the answer is written together with what the call has changed. A second call with the same intent gets
that answer, and changes nothing.
"""

from __future__ import annotations

import pickle
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local_cloud.durability import commits
from local_cloud.durability.tracked import changes

HEADER = "x-local-intent"
PREFIX = "intents/"
STACK = "stack/"
"""Begins the names of stacks' operations, as whose intents are."""
_thread = threading.local()


@dataclass(frozen=True)
class Told:
    """An answer as it went out."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class _Meaning:
    """What this thread calls for: one call named `which`, or several, told apart by operation and number."""

    whose: str
    which: str
    made: Counter[str] | None = None

    def next(self, operation: str) -> str:
        if self.made is None:
            return f"{self.whose}#{self.which}"
        self.made[operation] += 1
        return f"{self.whose}#{self.which}.{operation}{self.made[operation]}"


@contextmanager
def meant(whose: str, which: str) -> Iterator[None]:
    """What this thread calls in the body, one call, is meant as that."""
    with _meaning(_Meaning(whose, which)):
        yield


@contextmanager
def step(name: str) -> Iterator[None]:
    """Within `meant`: the calls of a step. A second time those of an operation come in the same order.

    Steps have steps. Nothing outside of `meant`.
    """
    outer: _Meaning | None = getattr(_thread, "meaning", None)
    if outer is None:
        yield
        return
    with _meaning(_Meaning(outer.whose, f"{outer.which}/{name}", Counter())):
        yield


@contextmanager
def _meaning(new: _Meaning) -> Iterator[None]:
    outer = getattr(_thread, "meaning", None)
    _thread.meaning = new
    try:
        yield
    finally:
        _thread.meaning = outer


def send(model: Any, params: dict[str, Any], **_: Any) -> None:
    """For botocore's event `before-call`, which is once a call, however often it is sent: put the intent into it."""
    meaning: _Meaning | None = getattr(_thread, "meaning", None)
    if meaning is not None:
        params["headers"][HEADER] = meaning.next(model.name)


def of_request(environ: dict[str, Any]) -> str | None:
    """The intent in a request's headers."""
    found: str | None = environ.get("HTTP_X_LOCAL_INTENT")
    return found


def space_of(whose: str) -> str:
    """Where the answers to someone's intents are written."""
    return f"{PREFIX}{whose}"


def answered(intent: str) -> Told | None:
    """What was answered to an intent."""
    if not commits.is_used():
        return None
    whose, _, which = intent.rpartition("#")
    body = commits.store().cell(space_of(whose), which)
    if body is None:
        return None
    told: Told = pickle.loads(body)  # noqa: S301  written by `remember`, into a file that is ours alone
    return told


def remember(intent: str, told: Told) -> None:
    """Have an answer written with what it tells."""
    if commits.is_used():
        whose, _, which = intent.rpartition("#")
        changes.write(space_of(whose), which, pickle.dumps(told, pickle.HIGHEST_PROTOCOL))


def forget(whose: str) -> None:
    """Nobody asks again: the answers may go."""
    if commits.is_used():
        changes.drop(space_of(whose))

"""Signals: the first ends the command, further ones do not disturb what it cleans up. Imports nothing slow."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli import json_output
from cli.errors import InterruptedBySignal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def install() -> None:
    """From now on the first SIGINT or SIGTERM raises InterruptedBySignal."""
    for number in SIGNALS:
        signal.signal(number, _raise_interrupted)


def ignore() -> None:
    """From now on signals do nothing. A handler, not SIG_IGN: that would be handed on to child processes."""
    for number in SIGNALS:
        signal.signal(number, _do_nothing)


@contextmanager
def held() -> Iterator[None]:
    """A signal that comes within the block is raised at its end: for what must not be left half done."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for taken in came:
        signal.raise_signal(taken)


def tell(error: InterruptedBySignal, *, json_only: bool) -> int:
    """Say that the command was interrupted, also as the object of `--json`; its exit code."""
    sys.stderr.write("interrupted\n")
    if json_only:
        json_output.write_error({"error": {"cause": f"interrupted by {error.name}", "place": None, "next": None}})
    return error.exit_code


def _raise_interrupted(number: int, _frame: FrameType | None) -> None:
    ignore()  # here and not in an `except`: the second signal may come before that is reached
    raise InterruptedBySignal(number)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """A signal after the first."""

"""Errors a person sees: what went wrong, where, and what to type next."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from cli import exit_codes


class CommandError(Exception):
    """Ends the command with a message of up to three parts and an exit code of `cli.exit_codes`."""

    def __init__(
        self,
        cause: str,
        *,
        place: str | None = None,
        next_step: str | None = None,
        exit_code: int = exit_codes.FAILED,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.place = place
        self.next_step = next_step
        self.exit_code = exit_code
        self.result = result or {}

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints instead of a result, with what is known of the result."""
        return {**self.result, "error": {"cause": self.cause, "place": self.place, "next": self.next_step}}


class InterruptedBySignal(BaseException):
    """A signal asked the command to stop; a BaseException so that no `except Exception` keeps it running."""

    def __init__(self, number: int) -> None:
        self.name = signal.Signals(number).name
        super().__init__(self.name)
        self.exit_code = 128 + number

"""The one object that `--json` prints: an error after the result must not print a second."""

from __future__ import annotations

import json
import sys
from typing import Any

_state = {"written": False}


def begin() -> None:
    """A command starts: nothing is written yet."""
    _state["written"] = False


def write(value: Any) -> None:
    """The command's result."""
    _state["written"] = True
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def write_error(value: Any) -> None:
    """The object that stands for a result that did not come; nothing if it came before the error did."""
    if not _state["written"]:
        write(value)

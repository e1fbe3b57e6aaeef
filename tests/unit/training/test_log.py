import sys

import pytest

from training.log import log_event


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads' lines are never joined."""

    class Unbuffered:
        def __init__(self) -> None:
            self.writes: list[str] = []

        def write(self, text: str) -> None:
            self.writes.append(text)

        def flush(self) -> None:
            pass

    stdout = Unbuffered()
    monkeypatch.setattr(sys, "stdout", stdout)
    log_event("step", loss=float("nan"))
    assert stdout.writes == ['{"event": "step", "loss": null}\n']

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.observe.job_logs import EpochReport
from cli.progress import Lines, LiveTable, RunProgress, view_for
from cli.terminal import Terminal

RUN = RunProgress(
    "vision", "round 1", "vision-digits-1", state="TrainOnOneNode", epoch=EpochReport(3, 8, "accuracy", 0.91)
)


def _terminal(*, interactive: bool) -> Terminal:
    stream = io.StringIO()
    return Terminal(messages=Console(file=stream, force_terminal=interactive, width=140, color_system=None))


def _written(terminal: Terminal) -> str:
    assert isinstance(terminal.messages.file, io.StringIO)
    return terminal.messages.file.getvalue()


def test_a_pipe_gets_a_line_for_each_change_and_no_control_codes() -> None:
    terminal = _terminal(interactive=False)
    view = view_for(terminal)
    assert isinstance(view, Lines)
    with view:
        view.phase("deploying")
        view.update([RUN])
        view.update([RUN])
        view.update(
            [RunProgress("vision", "round 1", "vision-digits-1", status="SUCCEEDED", verdict="held", done=True)]
        )
    lines = _written(terminal).splitlines()
    assert [line.partition(" s  ")[2] for line in lines] == [
        "deploying",
        "round 1  vision       TrainOnOneNode, epoch 3/8 accuracy 0.91",
        "round 1  vision       SUCCEEDED, held",
    ]
    assert "\x1b" not in _written(terminal)


def test_a_terminal_gets_a_table_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = _terminal(interactive=True)
    view = view_for(terminal)
    assert isinstance(view, LiveTable)
    with view:
        view.phase("round one")
        view.update([RUN])
    last = _written(terminal)
    assert "accuracy 0.91" in last
    assert "3/8" in last

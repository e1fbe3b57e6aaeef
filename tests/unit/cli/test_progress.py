from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.console import Console

from cli.errors import CommandError
from cli.observe.job_logs import EpochReport
from cli.progress import Lines, LiveTable, RunProgress, view_for
from cli.terminal import Terminal

RUN = RunProgress(
    "vision", "round 1", "vision-digits-1", state="TrainOnOneNode", epoch=EpochReport(3, 8, "accuracy", 0.91)
)


def _terminal(*, interactive: bool, columns: int = 140) -> Terminal:
    stream = io.StringIO()
    return Terminal(messages=Console(file=stream, force_terminal=interactive, width=columns, color_system=None))


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


@pytest.mark.parametrize("error", [None, CommandError("broken")])
def test_a_terminal_gets_a_table_that_stays_only_where_an_error_left_no_result(
    monkeypatch: pytest.MonkeyPatch, error: CommandError | None
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = _terminal(interactive=True)
    view = view_for(terminal)
    assert isinstance(view, LiveTable)
    with suppress(CommandError), view:
        view.phase("round one")
        view.update([RUN])
        if error:
            raise error
    last = _written(terminal).rpartition("\x1b")[2]  # after the live view has wiped itself away
    assert ("accuracy 0.91" in last, "3/8" in last) == (error is not None, error is not None)


@pytest.mark.parametrize("columns", [80, 100])
def test_nothing_but_a_long_state_is_cut_at_common_widths(columns: int) -> None:
    terminal = _terminal(interactive=True, columns=columns)
    view = LiveTable(terminal)
    epoch = EpochReport(30, 100, "log_loss", 0.12344)
    view.update([replace(RUN, team="endocrine", state="x" * 40, epoch=epoch, verdict="promoted", records=180)])
    terminal.messages.print(view._table())
    heading, row = (line.rstrip() for line in _written(terminal).splitlines())
    assert len(row) <= columns
    assert heading.split() == ["team", "state", "training", "validation", "decision", "predictions"]
    for value in ("round 1", "endocrine", "x…", "30/100", "log_loss 0.1234", "promoted", "180"):
        assert value in row

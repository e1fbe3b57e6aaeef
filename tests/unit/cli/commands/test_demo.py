from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cli.commands import demo
from cli.demo.details import RunDetails
from cli.observe.follow import Ended
from cli.observe.records import RunItems
from cli.terminal import Terminal


def _run(team: str, number: int, outcome: dict[str, str]) -> RunDetails:
    ended = Ended(team, f"{team}-{number}", RunItems(f"{team}-{number}", outcome=outcome))
    return RunDetails(number, ended, {}, {}, {}, (), ())


def test_the_closing_words_tell_each_teams_decisions_the_failures_and_the_report(tmp_path: Path) -> None:
    stream = io.StringIO()
    runs = [
        _run("vision", 1, {"status": "SUCCEEDED", "decision": "promoted"}),
        _run("winery", 1, {"status": "FAILED", "error": "States.TaskFailed", "cause": "exit code 65\nmore"}),
        _run("vision", 2, {"status": "SUCCEEDED", "decision": "held"}),
    ]
    demo._summarize(Terminal(messages=Console(file=stream, width=200)), runs, tmp_path / "report.html", 12.34)
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "",
        "vision:     promoted, then held",
        "winery:     FAILED",
        "winery, round 1: States.TaskFailed: exit code 65",
        "3 runs in 12.3 s",
        f"reasons, curves and timelines: {tmp_path / 'report.html'}",
    ]

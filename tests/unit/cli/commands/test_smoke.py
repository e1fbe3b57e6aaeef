"""`turbine smoke`: what it made is removed however it ends."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from cli import app, exit_codes
from cli.cloud import Cloud
from cli.commands import smoke
from cli.errors import CommandError, InterruptedBySignal
from cli.smoke import cleaning, seen, steps
from cli.smoke.cleaning import Cleaned
from cli.smoke.report import Report
from cli.smoke.seen import Seen
from tests.unit.cli.smoke.runs import RUN, good


class Arranged:
    """The command with a run that ends as the test says, and a memory of what was removed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.removed: list[str] = []
        self.left: list[Cleaned] = []
        self.looked: Seen = good()
        self.ends: BaseException | None = None
        self._monkeypatch = monkeypatch
        cloud = Cloud.__new__(Cloud)
        cloud.outputs = {"JobQueueArn": "q", "SpotJobQueueArn": "s"}
        monkeypatch.setattr(Cloud, "from_environment", lambda _stack: cloud)
        monkeypatch.setattr(seen, "host_types", lambda *_: ["c7i.large"])
        monkeypatch.setattr(cleaning, "remove", self._remove)
        monkeypatch.setattr(smoke, "_run", self._run)
        monkeypatch.setattr(smoke.interrupts, "ignore", lambda: None)

    def _remove(self, _cloud: Cloud, team: str) -> list[Cleaned]:
        self.removed.append(team)
        return [Cleaned("the team's stack", ""), *self.left]

    def _run(self, _cloud: Cloud, _view: Any, team: str, _timeout_s: float) -> Report:
        if self.ends is not None:
            raise self.ends
        return Report(team, RUN, steps.steps(self.looked), self.looked, 310.0)

    def __call__(self, *arguments: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["turbine", "smoke", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        return int(ended.value.code or 0)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Arranged:
    return Arranged(monkeypatch)


def test_a_good_run_is_told_and_removed(run: Arranged, capsys: pytest.CaptureFixture[str]) -> None:
    run.left = [Cleaned("the model package group", "not you")]
    assert run("--json") == exit_codes.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["succeeded"], told["is_aws"], told["run_id"]) == (True, True, RUN)
    assert told["steps"][0] == {"name": "drop seen", "status": "done", "took_s": 1.5, "what": told["steps"][0]["what"]}
    assert {fact["verdict"] for fact in told["facts"]} == {"holds", "not seen"}
    assert told["removed"] == ["the team's stack"]
    assert told["left"] == [{"what": "the model package group", "problem": "not you"}]
    assert run.removed == [told["team"]]


def test_a_person_reads_steps_facts_and_what_is_left(run: Arranged, capsys: pytest.CaptureFixture[str]) -> None:
    run.left = [Cleaned("the model package group", "not you")]
    run.looked = good(is_aws=False, job={})
    assert run() == exit_codes.FAILED
    told = capsys.readouterr()
    assert "job ran" in told.out and "failed" in told.out
    assert "not AWS" in told.out and "holds" not in told.out.replace("that holds", "")
    assert "this launches one c7i.large" in told.err
    assert "left: the model package group: not you" in told.err


def test_it_can_be_kept_and_removed_later(run: Arranged, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--team", "smoke0123abcd", "--keep") == exit_codes.OK
    assert run.removed == []
    assert "turbine smoke --team smoke0123abcd --remove" in capsys.readouterr().err
    assert run("--team", "smoke0123abcd", "--remove", "--json") == exit_codes.OK
    assert json.loads(capsys.readouterr().out) == {"team": "smoke0123abcd", "removed": ["the team's stack"], "left": []}
    assert run.removed == ["smoke0123abcd"]


@pytest.mark.parametrize("ends", [CommandError("the stack failed"), InterruptedBySignal(2)])
def test_it_is_removed_however_it_ends_also_if_it_was_to_be_kept(run: Arranged, ends: BaseException) -> None:
    run.ends = ends
    if isinstance(ends, InterruptedBySignal):
        with pytest.raises(InterruptedBySignal):
            run("--team", "smoke0123abcd", "--keep")
    else:
        assert run("--team", "smoke0123abcd", "--keep") == exit_codes.FAILED
    assert run.removed == ["smoke0123abcd"]


@pytest.mark.parametrize("arguments", [["--team", "vision"], ["--team", "vision", "--remove"], ["--remove"]])
def test_nobody_elses_team_is_touched(run: Arranged, arguments: list[str]) -> None:
    assert run(*arguments) == exit_codes.REFUSED
    assert run.removed == []

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.observe.executions import Execution, StateSpan
from cli.report import svg
from cli.report.graph_svg import seconds
from cli.report.model import Comparison, Epoch, Predictions, Report, RunReport
from cli.report.page import render, write_page
from cli.report.work import seconds_by_work

START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
DEFINITION = {
    "StartAt": "Train",
    "States": {
        "Train": {"Type": "Task", "Next": "PublishArtifacts"},
        "PublishArtifacts": {"Type": "Task", "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}


def _at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def _execution(last: str = "succeeded") -> Execution:
    spans = (
        StateSpan("Train", _at(0), _at(8), "succeeded", "batch"),
        StateSpan("PublishArtifacts", _at(8), _at(10), "failed" if last == "failed" else "succeeded", "lambda"),
    )
    return Execution("arn:execution:1", "SUCCEEDED", _at(0), _at(10), spans)


RUN = RunReport(
    team="vision",
    round=1,
    run_id="vision-digits-0123456789ab",
    status="SUCCEEDED",
    verdict="promoted",
    reason="Promoted: accuracy 0.97 against the baseline's 0.1.",
    recipe="image_classifier: epochs 2",
    rule={"name": "min_delta", "metric": "accuracy", "direction": "maximize", "min_delta": 0.005},
    comparisons=[Comparison("accuracy", 0.97, None, 0.1, True)],
    delta=0.87,
    data_version="0123456789abcdef",
    provenance={"manifest": "s3://data-1/manifests/vision/a.json"},
    epochs=[Epoch(1, 1.0, 0.9, {"accuracy": 0.8}), Epoch(2, 0.7, 0.6, {"accuracy": 0.9})],
    predictions=Predictions("s3://predictions/vision/1/", 180, ['{"id": "a", "prediction": 3}']),
    executions=[_execution()],
)


def _report(*runs: RunReport) -> Report:
    return Report("Turbine demo", START, 88.4, runs, DEFINITION, "turbine-run", {"deploy": 10.0}, {"training": 8.0})


def test_the_page_tells_the_decision_the_numbers_and_the_places() -> None:
    page = render(_report(RUN))
    for told in (
        "accuracy 0.97 against the baseline&#39;s 0.1",
        "0123456789abcdef",
        "s3://data-1/manifests/vision/a.json",
        "180 records",
        "8.0 s",
        "arn:execution:1",
    ):
        assert told in page


def test_nothing_is_loaded_from_anywhere() -> None:
    page = render(_report(RUN))
    assert not re.search(r"<(script|link|img|iframe|object)\b|@import|url\(|\bsrc=", page)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))


def test_what_others_wrote_is_escaped() -> None:
    evil = '<script>alert("x")</script>'
    definition = {"StartAt": evil, "States": {evil: {"Type": "Succeed", "Comment": evil}}}
    spans = (StateSpan(evil, _at(0), _at(9), "succeeded"),)
    run = replace(RUN, reason=evil, team=evil, executions=[replace(_execution(), spans=spans)])
    page = render(replace(_report(run), definition=definition))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_states_are_coloured_by_the_run() -> None:
    page = render(_report(replace(RUN, executions=[_execution("failed")])))
    assert re.search(r'class="node succeeded task"', page)
    assert re.search(r'class="node failed task"', page)
    assert re.search(r'class="node unreached succeed"', page)


def test_each_run_has_a_tab_that_shows_its_own_graph() -> None:
    page = render(_report(RUN, replace(RUN, round=2)))
    assert page.count('type="radio"') == page.count('class="panel scroll"') == 2
    assert ".tabs input:nth-of-type(2):checked ~ .panel:nth-of-type(2)" in page


@pytest.mark.parametrize("status", ["FAILED", "REFUSED"])
def test_a_run_that_got_nowhere_still_has_a_card(status: str) -> None:
    run = RunReport("winery", 1, "winery-x", status, None, "no such column", "", {}, [], None, "", {})
    page = render(_report(run))
    assert "no such column" in page
    assert "No model was promoted" in page


def test_both_rounds_share_one_chart() -> None:
    page = render(_report(RUN, replace(RUN, round=2)))
    (loss,) = re.findall(r'<svg[^>]*aria-label="Loss by epoch".*?</svg>', page, re.S)
    assert loss.count('class="curve ') == 4
    assert 'curve round-2 validation"' in loss


def test_the_page_is_one_file_in_a_folder_made_for_it(tmp_path: Path) -> None:
    write_page(_report(RUN), tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text().startswith("<!doctype html>")


def test_work_is_counted_by_kind_and_publishing_is_dvc() -> None:
    totals = seconds_by_work([_execution(), _execution()])
    assert totals == {"training": 16, "functions": 0, "dvc": 4, "transform": 0, "waiting": 0}


@pytest.mark.parametrize(
    ("value_s", "told"),
    [(0.004, "4 ms"), (0.0996, "0.1 s"), (3.21, "3.2 s"), (100, "1 min 40 s"), (120, "2 min")],
)
def test_durations_are_told_for_people(value_s: float, told: str) -> None:
    assert seconds(value_s) == told


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.5, 1]), (1, 12, [5, 10]), (0.93, 0.97, [0.93, 0.94, 0.95, 0.96, 0.97]), (2, 2, [2, 2.5, 3, 3.5, 4])],
)
def test_ticks_are_round_numbers_inside(low: float, high: float, ticks: list[float]) -> None:
    assert svg.nice_ticks(low, high, 4) == pytest.approx(ticks)

"""What a plan writes into team files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from cli.embedded.daemon import PROJECT_DIR
from cli.errors import CommandError
from cli.plan import apply
from cli.plan.apply import BASE_SCHEDULE
from cli.plan.comparison import Comparison, compare
from tests.unit.cli.plan.asked import asked
from turbine.domain import team


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(asked(), "makespan", limit_s=2)


@pytest.fixture
def teams_dir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT_DIR / "config" / "teams", tmp_path / "teams"))


def written(compared: Comparison, teams_dir: Path) -> dict[str, team.TeamFile]:
    for change in apply.changes(compared, teams_dir, BASE_SCHEDULE):
        change.path.write_text(change.after)
    return {path.stem: team.parse(path.read_bytes()) for path in teams_dir.glob("*.yaml")}


def test_numbers_of_vms_and_the_order_of_the_teams_are_written(compared: Comparison, teams_dir: Path) -> None:
    files = written(compared.choosing("two-vms"), teams_dir)
    assert {file.compute.nodes for file in files.values()} == {2}
    assert sorted(file.compute.priority or 0 for file in files.values()) == [9996, 9997, 9998, 9999]


def test_a_team_whose_runs_differ_is_planned_when_they_start(compared: Comparison, teams_dir: Path) -> None:
    files = written(compared, teams_dir)
    assert sorted(str(file.compute.nodes) for file in files.values()) == ["1", "1", "1", "auto"]


def test_staggered_triggers_are_a_run_apart_on_the_same_days(compared: Comparison, teams_dir: Path) -> None:
    files = written(compared.choosing("staggered"), teams_dir)
    crons = {file.schedule.cron for file in files.values() if file.schedule}
    times = ((2, 0), (2, 23), (2, 46), (3, 9))
    assert crons == {f"cron({minute} {hour} ? * MON,THU *)" for hour, minute in times}


def test_everything_else_in_the_file_stays(compared: Comparison, teams_dir: Path) -> None:
    before = {path: path.read_text() for path in teams_dir.glob("*.yaml")}
    written(compared.choosing("staggered"), teams_dir)
    for path, text in before.items():
        after = path.read_text()
        kept = [line for line in text.splitlines() if not line.startswith("schedule:")]
        assert [line for line in kept if line not in after.splitlines()] == []
        plain = yaml.safe_load(after)
        assert {name: value for name, value in plain.items() if name not in ("compute", "schedule")} == {
            name: value for name, value in yaml.safe_load(text).items() if name not in ("compute", "schedule")
        }


def test_written_twice_nothing_changes(compared: Comparison, teams_dir: Path) -> None:
    written(compared.choosing("staggered"), teams_dir)
    assert apply.changes(compared.choosing("staggered"), teams_dir, BASE_SCHEDULE) == []


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a: 1\n", "a: 1\ncompute:\n  nodes: 2\n"),
        ("a: 1", "a: 1\ncompute:\n  nodes: 2\n"),
        ("compute:\n  nodes: 7\n  priority: 1\n# why\nb: 2\n", "compute:\n  nodes: 2\n# why\nb: 2\n"),
        ("compute:\n  nodes: 7\n\n# in it\n  priority: 3\n\nb: 2\n", "compute:\n  nodes: 2\n\nb: 2\n"),
        ("compute: {nodes: 7}  # all\nb:\n  c: 1\n", "compute:\n  nodes: 2\nb:\n  c: 1\n"),
    ],
)
def test_a_block_replaces_only_itself(text: str, after: str) -> None:
    assert apply.with_block(text, "compute", {"nodes": 2}) == after


def test_a_schedule_that_names_no_time_or_leaves_its_day_is_refused() -> None:
    assert apply.shifted("cron(50 2 ? * MON *)", 15) == "cron(5 3 ? * MON *)"
    with pytest.raises(CommandError, match="names no one time of a day"):
        apply.shifted("rate(1 day)", 15)
    with pytest.raises(CommandError, match="is another day"):
        apply.shifted("cron(50 23 ? * MON *)", 15)


def test_another_plan_takes_staggered_triggers_away_and_leaves_a_teams_own(
    compared: Comparison, teams_dir: Path
) -> None:
    own = teams_dir / "winery.yaml"
    nothing, given = "schedule: null", "schedule: {cron: 'cron(0 5 * * ? *)', timezone: Europe/Berlin}"
    own.write_text(own.read_text().replace(nothing, given))
    staggered = written(compared.choosing("staggered"), teams_dir)
    assert {file.schedule.timezone for file in staggered.values() if file.schedule} == {"UTC"}
    assert all(file.schedule for file in staggered.values())
    assert [file.schedule for file in written(compared, teams_dir).values()] == [None] * 4, "also the one replaced"
    own.write_text(own.read_text() + "schedule: {cron: 'cron(0 5 * * ? *)'}\n")
    assert written(compared, teams_dir)["winery"].schedule is not None


def test_staggered_triggers_are_on_the_clock_that_is_named(compared: Comparison, teams_dir: Path) -> None:
    changes = apply.changes(compared.choosing("staggered"), teams_dir, BASE_SCHEDULE, "Europe/Berlin")
    assert all("timezone: Europe/Berlin" in change.after for change in changes)


def test_a_key_in_quotes_is_that_key() -> None:
    assert apply.with_block('a: 1\n"compute":\n  nodes: 1\nb: 2\n', "compute", {"nodes": 2}) == (
        "a: 1\ncompute:\n  nodes: 2\nb: 2\n"
    )
    assert apply.with_block("a: 1\ncomputer: 3\n", "compute", {"nodes": 2}).count("computer: 3") == 1


@pytest.mark.parametrize("cron", ["cron(75 2 ? * MON *)", "cron(0 24 ? * MON *)", "cron(60 0 ? * MON *)"])
def test_a_time_that_no_clock_shows_is_refused(cron: str) -> None:
    with pytest.raises(CommandError, match="names no one time of a day"):
        apply.shifted(cron, 10)

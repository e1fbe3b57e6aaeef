"""`turbine models` has a command beside its teams; what a person reads of a rebuild."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer

from cli import app as command
from cli import exit_codes
from cli.commands import models, rebuild
from cli.commands.rebuild import _show
from cli.rebuild.plan import Plan, compared
from cli.terminal import Terminal
from tests.unit.cli.rebuild.lost import Lost
from tests.unit.turbine.arrange import World


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        (["vision"], ("team", "vision")),
        (["--history", "vision"], ("team", "vision")),
        (["TEAM"], ("team", "TEAM")),
        (["--", "rebuild"], ("team", "rebuild")),
        (["rebuild"], ("rebuild", ())),
        (["rebuild", "vision", "winery"], ("rebuild", ("vision", "winery"))),
    ],
)
def test_what_is_no_commands_name_is_a_teams(typed: list[str], called: tuple[str, Any]) -> None:
    heard: list[tuple[str, Any]] = []
    app = typer.Typer(cls=models.TeamGroup)

    @app.command(models.TEAM)
    def _of_team(team: str, history: bool = typer.Option(False, "--history")) -> None:
        heard.append(("team", team))

    @app.command("rebuild")
    def _rebuild(teams: Annotated[list[str] | None, typer.Argument()] = None) -> None:
        heard.append(("rebuild", tuple(teams or ())))

    app(typed, standalone_mode=False)
    assert heard == [called]


def test_the_command_line_knows_both() -> None:
    (group,) = [one for one in command.app.registered_groups if one.name == "models"]
    assert {one.name for one in group.typer_instance.registered_commands} == {models.TEAM, "rebuild"}  # type: ignore[union-attr]


@pytest.fixture
def lost() -> Lost:
    world = World()
    world.add_team("vision")
    made = Lost(world, with_records=False)
    made.champion(0.8, name="first")
    made.champion(0.9, name="second", actor="a person", promotion_id="by hand", reason="we need it")
    return made


def shown(capsys: pytest.CaptureFixture[str], plan: Plan) -> str:
    _show(Terminal(), plan, [], yes=False)
    return capsys.readouterr().out


def test_it_says_what_only_the_lost_table_knew(lost: Lost, capsys: pytest.CaptureFixture[str]) -> None:
    lost.lose()
    out = shown(capsys, lost.plan())
    assert "  champion 1: promoted_at\n" in out
    assert "  champion 2: promoted_at, promotion_id, reason, kind\n" in out
    assert "the champion missing, set to champion 2; 2 packages missing; 5 items to write" in out


def test_it_says_why_something_is_not_restored(lost: Lost, capsys: pytest.CaptureFixture[str]) -> None:
    stored = lost.world.table.items["TEAM#vision", "CHAMPION"]
    lost.world.table.items["TEAM#vision", "CHAMPION"] = stored | {"model_package_arn": "arn:of/another/9"}
    lost.world.table.items.pop(("TEAM#vision", "CHAMPION#00000002"))
    out = shown(capsys, lost.plan())
    assert "differing" in out and "not restored: champion 2 of the table" in out


def test_a_team_without_champions_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    plan = compared(Lost(World()).evidence(), None, [], lambda _: True)
    assert "team vision: nothing tells of a champion" in shown(capsys, plan)


def test_an_obstacle_has_an_exit_code(monkeypatch: pytest.MonkeyPatch, lost: Lost) -> None:
    lost.lose()
    plan = lost.plan()
    blocked = Plan(**{**vars(plan), "obstacles": ("because",)})
    monkeypatch.setattr(rebuild, "_planned", lambda *_: blocked)
    monkeypatch.setattr(rebuild, "OwnTable", lambda _: None)
    with pytest.raises(typer.Exit) as ended:
        rebuild.rebuild(["vision"], False, "turbine", True)
    assert ended.value.exit_code == exit_codes.FAILED

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from cli.cloud import Cloud
from cli.deployment import team_stacks, template_parameters
from cli.errors import CommandError
from turbine.domain.team import TeamFile

OUTPUTS = {"DataBucketName": "data-1", "TrainingImageUri": "image:1", "TableName": "t"}
TEAM = """
team: vision
recipe: {name: image_classifier, hyperparameters: {}}
rule: {name: min_delta, metric: accuracy, direction: maximize, min_delta: 0.005}
budget: {max_cost_usd_per_run: 40.0}
inference: {uri: "s3://${DataBucket}/datasets/vision/digits/unlabelled/", format: jsonl, id: id}
"""


class FakeCloud:
    """The outputs of a main stack."""

    outputs = OUTPUTS


def _read(folder: Path, text: str, name: str = "vision.yaml") -> team_stacks.Team:
    (folder / name).write_text(text)
    (team,) = team_stacks.read_files(folder, OUTPUTS)
    return team


def _parameters(team: TeamFile) -> dict[str, str]:
    known = {"TeamName", "Schedule", "ScheduleTimezone", "TrainingImageUri", "TrainingVcpus"}
    overrides = {"TrainingVcpus": "1", "TrainingImageUri": "overridden", "MaxTrainingVcpus": "16"}
    return team_stacks.stack_parameters(FakeCloud(), team, known, overrides)  # type: ignore[arg-type]


def test_placeholders_are_expanded_in_what_is_published(tmp_path: Path) -> None:
    team = _read(tmp_path, TEAM)
    assert team.file.inference is not None
    assert team.file.inference.uri == "s3://data-1/datasets/vision/digits/unlabelled/"
    assert "${" not in team.text


def test_a_bad_field_is_named_before_anything_changes(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        _read(tmp_path, TEAM.replace("metric: accuracy", "metric: rmse"))
    assert "rule" in raised.value.cause
    assert raised.value.place == str(tmp_path / "vision.yaml")


def test_the_file_is_named_as_its_team(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="named 'sight'"):
        _read(tmp_path, TEAM, "sight.yaml")


@pytest.mark.parametrize(
    "content", [b"team: \xff", b"a: " + b"[" * 100_000, b"a: 2026-13-45"], ids=["bytes", "deep", "date"]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vision.yaml").write_bytes(content)
    with pytest.raises(CommandError) as raised:
        team_stacks.read_files(tmp_path, OUTPUTS)
    assert raised.value.exit_code == exit_codes.REFUSED
    assert raised.value.place == str(tmp_path / "vision.yaml")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no team file"):
        team_stacks.read_files(tmp_path, OUTPUTS)


def test_outputs_of_the_main_stack_win_over_overrides_and_unknown_names_are_left_out(tmp_path: Path) -> None:
    assert _parameters(_read(tmp_path, TEAM).file) == {
        "TeamName": "vision",
        "Schedule": "",
        "TrainingImageUri": "image:1",
        "TrainingVcpus": "1",
    }


class MakingCloud(Cloud):
    """A stack with a role to deploy in; remembers what CloudFormation and S3 are asked to make."""

    def __init__(self) -> None:
        self.stack, self.asked = "turbine", list[dict[str, Any]]()
        self.outputs = {**OUTPUTS, "DeploymentRoleArn": "arn:aws:iam::123456789012:role/deployment"}

    def client(self, service: str) -> Any:
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "StackId": StackName}]}

    def create_change_set(self, **request: Any) -> None:
        self.asked.append(request)

    def describe_change_set(self, **_: Any) -> dict[str, str]:
        return {"Status": "CREATE_COMPLETE"}

    def execute_change_set(self, **_: Any) -> None:
        """The stack is made."""

    def put_object(self, **request: Any) -> None:
        self.asked.append(request)


def test_a_team_is_deployed_in_the_stacks_role_and_published_afterwards(tmp_path: Path) -> None:
    cloud, team, template = MakingCloud(), _read(tmp_path, TEAM), tmp_path / "template.yaml"
    template.write_text("Parameters: {TeamName: {Type: String}}")
    team_stacks.apply(cloud, [team], template, {}, lambda *_: None)
    stack, file = cloud.asked
    assert (stack["StackName"], stack["RoleARN"]) == ("turbine-team-vision", cloud.outputs["DeploymentRoleArn"])
    assert file["Key"] == "config/teams/vision.yaml"


def test_a_schedule_goes_with_its_timezone(tmp_path: Path) -> None:
    text = TEAM + 'schedule: {cron: "cron(0 3 * * ? *)", timezone: Europe/Berlin}\n'
    parameters = _parameters(_read(tmp_path, text).file)
    assert parameters["Schedule"] == "cron(0 3 * * ? *)"
    assert parameters["ScheduleTimezone"] == "Europe/Berlin"


def test_parameter_names_are_read_past_short_forms(tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(
        "Parameters: {A: {Type: String}, B: {Type: Number}}\n"
        "Resources: {X: {Type: T, Properties: {a: !Ref A, b: !Sub ['${x}', {x: !GetAtt Y.Z}], c: !If [d, e, f]}}}\n"
    )
    assert template_parameters.parameter_names(template) == {"A", "B"}


def test_more_teams_than_an_account_has_room_for_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = _read(tmp_path, TEAM)
    monkeypatch.setattr(team_stacks.team_domain, "TEAMS_MAX", 2)
    monkeypatch.setattr(team_stacks, "published", lambda _: ["vision", "other"])
    team_stacks.check_count(FakeCloud(), [team])  # type: ignore[arg-type]
    monkeypatch.setattr(team_stacks, "published", lambda _: ["another", "other"])
    with pytest.raises(CommandError, match="there would be 3 teams, and there is room for 2") as raised:
        team_stacks.check_count(FakeCloud(), [team])  # type: ignore[arg-type]
    assert raised.value.exit_code == exit_codes.REFUSED

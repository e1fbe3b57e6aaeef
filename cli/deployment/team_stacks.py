"""A team is data, deployed as a small stack of `stacks/team.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import exit_codes, placeholders, threads
from cli.cloud import Cloud
from cli.deployment import change_sets, template_parameters
from cli.deployment.change_sets import Result, Template
from cli.errors import CommandError
from turbine.domain import team as team_domain
from turbine.domain.rejection import ManifestFaultyError

TEAM_FILES = "config/teams/"
_AT_ONCE = 4


@dataclass(frozen=True)
class Team:
    """A valid team file, with the text to publish (placeholders replaced)."""

    path: Path
    text: str
    file: team_domain.TeamFile

    @property
    def name(self) -> str:
        return self.file.team


def stack_name(main_stack: str, team: str) -> str:
    return f"{main_stack}-team-{team}"


def read_files(teams_dir: Path, outputs: Mapping[str, str]) -> list[Team]:
    """Every `*.yaml` of the folder, validated before anything is changed.

    Raises: CommandError naming each problem's file and field.
    """
    paths = sorted(teams_dir.glob("*.yaml"))
    if not paths:
        raise CommandError(
            "there is no team file",
            place=f"{teams_dir}/*.yaml",
            next_step="add one (see README.md), or name its folder with --teams-dir",
            exit_code=exit_codes.REFUSED,
        )
    return [_read_file(path, outputs) for path in paths]


def apply(
    cloud: Cloud,
    teams: Sequence[Team],
    template_path: Path,
    overrides: Mapping[str, str],
    on_done: Callable[[str, Result], None],
) -> dict[str, Result]:
    """Publish the files, then create or update one stack a team, several at once.

    Raises: CommandError of the first team that failed, after all have ended.
    """
    template = Template(body=template_path.read_text())
    known = template_parameters.parameter_names(template_path)

    def apply_one(team: Team) -> tuple[str, Result]:
        result = change_sets.apply(
            cloud.client("cloudformation"),
            stack_name(cloud.stack, team.name),
            template,
            stack_parameters(cloud, team.file, known, overrides),
            cloud.outputs.get("DeploymentRoleArn", ""),
        )
        publish(cloud, team)
        on_done(team.name, result)
        return team.name, result

    cloud.output("DataBucketName")  # read the stack once, before each thread would do so
    with threads.pool(_AT_ONCE) as pool:
        return dict([future.result() for future in [pool.submit(apply_one, team) for team in teams]])


def check_count(cloud: Cloud, teams: Sequence[Team]) -> None:
    """Raises: CommandError for more teams, with those that are published, than an account has room for."""
    count = len({*published(cloud), *(team.name for team in teams)})
    if count > team_domain.TEAMS_MAX:
        raise CommandError(
            f"there would be {count} teams, and there is room for {team_domain.TEAMS_MAX}: "
            "each has roles and a rule on the bus, of which AWS gives an account so many",
            place=f"{TEAM_FILES} in the data bucket, and the files named",
            next_step="`turbine teams remove TEAM` for teams that are no longer trained",
            exit_code=exit_codes.REFUSED,
        )


def published(cloud: Cloud) -> list[str]:
    """The names of the teams whose file is published."""
    pages = cloud.client("s3").get_paginator("list_objects_v2")
    listed = pages.paginate(Bucket=cloud.output("DataBucketName"), Prefix=TEAM_FILES)
    keys = [entry["Key"] for page in listed for entry in page.get("Contents", [])]
    return [key.removeprefix(TEAM_FILES).removesuffix(".yaml") for key in keys if key.endswith(".yaml")]


def file_key(team: str) -> str:
    """Where a team's file is published."""
    return f"{TEAM_FILES}{team}.yaml"


def stack_parameters(
    cloud: Cloud, team: team_domain.TeamFile, known: set[str], overrides: Mapping[str, str]
) -> dict[str, str]:
    """The team stack's parameters.

    Overrides, above them the main stack's outputs of the same name, above all the team's own.
    """
    own = {"TeamName": team.team, "Schedule": team.schedule.cron if team.schedule else ""}
    if team.schedule:
        own["ScheduleTimezone"] = team.schedule.timezone
    candidates = {**overrides, **cloud.outputs, **own}
    return {name: value for name, value in candidates.items() if name in known}


def publish(cloud: Cloud, team: Team) -> None:
    """Put a team's file where the machines read it."""
    cloud.client("s3").put_object(
        Bucket=cloud.output("DataBucketName"),
        Key=file_key(team.name),
        Body=team.text.encode(),
        ContentType="application/yaml",
    )


def _read_file(path: Path, outputs: Mapping[str, str]) -> Team:
    try:
        text = placeholders.expand(path.read_text(encoding="utf-8"), outputs, place=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, f"the team file cannot be read: {error}") from error
    try:
        file = team_domain.parse(text.encode())
    except ManifestFaultyError as error:
        problems = [f"{fault.field} {fault.problem}; {fault.mend}" for fault in error.faults]
        raise _refused(path, "\n".join(problems)) from error
    except ValueError as error:  # PyYAML's own for a date that is none
        raise _refused(path, f"the team file is not YAML that can be read: {error}") from error
    except RecursionError as error:
        raise _refused(path, "the team file is nested too deeply to be read") from error
    if path.stem != file.team:
        raise _refused(path, f"team is {file.team!r}, but the file is named {path.stem!r}")
    return Team(path, text, file)


def _refused(path: Path, cause: str) -> CommandError:
    return CommandError(
        cause,
        place=str(path),
        next_step="mend the file, then `turbine teams apply`",
        exit_code=exit_codes.REFUSED,
    )

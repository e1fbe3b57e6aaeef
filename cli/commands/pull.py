"""`turbine pull`: a model on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.commands.models import require_group
from cli.errors import CommandError
from cli.observe import promotions, published
from cli.observe.records import Records
from cli.terminal import Terminal
from turbine.domain.names import package_group

CHAMPION = "champion"
_MODEL = re.compile(r"(?P<team>[^@]+)(?:@(?P<version>champion|[1-9]\d{0,8}))?")


def pull(
    model: Annotated[str, typer.Argument(metavar="TEAM[@VERSION|@champion]", help="Default: the champion.")],
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="The folder it comes to; made if need be.")],
    epoch: Annotated[
        int | None, typer.Option(min=1, help="The model as it was after this epoch, if its run has published that.")
    ] = None,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Bring a model's archive from the DVC remote, with its .dvc file and its provenance."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    named = _MODEL.fullmatch(model)
    if named is None:
        raise CommandError(
            f"{model!r} names no model",
            next_step="write TEAM, TEAM@champion or TEAM@VERSION; `turbine models TEAM` lists the versions",
            exit_code=exit_codes.REFUSED,
        )
    team, version = named["team"], named["version"] or CHAMPION
    group = package_group(stack, team)
    require_group(cloud, team, group)
    run_id, number = _champion(cloud, team) if version == CHAMPION else _version(cloud, team, group, int(version))
    pulled = published.pull(cloud, team, run_id, folder, epoch)
    if terminal.json_only:
        told = {"archive": str(pulled.archive), "md5": pulled.md5, "size_bytes": pulled.size_bytes}
        terminal.print_json({"team": team, "model_version": number, "run_id": run_id, "epoch": epoch, **told})
        return
    done = "was there already" if pulled.was_there else f"{pulled.size_bytes:,} bytes, MD5 {pulled.md5}"
    which = "" if epoch is None else f", after epoch {epoch}"
    terminal.print_lines([f"version {number} of {team}, run {run_id}{which}: {pulled.archive} ({done})"])


def _champion(cloud: Cloud, team: str) -> tuple[str, int]:
    champion = Records(cloud).champion(team)
    if champion is None:
        raise CommandError(
            f"team {team} has no champion yet",
            next_step=f"name a version: `turbine models {team}` lists them",
            exit_code=exit_codes.REFUSED,
        )
    return str(champion["run_id"]), int(champion["model_version"])


def _version(cloud: Cloud, team: str, group: str, version: int) -> tuple[str, int]:
    described = promotions.package(cloud, team, group, version)
    run_id = described.get("CustomerMetadataProperties", {}).get("run_id")
    if not run_id:
        raise CommandError(
            f"version {version} of team {team} was registered by no run of Turbine's",
            place=described["ModelPackageArn"],
            next_step="find its archive in the package's InferenceSpecification",
            exit_code=exit_codes.REFUSED,
        )
    return str(run_id), version

"""`turbine smoke`: one small run through a deployed stack, as a first look at whether it works there."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli import drop_manifest, exit_codes, interrupts
from cli.cloud import Cloud
from cli.commands import options
from cli.demo.scenario import upload
from cli.deployment import main_stack
from cli.embedded.daemon import PROJECT_DIR
from cli.errors import CommandError
from cli.observe.drops import Drop
from cli.observe.follow import Follower
from cli.progress import ProgressView, view_for
from cli.smoke import cleaning, own_team, report, seen, steps
from cli.smoke.cleaning import Cleaned
from cli.smoke.report import Report
from cli.terminal import Terminal


def smoke(
    team: Annotated[
        str | None,
        typer.Option("--team", help="The test's own team; begins with `smoke`. Default: a new one each time."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the team and what it made, to look into it.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Run nothing: only remove what an earlier test of --team left.")
    ] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that the run may take.")] = 3600,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Train, publish, compare, register, promote and predict once, fail once, and tell which facts about AWS hold.

    A team of its own is made and removed. Exit code 0 if every step was done, 1 if one failed; the facts do not count.
    """
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    if remove:
        _remove(terminal, cloud, team)
        return
    name = own_team.check_name(team) if team else own_team.new_name()
    hosts = seen.host_types(cloud, [cloud.output("JobQueueArn"), cloud.output("SpotJobQueueArn")])
    terminal.say(report.cost(hosts))
    cleaned: list[Cleaned] = []
    with view_for(terminal) as view, _removed(cloud, terminal, view, name, cleaned, keep=keep):
        found = _run(cloud, view, name, timeout_s)
    if json_only:
        terminal.print_json(report.as_json(found, cleaned))
    else:
        report.show(terminal, found)
    report.show_cleaned(terminal, cleaned)
    if keep:
        terminal.say(f"kept; remove it with `turbine smoke --team {name} --remove`")
    raise typer.Exit(exit_codes.OK if found.succeeded else exit_codes.FAILED)


def _run(cloud: Cloud, view: ProgressView, team: str, timeout_s: float) -> Report:
    """Drop the manifests, wait, and read what came of them, however they ended.

    Raises: CommandError when the team's stack cannot be made.
    """
    started = time.monotonic()
    view.phase(f"making the team {team}")
    own_team.make(cloud, team, PROJECT_DIR / main_stack.TEAM_TEMPLATE)
    view.phase("uploading data")
    _upload(cloud, team)
    view.phase("dropping two manifests: one to train, one that has to fail")
    dropped = _drop(cloud, team, "good", own_team.TARGET)
    failing = _drop(cloud, team, "failing", own_team.NO_COLUMN)
    gave_up = _follow(cloud, view, [dropped, failing], timeout_s)
    view.phase("reading what was seen")
    looked = seen.look(cloud, dropped, failing)
    return Report(
        team, seen.run_id_of(dropped), steps.steps(looked, gave_up), looked, wall_s=time.monotonic() - started
    )


def _drop(cloud: Cloud, team: str, name: str, target: str) -> Drop:
    return drop_manifest.put_text(cloud, own_team.manifest(cloud, team, target), f"manifests/{team}/{name}.json")


def _follow(cloud: Cloud, view: ProgressView, drops: Sequence[Drop], timeout_s: float) -> str:
    """Wait for the runs' ends. Why waiting ended before them, or ""."""
    try:
        Follower(cloud, view).follow(drops, "smoke", timeout_s)
    except CommandError as error:
        return error.cause
    return ""


def _upload(cloud: Cloud, team: str) -> None:
    # scikit-learn takes seconds to import: only this command and the demo pay.
    from cli.demo import datasets

    (wine,) = [dataset for dataset in datasets.DATASETS if dataset.name == own_team.DATASET]
    with tempfile.TemporaryDirectory(prefix="turbine-smoke-") as folder:
        datasets.build_one(replace(wine, team=team), Path(folder))
        upload(cloud, Path(folder))


@contextmanager
def _removed(
    cloud: Cloud, terminal: Terminal, view: ProgressView, team: str, cleaned: list[Cleaned], *, keep: bool
) -> Iterator[None]:
    """However the block is left, remove the team afterwards; after a good end not if it is to be kept."""
    left_well = False
    try:
        yield
        left_well = True
    finally:
        if not (keep and left_well):
            if not left_well:
                # A further Ctrl-C would leave what is about to be removed.
                interrupts.ignore()
            view.phase(f"removing the team {team}")
            cleaned += cleaning.remove(cloud, team)
            if not left_well:
                report.show_cleaned(terminal, cleaned)


def _remove(terminal: Terminal, cloud: Cloud, team: str | None) -> None:
    if team is None:
        raise CommandError(
            "--remove wants to know whose leftovers to remove",
            place="turbine smoke --remove",
            next_step="turbine smoke --team NAME --remove; `turbine runs` lists the runs of each",
            exit_code=exit_codes.REFUSED,
        )
    cleaned = cleaning.remove(cloud, own_team.check_name(team))
    if terminal.json_only:
        terminal.print_json({"team": team, **report.cleaned_json(cleaned)})
    else:
        terminal.say(f"team {team}: {'not all is removed' if any(one.problem for one in cleaned) else 'removed'}")
    report.show_cleaned(terminal, cleaned)
    if any(one.problem for one in cleaned):
        raise typer.Exit(exit_codes.FAILED)

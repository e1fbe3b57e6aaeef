"""`turbine drop`: hand a manifest to the cloud, and wait for what becomes of it if asked to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from cli import drop_manifest, exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.errors import CommandError
from cli.observe import earlier_runs
from cli.observe.follow import Ended, Follower
from cli.progress import view_for
from cli.terminal import Terminal


def drop(
    manifest: Annotated[Path, typer.Argument(help="A training manifest, or a batch of several runs.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the decision and the predictions.")] = False,
    team: Annotated[str | None, typer.Option("--team", help="Put it under this team, whatever the file says.")] = None,
    force: Annotated[bool, typer.Option("--force", help="A new run, also of what one has done already.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")] = 14 * 86_400,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Put a manifest into the data bucket, which starts its runs.

    The same manifest on the same data as a run that has not failed is refused without --force.

    With --wait the exit code tells the outcome: 0 every run reached a decision, 1 a run failed, 2 refused.
    """
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    text, key = drop_manifest.expanded(cloud, manifest, folder=team)
    if not force:
        _require_new(terminal, cloud, manifest, text, key)
    dropped = drop_manifest.put_text(cloud, text, key)
    result: dict[str, Any] = {"uri": dropped.uri, "version_id": dropped.version_id}
    if not wait:
        result["runs"] = [{"team": run.team, "run_id": run.run_id} for run in dropped.runs]
        if json_only:
            terminal.print_json(result)
        else:
            terminal.print_lines([f"{dropped.uri} version {dropped.version_id}"])
            terminal.say("follow it with `turbine runs` and `turbine show RUN`")
        return
    with view_for(terminal) as view:
        view.phase(f"waiting for the runs of {dropped.uri}")
        ended = Follower(cloud, view).follow([dropped], "run", timeout_s)
    if json_only:
        terminal.print_json({**result, "runs": [_as_json(run) for run in ended]})
    else:
        _print(terminal, ended)
    raise typer.Exit(exit_code(ended))


NAMED_MAX = 5


def _require_new(terminal: Terminal, cloud: Cloud, path: Path, text: str, key: str) -> None:
    """Raises: CommandError naming the runs that have done, or are doing, what the manifest asks for."""
    try:
        found = earlier_runs.find(cloud, text, key)
    except ClientError as error:
        # Who may drop need not be allowed to look; the cloud takes the manifest all the same.
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        terminal.say(f"whether a run has done this already is not for you to see: {error}")
        return
    if not found:
        return
    words = [f"{one.run_id} ({one.status}{f', {one.decision}' if one.decision else ''})" for one in found]
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    raise CommandError(
        f"the same manifest on the same data has a run already: {', '.join(words[:NAMED_MAX])}{more}",
        place=f"{path}, which would be s3://{cloud.output('DataBucketName')}/{key}",
        next_step=f"`turbine show {found[0].run_id}`; for a new run on purpose: `turbine drop {path} --force`",
        exit_code=exit_codes.REFUSED,
        result={"earlier": [one._asdict() for one in found]},
    )


def exit_code(ended: Sequence[Ended]) -> int:
    """The worst of the runs: a refusal before a failure before success."""
    if any(run.rejections for run in ended):
        return exit_codes.REFUSED
    if any(run.status != "SUCCEEDED" or run.verdict is None for run in ended):
        return exit_codes.FAILED
    if any(run.inference is not None and not run.predicted for run in ended):
        return exit_codes.FAILED
    return exit_codes.OK


def _as_json(run: Ended) -> dict[str, Any]:
    inference = run.inference or {}
    outcome = run.items.outcome if run.items else {}
    return {
        "team": run.team,
        "run_id": run.run_id,
        "status": run.status,
        "decision": run.verdict,
        "reason": run.items.decision.get("reason") if run.items else None,
        "error": outcome.get("error"),
        "cause": outcome.get("cause"),
        "rejections": [{name: item.get(name) for name in ("field", "problem", "mend")} for item in run.rejections],
        "predictions": {"uri": inference.get("predictions_uri"), "records": inference.get("records")}
        if run.predicted
        else None,
    }


def _print(terminal: Terminal, ended: Sequence[Ended]) -> None:
    for run in ended:
        for item in run.rejections:
            terminal.print_lines([f"{run.team}: REFUSED", f"  field:   {item.get('field')}"])
            terminal.print_lines([f"  problem: {item.get('problem')}", f"  mend:    {item.get('mend')}"])
        if run.items is None:
            continue
        terminal.print_lines([f"{run.run_id}: {run.status}{f', {run.verdict}' if run.verdict else ''}"])
        details = {
            "reason": run.items.decision.get("reason"),
            "error": run.items.outcome.get("error"),
            "cause": run.items.outcome.get("cause"),
            "predictions": run.inference and run.inference.get("predictions_uri"),
            "prediction error": run.inference and run.inference.get("error"),
        }
        terminal.print_lines([f"  {name}: {value}" for name, value in details.items() if value])
        if run.status != "SUCCEEDED":
            terminal.say(f"the job's last lines and the executions: turbine show {run.run_id}")

"""`turbine redrive` and `turbine stop`: going on with a failed run, and ending one that is under way."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.errors import CommandError
from cli.observe.records import Records, RunItems
from cli.operate import redrive as going_on
from cli.operate import stop as ending
from cli.terminal import Terminal

Run = Annotated[str, typer.Argument(help="The run's id, as `turbine runs` lists it.")]
POLL_S = 0.5


def redrive(run: Run, stack: options.Stack = options.STACK, json_only: options.Json = False) -> None:
    """Go on with a failed run: from where it ended, or as its next attempt; says which, and why."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    gone_on = going_on.redrive(cloud, require_run(cloud, run))
    if json_only:
        terminal.print_json({"run_id": run, **gone_on._asdict()})
        return
    words = "redriven" if gone_on.how == "redrive" else "next attempt"
    terminal.print_lines([f"{words}: {gone_on.why}", gone_on.execution_arn])


def stop(
    run: Run,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the run's outcome.")] = "turbine stop",
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the outcome.")] = 120,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """End a run that is under way, and its jobs; `turbine redrive` goes on with it later."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    stopped = ending.stop(cloud, require_run(cloud, run), reason)
    status = _outcome(cloud, run, timeout_s) if stopped.executions else require_run(cloud, run).status
    if json_only:
        terminal.print_json({"run_id": run, "status": status, **stopped._asdict()})
        return
    if not stopped.executions and not stopped.jobs:
        terminal.say(f"run {run} is not under way: {status}")
        return
    terminal.print_lines([f"run {run}: {status}", *stopped.executions, *(f"job {job}" for job in stopped.jobs)])
    terminal.say(f"go on with it later: `turbine redrive {run}`")


def require_run(cloud: Cloud, run: str) -> RunItems:
    """A run with a record. Raises: CommandError."""
    items = Records(cloud).run(run)
    if items.record:
        return items
    raise CommandError(
        f"there is no run {run!r}",
        place=f"table {cloud.output('TableName')}",
        next_step="`turbine runs` lists the runs",
        exit_code=exit_codes.REFUSED,
    )


def _outcome(cloud: Cloud, run: str, timeout_s: float) -> str:
    """The status of the run once it is recorded. Raises: CommandError after `timeout_s`."""
    records, give_up_at = Records(cloud), time.monotonic() + timeout_s
    while (status := records.run(run).status) == "RUNNING":
        if time.monotonic() > give_up_at:
            raise CommandError(
                f"run {run} is stopped, but its outcome is not recorded after {timeout_s:g} s",
                next_step=f"`turbine show {run}` in a while; `turbine dlq list` if it stays so",
            )
        time.sleep(POLL_S)
    return status

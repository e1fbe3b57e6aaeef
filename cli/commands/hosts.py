"""`turbine local hosts` and `turbine local reclaim`: the machines of the embedded cloud's jobs, and how to lose one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.commands import options
from cli.embedded import state
from cli.embedded.state import RunningCloud
from cli.errors import CommandError
from cli.terminal import Terminal
from local_cloud import hosts
from local_cloud.batch.instances import NOTICE_S

Notice = Annotated[
    float, typer.Option("--notice", min=0, metavar="SECONDS", help="How long before the end the job is told.")
]
Sudden = Annotated[bool, typer.Option("--sudden", help="No notice, no signal: as when the hardware dies.")]


def show(state_dir: options.StateDir = options.STATE_DIR, json_only: options.Json = False) -> None:
    """List the hosts that jobs run on now."""
    terminal = Terminal(json_only)
    found = hosts.running(_access(state.require_running(state_dir)))
    if json_only:
        terminal.print_json({"hosts": found})
        return
    rows = [
        (
            host["instanceId"],
            "spot" if host["isSpot"] else "on demand",
            host["jobName"],
            str(host["attempt"]),
            str(host["nodeIndex"]),
            host["endsAt"] or "",
        )
        for host in found
    ]
    terminal.print_table(("host", "market", "job", "attempt", "node", "ends at"), rows)
    if not rows:
        terminal.say("no job is running")


def reclaim(
    which: Annotated[str, typer.Argument(metavar="HOST|JOB", help="A host's id, or the id or name of its job.")],
    notice_s: Notice = NOTICE_S,
    sudden: Sudden = False,
    state_dir: options.StateDir = options.STATE_DIR,
    json_only: options.Json = False,
) -> None:
    """Take a host away from its job, to see the run survive it.

    A Spot host is reclaimed with a notice, as by EC2; one on demand shuts down at once, as when it is terminated.
    """
    terminal = Terminal(json_only)
    access = _access(state.require_running(state_dir))
    host = _find(access, which)
    try:
        how = _end(access, host, notice_s, sudden)
    except hosts.HostError as error:
        raise CommandError(
            str(error), place=host["instanceId"], next_step="`turbine local hosts` shows those that run"
        ) from error
    if json_only:
        terminal.print_json({"host": host["instanceId"], "job": host["jobId"], "how": how})
    else:
        terminal.say(f"{host['instanceId']}, node {host['nodeIndex']} of {host['jobName']}, is {how}")


def _end(access: hosts.Access, host: dict[str, Any], notice_s: float, sudden: bool) -> str:
    if sudden:
        hosts.lose(access, host["instanceId"])
        return "lost"
    if host["isSpot"]:
        hosts.reclaim(access, host["instanceId"], notice_s)
        return f"reclaimed in {notice_s:g} s"
    hosts.terminate(access, host["instanceId"])
    return "terminated"


def _find(access: hosts.Access, which: str) -> dict[str, Any]:
    """Raises: CommandError if `which` names no running host, or several."""
    running = hosts.running(access)
    found = [host for host in running if which in (host["instanceId"], host["jobId"], host["jobName"])]
    if len(found) == 1:
        return found[0]
    several = ", ".join(f"{host['instanceId']} (node {host['nodeIndex']})" for host in found)
    raise CommandError(
        f"{which!r} has several hosts: {several}" if found else f"no running host or job is called {which!r}",
        place="HOST|JOB",
        next_step="name one of them" if found else "`turbine local hosts` shows those that run",
        exit_code=exit_codes.REFUSED,
    )


def _access(cloud: RunningCloud) -> hosts.Access:
    keys = cloud.credentials
    return hosts.Access(cloud.endpoint, keys.access_key_id, keys.secret_access_key)

"""`turbine local …`: the embedded cloud of this machine. Never uses the caller's AWS variables or profiles."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import hosts, options
from cli.deployment import laptop
from cli.embedded import accounts, daemon, doctor, state
from cli.embedded.state import RunningCloud
from cli.errors import CommandError, InterruptedBySignal
from cli.terminal import Terminal

app = typer.Typer(help="The embedded AWS of this machine: start, stop, look, connect.", no_args_is_help=True)
app.command("hosts", epilog=exit_codes.SUMMARY)(hosts.show)
app.command("reclaim", epilog=exit_codes.SUMMARY)(hosts.reclaim)


@app.command("up", epilog=exit_codes.SUMMARY)
def up(
    state_dir: options.StateDir = options.STATE_DIR,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: a free port.")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Start without deploying anything.")] = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop the cloud at Ctrl-C.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the cloud of this state directory knew.")] = False,
    chaos: Annotated[
        str | None, typer.Option("--chaos", metavar="SEED[:options]", help="Inject faults: local_cloud/chaos.py.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="IAM decides what roles may do; what they lack is denied.")
    ] = False,
    vcpus: Annotated[
        int | None,
        typer.Option("--vcpus", min=1, max=4096, help="What jobs may use together; all if not given."),
    ] = None,
    json_only: options.Json = False,
) -> None:
    """Start the embedded cloud with the stack and the teams deployed; on a running one, deploy again.

    What an earlier cloud of the state directory knew is there again, and what it was doing goes on, however it ended.
    """
    terminal = Terminal(json_only)
    with _one_at_a_time(state_dir):
        cloud, process = _start_or_find(
            state_dir,
            port,
            terminal,
            os.getpid() if foreground else None,
            fresh=fresh,
            chaos=chaos,
            strict=strict,
            vcpus=vcpus,
        )
        try:
            with daemon.death_told(cloud):
                deployed = {} if empty else laptop.deploy(_session(cloud), daemon.PROJECT_DIR, terminal.say)
        except BaseException:
            # A cloud that could not be deployed stays for inspection, except one that lives with this command.
            if process is not None and foreground:
                daemon.stop(cloud)
            raise
    result = {**_public(cloud), "started": process is not None, "deployed": deployed}
    if json_only:
        terminal.print_json(result)
    else:
        terminal.print_lines([cloud.endpoint])
        terminal.say(f'Ready. Connect a shell with: eval "$(turbine local env{_suffix(state_dir)})"')
    if foreground and process is not None:
        _stay(cloud, process, terminal)


@app.command("down", epilog=exit_codes.SUMMARY)
def down(state_dir: options.StateDir = options.STATE_DIR, json_only: options.Json = False) -> None:
    """Stop the embedded cloud and everything it runs, also what a dead one has left running. What it knows is there
    again at the next `up`; jobs that ran have lost their hosts then."""
    terminal = Terminal(json_only)
    cloud = state.read(state_dir)
    stopped = cloud is not None and cloud.answers()
    if cloud is not None and stopped:
        daemon.stop(cloud)
    elif cloud is not None:
        (state_dir / state.STATE_FILE).unlink(missing_ok=True)
    left = daemon.end_containers(state_dir)
    if json_only:
        terminal.print_json({"stopped": stopped, "ended_containers": left, "state_dir": str(state_dir)})
        return
    terminal.say("stopped" if stopped else f"no embedded cloud was running in {state_dir}")
    if left:
        terminal.say(f"ended what it had left running, containers {', '.join(left)}")


@app.command("status", epilog=exit_codes.SUMMARY)
def status(state_dir: options.StateDir = options.STATE_DIR, json_only: options.Json = False) -> None:
    """Tell whether the embedded cloud runs, where, and which stacks it has."""
    terminal = Terminal(json_only)
    try:
        cloud = state.require_running(state_dir)
    except CommandError as error:
        error.result = {"running": False, "state_dir": str(state_dir)}
        raise
    stacks = {
        entry["StackName"]: entry["StackStatus"]
        for page in _session(cloud).client("cloudformation").get_paginator("describe_stacks").paginate()
        for entry in page["Stacks"]
    }
    if json_only:
        terminal.print_json({"running": True, **_public(cloud), "stacks": stacks})
        return
    place = {"endpoint": cloud.endpoint, "process": str(cloud.pid), "region": cloud.region}
    place |= {"account": cloud.account_id, "log": str(state_dir / state.LOG_FILE)}
    terminal.print_table(("what", "value"), [(name, value) for name, value in place.items()])
    terminal.print_table(("stack", "status"), sorted(stacks.items()))


@app.command("env", epilog=exit_codes.SUMMARY)
def env(
    state_dir: options.StateDir = options.STATE_DIR,
    account: Annotated[str | None, typer.Option("--account", help="Twelve digits. Default: the cloud's own.")] = None,
    json_only: options.Json = False,
) -> None:
    """Print the lines that point a shell, and any AWS tool in it, at the embedded cloud.

    The keys are this state directory's own; a request that is not signed with them is refused.
    """
    terminal = Terminal(json_only)
    cloud = state.require_running(state_dir)
    keys = accounts.credentials_of(cloud, account)
    variables = {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_REGION": cloud.region,
    }
    if json_only:
        terminal.print_json(variables)
        return
    terminal.print_lines([f"export {name}={value}" for name, value in variables.items()])
    terminal.print_lines(["unset AWS_PROFILE AWS_SESSION_TOKEN"])


@app.command("doctor", epilog="Exit codes: 0 nothing failed (warnings may be there), 1 a check failed.")
def diagnose(
    state_dir: options.StateDir = options.STATE_DIR,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="One that `up` shall take.")] = None,
    json_only: options.Json = False,
) -> None:
    """Check what an embedded cloud needs, with the command that mends what is wrong. Changes nothing."""
    terminal = Terminal(json_only)
    findings = doctor.examine(state_dir, port)
    healthy = all(finding.status != doctor.FAIL for finding in findings)
    if json_only:
        terminal.print_json({"healthy": healthy, "checks": [finding.as_json() for finding in findings]})
    else:
        rows = [(one.check, one.status, one.detail, one.next or "") for one in findings]
        terminal.print_table(("check", "status", "what was found", "next"), rows)
    if not healthy:
        raise typer.Exit(exit_codes.FAILED)


def _start_or_find(
    state_dir: Path,
    port: int | None,
    terminal: Terminal,
    parent_pid: int | None,
    *,
    fresh: bool,
    chaos: str | None,
    strict: bool,
    vcpus: int | None,
) -> tuple[RunningCloud, subprocess.Popen[bytes] | None]:
    """The running cloud of the state directory, or a new one with its process."""
    cloud = state.read(state_dir)
    if cloud is not None and cloud.answers():
        if port is not None and port != cloud.port:
            raise CommandError(
                f"the embedded cloud of this state directory runs already, on port {cloud.port}",
                place=str(state_dir / state.STATE_FILE),
                next_step=f"`turbine local down{_suffix(state_dir)}` first, or leave --port out",
                exit_code=exit_codes.NO_CLOUD,
            )
        given = {"--fresh": fresh, "--chaos": chaos, "--strict": strict, "--vcpus": vcpus}
        if option := next((name for name, value in given.items() if value), None):
            raise CommandError(
                f"the embedded cloud of this state directory runs: {option} is for its start",
                place=str(state_dir / state.STATE_FILE),
                next_step=f"`turbine local down{_suffix(state_dir)}` first",
                exit_code=exit_codes.NO_CLOUD,
            )
        terminal.say(f"found the embedded cloud on {cloud.endpoint}")
        return cloud, None
    if cloud is not None:
        terminal.say(f"the cloud that was here is gone (process {cloud.pid}); going on from what it has written")
        (state_dir / state.STATE_FILE).unlink(missing_ok=True)
    if port is not None:
        daemon.require_free(port)
    process, cloud = daemon.start_ready(
        state_dir, port or 0, parent_pid=parent_pid, fresh=fresh, chaos=chaos, strict=strict, vcpus=vcpus
    )
    terminal.say(f"started the embedded cloud on {cloud.endpoint}, log in {state_dir / state.LOG_FILE}")
    return cloud, process


def _session(cloud: RunningCloud) -> Cloud:
    return Cloud.explicit(cloud.credentials, options.STACK)


def _stay(cloud: RunningCloud, process: subprocess.Popen[bytes], terminal: Terminal) -> None:
    """Live with the cloud until either ends."""
    terminal.say("Ctrl-C stops it")
    try:
        code = process.wait()
    except InterruptedBySignal:
        daemon.stop(cloud)
        return
    if code != 0:
        raise CommandError(
            f"the embedded cloud ended with code {code}; its last words:\n{daemon.log_tail(cloud.state_dir)}",
            place=str(cloud.state_dir / state.LOG_FILE),
            exit_code=exit_codes.NO_CLOUD,
        )


@contextmanager
def _one_at_a_time(state_dir: Path) -> Iterator[None]:
    """Two `up`s of one state directory would start two clouds: the second waits for the first."""
    state.make_folder(state_dir)
    try:
        lock = (state_dir / "up.lock").open("w")
    except OSError as error:
        raise state.refused(state_dir, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _public(cloud: RunningCloud) -> dict[str, Any]:
    return {
        "endpoint": cloud.endpoint,
        "port": cloud.port,
        "pid": cloud.pid,
        "account_id": cloud.account_id,
        "region": cloud.region,
        "state_dir": str(cloud.state_dir),
    }


def _suffix(state_dir: Path) -> str:
    return "" if state_dir == options.STATE_DIR else f" --state-dir {state_dir}"

"""Nothing waits for ever, and every call to a service is tried again."""

from __future__ import annotations

from cli.check.asl.definition import Scope, State
from cli.check.asl.report import Report


def check(machine: Scope, report: Report) -> None:
    """The machine's timeout, each Task's, and each Task's Retry."""
    limit = machine.body.get("TimeoutSeconds")
    if limit is None:
        report.add((), "missing-timeout", "the machine has no TimeoutSeconds", "add `TimeoutSeconds`")
    for state in machine.all_states():
        if state.type == "Task":
            _check_task(state, limit, report)


def _check_task(state: State, machine_s: object, report: Report) -> None:
    given = state.body.get("TimeoutSeconds")
    if given is None and "TimeoutSecondsPath" not in state.body:
        report.add(state.steps, "missing-timeout", "the Task has no TimeoutSeconds", "add `TimeoutSeconds`")
    if isinstance(given, int) and isinstance(machine_s, int) and given > machine_s:
        what = f"the Task may take {given} s, and the whole machine {machine_s} s"
        report.add((*state.steps, "TimeoutSeconds"), "timeout-order", what, f"write at most {machine_s}")
    heartbeat = state.body.get("HeartbeatSeconds")
    if isinstance(given, int) and isinstance(heartbeat, int) and heartbeat >= given:
        what = f"the heartbeat of {heartbeat} s is no shorter than the timeout of {given} s"
        report.add((*state.steps, "HeartbeatSeconds"), "timeout-order", what, f"write less than {given}")
    if not state.body.get("Retry"):
        report.add(
            state.steps, "missing-retry", "the Task has no Retry", "add a Retry on the errors that pass by themselves"
        )

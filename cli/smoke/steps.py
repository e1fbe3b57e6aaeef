"""The path of a run, step by step: how far this one came, in which time, and why it stopped where it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cli.smoke.own_team import NO_COLUMN
from cli.smoke.seen import Machine, Seen, message

Status = Literal["done", "failed", "skipped", "not reached"]
TRAINING = ("TrainOnSpot", "TrainOnDemand")


@dataclass(frozen=True)
class Step:
    """`took_s` is None where the step did not end; `what` is what was seen, or why it was not."""

    name: str
    status: Status
    took_s: float | None
    what: str


Done = tuple[float | None, str]
"""How long a step took, and what was seen of it."""


def steps(seen: Seen, gave_up: str = "") -> list[Step]:
    """Every step; the first that was not done has failed, unless the decision left it out. The last is of another run.

    `gave_up`: why nobody waited any longer, for a run of which nothing else was seen.
    """
    found: list[Step] = []
    for name, look in _STEPS.items():
        done = look(seen)
        if any(step.status in ("failed", "skipped") for step in found):
            found.append(Step(name, "skipped" if _is_left_out(seen) else "not reached", None, ""))
        elif done is not None:
            found.append(Step(name, "done", *done))
        elif _is_left_out(seen):
            found.append(Step(name, "skipped", None, f"the model was {seen.items.verdict}: {_reason(seen)}"))
        else:
            found.append(Step(name, "failed", None, why(seen) or gave_up or "nothing was seen of it"))
    return [*found, _failure_told(seen)]


def why(seen: Seen) -> str:
    """Why the run went no further: the state, the error and the cause; "" where nothing was seen of it."""
    if seen.rejections:
        return "; ".join(f"{one.get('field')} {one.get('problem')}; {one.get('mend')}" for one in seen.rejections)
    for name, machine in seen.machines.items():
        execution = machine.execution
        if execution.status in ("FAILED", "TIMED_OUT", "ABORTED"):
            state = next((span.name for span in reversed(execution.spans) if span.status == "failed"), None)
            state = state or (execution.current.name if execution.current else "its start")
            told = (
                ": ".join(part for part in (execution.error, message(execution.cause)) if part) or "no cause was given"
            )
            return f"the machine {name} ended {execution.status} at {state}: {told} ({execution.arn})"
    if problem := _inference_problem(seen):
        return problem
    running = [f"{name} at {state}" for name, machine in seen.machines.items() if (state := _running_state(machine))]
    return f"still running: {', '.join(running)}" if running else ""


def _inference_problem(seen: Seen) -> str:
    told = ": ".join(str(seen.inference[name]) for name in ("status", "error", "cause") if seen.inference.get(name))
    return f"the inference ended {told}" if seen.inference.get("status") in ("FAILED", "SKIPPED") else ""


def _running_state(machine: Machine) -> str:
    """The state that a running execution is in."""
    current = machine.execution.current
    return current.name if current and machine.execution.status == "RUNNING" else ""


def _is_left_out(seen: Seen) -> bool:
    """Whether the decision was not to promote, so that nothing follows."""
    return seen.items.verdict in ("held", "rejected")


def _reason(seen: Seen) -> str:
    return str(seen.items.decision.get("reason", "no reason is recorded"))


def _drop_seen(seen: Seen) -> Done | None:
    training = seen.machines.get("training")
    if training is None:
        return None
    return _seconds(seen.dropped_at, training.execution.started_at), f"execution {training.execution.arn}"


def _run_started(seen: Seen) -> Done | None:
    training, run = seen.machines.get("training"), seen.machines.get("run")
    if training is None or run is None:
        return None
    return _seconds(training.execution.started_at, run.execution.started_at), f"execution {run.execution.arn}"


def _job_ran(seen: Seen) -> Done | None:
    run, job = seen.machines.get("run"), seen.job
    span = run.last(*TRAINING) if run else None
    if span is None or job.get("status") != "SUCCEEDED":
        return None
    created, started, stopped = (_moment(job[name]) for name in ("createdAt", "startedAt", "stoppedAt"))
    waited, worked = (started - created).total_seconds(), (stopped - started).total_seconds()
    queue = str(job["jobQueue"]).rpartition("/")[2]
    tries = len(job.get("attempts") or ())
    what = f"job {job['jobId']} waited {waited:.1f} s and ran {worked:.1f} s in {queue}, attempts: {tries}"
    return (stopped - created).total_seconds(), what


def _published(seen: Seen) -> Done | None:
    if seen.files is None or not seen.files.are_all_sound:
        return None
    what = f"{len(seen.files.sound)} files have the SHA-256 of the job's marker, the archive in the DVC remote its MD5"
    return _duration(seen, "run", "PublishArtifacts"), what


def _metrics_readable(seen: Seen) -> Done | None:
    metric, run = seen.metric, seen.machines.get("run")
    compared = run.last("CompareModels") if run else None
    if metric is None or metric.shown != metric.written or compared is None or compared.left_at is None:
        return None
    tries = f", {compared.attempts - 1} looks too early" if compared.attempts > 1 else ""
    return _seconds(metric.sent_at, compared.left_at), f"CloudWatch shows {metric.name} {metric.shown:.6g}{tries}"


def _compared(seen: Seen) -> Done | None:
    return (
        (_duration(seen, "run", "CompareModels"), f"{seen.items.verdict}: {_reason(seen)}")
        if seen.items.verdict
        else None
    )


def _registered(seen: Seen) -> Done | None:
    if seen.package.get("ModelPackageStatus") != "Completed":
        return None
    return _duration(seen, "run", "RegisterModel"), f"{seen.package['ModelPackageArn']}"


def _promoted(seen: Seen) -> Done | None:
    if seen.items.verdict != "promoted" or seen.package.get("ModelApprovalStatus") != "Approved":
        return None
    return _duration(seen, "run", "Promote"), "the package is Approved"


def _predicted(seen: Seen) -> Done | None:
    if seen.inference.get("status") != "SUCCEEDED":
        return None
    inference = seen.machines.get("inference")
    started, ended = (inference.execution.started_at, inference.execution.stopped_at) if inference else (None, None)
    took = _seconds(started, ended) if started and ended else None
    return took, f"{seen.inference['records']} records by {seen.transform.get('TransformJobName')}"


_STEPS: dict[str, Callable[[Seen], Done | None]] = {
    "drop seen": _drop_seen,
    "run started": _run_started,
    "job ran": _job_ran,
    "artifacts published": _published,
    "metrics readable": _metrics_readable,
    "compared": _compared,
    "registered": _registered,
    "promoted": _promoted,
    "predictions written": _predicted,
}


def _failure_told(seen: Seen) -> Step:
    """The other run's: whether a mistake of a user's ends it under its own name, in the job's own words."""
    error, cause = (str(seen.failing_outcome.get(name)) for name in ("error", "cause"))
    told = f"{error}: {next(iter(cause.splitlines()), '')}" if seen.failing_outcome else "no outcome was recorded"
    is_told = error == "TrainingDataError" and NO_COLUMN in cause
    if not is_told or seen.failing is None:
        return Step("failure told", "failed", None, told)
    execution = seen.failing.execution
    took = _seconds(execution.started_at, execution.stopped_at) if execution.stopped_at else None
    return Step("failure told", "done", took, told)


def _duration(seen: Seen, machine: str, state: str) -> float | None:
    span = seen.machines[machine].last(state) if machine in seen.machines else None
    return span.duration_s() if span else None


def _seconds(start: datetime, end: datetime) -> float:
    """From one time to another, of clocks of different services: never negative."""
    return max((end - start).total_seconds(), 0.0)


def _moment(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC)

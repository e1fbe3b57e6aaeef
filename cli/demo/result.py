"""What `turbine demo --json` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.demo.details import RunDetails
from cli.report.work import seconds_by_work


def as_json(wall_s: float, runs: Sequence[RunDetails]) -> dict[str, Any]:
    """The object that the design fixes. Units: `wall_s` in seconds."""
    return {"wall_s": round(wall_s, 3), "runs": [_run(run) for run in runs]}


def timing(split_s: Mapping[str, float], runs: Sequence[RunDetails]) -> dict[str, Any]:
    """Where the time went: phases of the command (they add up), and work by kind (runs overlap)."""
    executions = [execution for run in runs for execution in run.executions]
    return {
        "split_s": {name: round(value, 3) for name, value in split_s.items()},
        "work_s": seconds_by_work(executions),
    }


def _run(run: RunDetails) -> dict[str, Any]:
    ended, inference = run.ended, run.ended.inference or {}
    package = ended.items.package if ended.items else {}
    dvc = run.published.get("dvc")
    return {
        "team": ended.team,
        "round": run.round,
        "run_id": ended.run_id,
        "status": ended.status,
        "decision": ended.verdict,
        "metrics": run.metrics.get("test", {}),
        "model_package_arn": package.get("model_package_arn"),
        "dvc": {"path": dvc["path"], "md5": dvc["md5"]} if dvc else None,
        "predictions": {"uri": inference["predictions_uri"], "records": inference["records"]}
        if ended.predicted
        else None,
    }

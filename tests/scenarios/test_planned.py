"""Eight runs that arrive together are planned together, and AWS Batch carries the plan out under the cap of seven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenarios.conftest import turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import put_blobs
from tests.scenarios.training_jobs import jobs_of

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM, RUNS, CAP = "winery", 8, 7
START_MS = 5000
"""From the decision to start a job to its start, at most."""
DECISION_MS = 3000
"""Jobs of one decision start in any order, within this time."""
QUICK = {"epochs": 2, "hidden": [8]}


class Held(NamedTuple):
    """A run's only job: how many VMs it held, and when. Units: ms."""

    queue: str
    nodes: int
    priority: int
    queued_ms: int
    start_ms: int
    end_ms: int


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCloud]:
    """A cloud of its own, on which the cap and not the machine is what runs wait for."""
    state_dir: Path = tmp_path_factory.mktemp("fleet") / "state"
    up = turbine("local", "up", "--vcpus", "32", "--state-dir", str(state_dir))
    try:
        assert up.returncode == 0, up.stderr[-6000:]
        yield LiveCloud(json.loads(turbine("local", "env", "--json", "--state-dir", str(state_dir)).stdout))
    finally:
        turbine("local", "down", "--state-dir", str(state_dir))


def drop_week(cloud: LiveCloud) -> None:
    """Eight manifests in one batch, of a team whose runs' work is known."""
    shard = put_blobs(cloud, TEAM)
    place = f"config/teams/{TEAM}.yaml"
    text = cloud.read(f"s3://{shard['bucket']}/{place}").decode()
    cloud.put(place, f"{text}work_cpu_hours: 100\n".encode())
    runs = [
        {
            "schema_version": 1,
            "team": TEAM,
            "dataset": {
                "name": f"blobs{number}",
                "source": {"type": "s3", "uri": f"s3://{shard['bucket']}/{shard['key']}"},
                "format": "parquet",
                "target": "kind",
            },
            "recipe": {"name": "tabular_classifier", "hyperparameters": QUICK},
        }
        for number in range(RUNS)
    ]
    cloud.put("manifests/_batch/week.json", {"schema_version": 1, "runs": runs})


def job_of(cloud: LiveCloud, run_id: str) -> Held:
    (job,) = jobs_of(cloud, run_id)
    described = cloud.client("batch").describe_jobs(jobs=[job["jobId"]])["jobs"][0]
    return Held(
        str(job["queue"]),
        int(described.get("nodeProperties", {}).get("numNodes", 1)),
        int(described["schedulingPriority"]),
        int(described["createdAt"]),
        int(described["startedAt"]),
        int(described["stoppedAt"]),
    )


def most_at_once(jobs: list[Held]) -> int:
    edges = sorted([(one.start_ms, one.nodes) for one in jobs] + [(one.end_ms, -one.nodes) for one in jobs])
    held = most = 0
    for _, change in edges:
        held += change
        most = max(most, held)
    return most


@pytest.mark.timeout(600)
def test_eight_runs_are_carried_out_as_planned_and_never_hold_more_than_the_cap(fleet: LiveCloud) -> None:
    drop_week(fleet)
    runs: list[dict[str, Any]] = wait_for(
        lambda: found if len(found := fleet.of_kind("run")) == RUNS else None, "eight runs", 60
    )
    specs = {run["run_id"]: fleet.read_json(run["spec_uri"]) for run in runs}
    for run_id in specs:
        outcome = fleet.outcome(run_id, limit_s=400)
        assert outcome["status"] == "SUCCEEDED", outcome
    jobs = {run_id: job_of(fleet, run_id) for run_id in specs}

    plans = {run_id: spec["plan"] for run_id, spec in specs.items()}
    assert {run_id: job.nodes for run_id, job in jobs.items()} == {
        run_id: spec["compute"]["nodes"] for run_id, spec in specs.items()
    }
    assert {run_id: job.priority for run_id, job in jobs.items()} == {
        run_id: plan["priority"] for run_id, plan in plans.items()
    }
    assert sum(job.nodes for job in jobs.values()) > CAP, "nobody had to wait"
    assert 1 < most_at_once(list(jobs.values())) <= CAP
    waiting = {run_id for run_id, plan in plans.items() if plan["starts_at"] > plan["planned_at"]}
    assert waiting and waiting != set(plans)
    first_of_waiting = min(jobs[run_id].start_ms for run_id in waiting)
    assert all(jobs[run_id].start_ms <= first_of_waiting for run_id in plans.keys() - waiting)
    ordered = [jobs[run_id] for run_id in sorted(waiting, key=lambda run_id: plans[run_id]["starts_at"])]
    queued_together = [
        (one, later)
        for one, later in combinations(ordered, 2)
        if one.queue == later.queue and one.queued_ms < max(later.queued_ms, later.start_ms - START_MS)
    ]
    assert queued_together
    for one, later in queued_together:
        assert later.start_ms > one.start_ms - DECISION_MS, "started in another order than planned"

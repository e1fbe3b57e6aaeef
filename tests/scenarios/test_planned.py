"""Eight runs that arrive together are planned together, and AWS Batch carries the plan out under the cap of seven."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenarios.conftest import ROOT, turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import put_blobs, run_id_of
from tests.scenarios.training_jobs import jobs_of

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM, RUNS, CAP = "winery", 8, 7
TEAMS = {"vision", "oncology", "endocrine", "winery"}
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


def schedules(cloud: LiveCloud) -> dict[str, tuple[str, str]]:
    """The teams' own schedules that the cloud has: expression and time zone."""
    found = {}
    for listed in cloud.client("scheduler").list_schedules()["Schedules"]:
        one = cloud.client("scheduler").get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
        team = json.loads(one["Target"]["Input"])["schedule"]
        found[str(team)] = (str(one["ScheduleExpression"]), str(one["ScheduleExpressionTimezone"]))
    return {team: schedule for team, schedule in found.items() if team in TEAMS}


def test_a_plan_that_is_applied_is_what_the_cloud_does_next(fleet: LiveCloud, tmp_path: Path) -> None:
    teams_dir = Path(shutil.copytree(ROOT / "config/teams", tmp_path / "teams"))
    asked = (
        "plan",
        "--apply",
        "--yes",
        "--teams-dir",
        str(teams_dir),
        "--runs-per-team",
        "1",
        "--seconds",
        "1",
        "--json",
    )
    done = turbine(*asked, "--plan", "staggered", environment=fleet.environment)
    assert done.returncode == 0, done.stderr
    planned = json.loads(done.stdout)
    assert set(planned["applied"]) == TEAMS
    triggers = schedules(fleet)
    assert set(triggers) == TEAMS
    assert {zone for _, zone in triggers.values()} == {"UTC"}
    assert {expression.split(" ", 2)[2] for expression, _ in triggers.values()} == {"? * MON,THU *)"}
    assert len({expression for expression, _ in triggers.values()}) == len(TEAMS), "each at a time of its own"

    # Another plan takes them away, and the next run has its number of VMs.
    done = turbine(*asked, "--plan", "two-vms", environment=fleet.environment)
    assert done.returncode == 0, done.stderr
    assert schedules(fleet) == {}
    shard = put_blobs(fleet, TEAM)
    source = {"type": "s3", "uri": f"s3://{shard['bucket']}/{shard['key']}"}
    dataset = {"name": "applied", "source": source, "format": "parquet", "target": "kind"}
    recipe = {"name": "tabular_classifier", "hyperparameters": QUICK}
    key = f"manifests/{TEAM}/applied.json"
    fleet.put(key, {"schema_version": 1, "team": TEAM, "dataset": dataset, "recipe": recipe})
    run_id = run_id_of(fleet, key)
    record = fleet.item(f"RUN#{run_id}", "RECORD")
    assert record is not None
    assert record["nodes"] == 2
    assert fleet.outcome(run_id)["status"] == "SUCCEEDED"
    # What it took is what the next plan can begin with.
    done = turbine(
        "plan", "--teams-dir", str(teams_dir), "--measured", "--greedy", "--json", environment=fleet.environment
    )
    assert {one["source"] for one in json.loads(done.stdout)["works"]} == {"assumed"}, (
        "no run of its file's data set yet"
    )
    ours = teams_dir / f"{TEAM}.yaml"
    ours.write_text(re.sub(r"(?m)^  name: wine$", "  name: applied", ours.read_text(), count=1))
    done = turbine(
        "plan", "--teams-dir", str(teams_dir), "--measured", "--greedy", "--json", environment=fleet.environment
    )
    assert done.returncode == 0, done.stderr
    works = {one["team"]: one for one in json.loads(done.stdout)["works"]}
    assert works[TEAM]["source"].startswith("measured over 1 runs")
    assert works[TEAM]["work_cpu_hours"] < 10 < works["vision"]["work_cpu_hours"]

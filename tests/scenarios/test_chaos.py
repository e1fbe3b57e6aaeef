"""What Tasks call is throttled, fails, or takes effect and loses its answer: a run ends as if nothing had happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import STRICTNESS, turbine
from tests.scenarios.live_cloud import LiveCloud
from tests.scenarios.manifests import put_blobs, run_id_of, winery
from tests.scenarios.training_jobs import jobs_of, log_events

pytestmark = pytest.mark.xdist_group("scenarios")
CHAOS = "11:task_throttle=0.15,task_fail_before=0.1,task_fail_after=0.1"
FAULT = re.compile(r"chaos: (throttle|fail_before|fail_after) on (\S+) ")


class Disturbed:
    """A cloud on which a third of all Tasks' calls go wrong, with the stack on it."""

    def __init__(self, cloud: LiveCloud, state_dir: Path) -> None:
        self.cloud, self._log = cloud, state_dir / "cloud.log"

    def faults(self) -> list[tuple[str, str]]:
        """The kind and the service of each fault so far."""
        return FAULT.findall(self._log.read_text())


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    state_dir: Path = tmp_path_factory.mktemp("chaos") / "state"
    up = turbine("local", "up", "--chaos", CHAOS, "--state-dir", str(state_dir), environment=STRICTNESS)
    try:
        assert up.returncode == 0, up.stderr[-6000:]
        environment = json.loads(turbine("local", "env", "--json", "--state-dir", str(state_dir)).stdout)
        yield Disturbed(LiveCloud(environment), state_dir)
    finally:
        turbine("local", "down", "--state-dir", str(state_dir))


def drop(cloud: LiveCloud, name: str) -> str:
    """Drop a manifest of the team `winery` on data of its own; the run's id."""
    shard = put_blobs(cloud, "winery")
    source = {"type": "s3", "uri": f"s3://{shard['bucket']}/{shard['key']}"}
    dataset = {"name": name, "source": source, "format": "parquet", "target": "kind"}
    key = f"manifests/winery/{name}.json"
    cloud.put(key, winery(cloud, dataset=dataset))
    return run_id_of(cloud, key)


def without_retries(node: Any) -> tuple[Any, int]:
    """A definition none of whose states tries again, and how many did."""
    if isinstance(node, list):
        parts = [without_retries(part) for part in node]
        return [part for part, _ in parts], sum(count for _, count in parts)
    if not isinstance(node, dict):
        return node, 0
    kept = {name: without_retries(part) for name, part in node.items() if name != "Retry"}
    return {name: part for name, (part, _) in kept.items()}, sum(n for _, n in kept.values()) + ("Retry" in node)


def test_a_run_ends_as_if_nothing_had_happened(disturbed: Disturbed) -> None:
    """A run alone: so the same calls meet the same faults each time."""
    cloud = disturbed.cloud
    run_id = drop(cloud, "shaken")
    outcome = cloud.outcome(run_id, limit_s=240)
    assert outcome["status"] == "SUCCEEDED", outcome
    logs = [log_events(cloud, job["jobId"]) for job in jobs_of(cloud, run_id)]
    # An answer of SubmitJob that was lost makes a second job, which finds the lease taken and goes.
    assert sum(any(event["event"] == "epoch" for event in log) for log in logs) == 1
    packages = cloud.client("sagemaker").list_model_packages(ModelPackageGroupName=f"{cloud.stack}-winery")
    (package,) = packages["ModelPackageSummaryList"]
    champion = cloud.item("TEAM#winery", "CHAMPION")
    assert champion is not None
    assert [champion["model_package_arn"]] == [package["ModelPackageArn"]] == cloud.approved("winery")
    kinds, services = zip(*disturbed.faults(), strict=True)
    assert set(kinds) == {"throttle", "fail_before", "fail_after"}
    assert {"lambda", "dynamodb", "states", "batch"} <= set(services)


def test_without_retries_they_would_not(disturbed: Disturbed) -> None:
    """The control: the same machine, of whose Tasks none tries again."""
    cloud = disturbed.cloud
    stepfunctions, machine = cloud.client("stepfunctions"), cloud.outputs["RunMachineArn"]
    before = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    definition, removed = without_retries(json.loads(before))
    assert removed > 5
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))
    outcome = cloud.outcome(drop(cloud, "unprotected"), limit_s=240)
    assert outcome["status"] == "FAILED"

"""Several nodes train one model through Batch; one that is lost ends the job soon, and the retry goes on from there.

A cloud of its own: where this machine can, its nodes live in network namespaces. The job definition, its retry rules
and its queue are those of the stack; Step Functions has no part in it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local_cloud import hosts
from tests.scenarios.conftest import turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import put_blobs

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM = "winery"
NODES = 2
CAN_NAMESPACES = os.geteuid() == 0 and all(map(shutil.which, ("ip", "nsenter")))
NETWORKS = "namespaces" if CAN_NAMESPACES else "processes"
ENDS_WITHIN_S = 30


@dataclass
class Gangs:
    """Multi-node training jobs of one team on a deployed stack."""

    cloud: LiveCloud
    shard: dict[str, Any]

    def submit(self, run_id: str, **hyperparameters: Any) -> str:
        """Write a run's spec and submit its job, past the machines; returns the job's id."""
        cloud, uri = self.cloud, self.cloud.run_uri(TEAM, run_id)
        spec = {
            "schema_version": 1,
            "run_id": run_id,
            "team": TEAM,
            "dataset": {
                "name": "blobs",
                "version": "feed" * 4,
                "format": "parquet",
                "target": "kind",
                "shards": [self.shard],
            },
            "split": {"id": "beef" * 4, "salt": "feed" * 4, "validation": 0.15, "test": 0.2},
            "recipe": {"name": "tabular_classifier", "hyperparameters": hyperparameters},
            "seed": 7,
            "compute": {"nodes": NODES, "processes_per_node": 1, "checkpoint_every_steps": 20},
            "output_uri": uri,
            "metrics": {"namespace": "Turbine/Training", "dimensions": {"Team": TEAM, "RunId": run_id}},
        }
        artifacts = cloud.outputs["ArtifactBucketName"]
        cloud.put(f"runs/{TEAM}/{run_id}/run.json", spec, bucket=artifacts)
        environment = [{"name": "TURBINE_RUN_SPEC", "value": f"{uri}run.json"}]
        definition = f"{cloud.stack}-{TEAM}-training-multinode"
        submitted = cloud.client("batch").submit_job(
            jobName=run_id,
            jobQueue=self.queue(),
            jobDefinition=definition,
            shareIdentifier="planned",
            nodeOverrides={
                "numNodes": NODES,
                "nodePropertyOverrides": [
                    {"targetNodes": "0:", "containerOverrides": {"environment": environment}},
                ],
            },
        )
        return str(submitted["jobId"])

    def queue(self) -> str:
        """The stack's queue that takes multi-node jobs: one whose hosts are not on Spot."""
        batch = self.cloud.client("batch")
        kinds = {
            environment["computeEnvironmentArn"]: environment["computeResources"]["type"]
            for environment in batch.describe_compute_environments()["computeEnvironments"]
        }
        for queue in batch.describe_job_queues()["jobQueues"]:
            if kinds[queue["computeEnvironmentOrder"][0]["computeEnvironment"]] == "EC2":
                return str(queue["jobQueueArn"])
        raise LookupError("the stack has no queue on demand")

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.cloud.client("batch").describe_jobs(jobs=[job_id])["jobs"][0])

    def ended(self, job_id: str, limit_s: float = 180) -> dict[str, Any]:
        def is_over() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ("SUCCEEDED", "FAILED") else None

        return wait_for(is_over, f"the end of job {job_id}", limit_s)

    def said(self, attempt: dict[str, Any]) -> list[dict[str, Any]]:
        """What the main node of an attempt logged."""
        events = self.cloud.client("logs").get_log_events(
            logGroupName=self.cloud.outputs["JobLogGroupName"],
            logStreamName=attempt["container"]["logStreamName"],
            startFromHead=True,
        )["events"]
        return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]

    @property
    def access(self) -> hosts.Access:
        """What reaches the cloud's own paths."""
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return hosts.Access(*(self.cloud.environment[name] for name in names))

    def host_of(self, job_id: str, node: int) -> str:
        """The instance that a node of the job runs on now."""
        (host,) = [one for one in hosts.running(self.access) if (one["jobId"], one["nodeIndex"]) == (job_id, node)]
        return str(host["instanceId"])


@pytest.fixture(scope="module")
def gangs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gangs]:
    state_dir = tmp_path_factory.mktemp("gangs") / "state"
    up = turbine("local", "up", "--state-dir", str(state_dir), environment={"TURBINE_LOCAL_NODE_NETWORKS": NETWORKS})
    try:
        assert up.returncode == 0, up.stderr[-6000:]
        environment = json.loads(turbine("local", "env", "--json", "--state-dir", str(state_dir)).stdout)
        cloud = LiveCloud(environment)
        yield Gangs(cloud, put_blobs(cloud, TEAM))
    finally:
        turbine("local", "down", "--state-dir", str(state_dir))


def _new_run() -> str:
    return f"{TEAM}-blobs-{uuid.uuid4().hex[:12]}"


def test_two_nodes_train_one_model(gangs: Gangs) -> None:
    run_id = _new_run()
    job = gangs.ended(gangs.submit(run_id, epochs=2))
    assert job["status"] == "SUCCEEDED", gangs.said(job["attempts"][-1])
    metrics = gangs.cloud.read_json(gangs.cloud.run_uri(TEAM, run_id, "metrics.json"))
    assert metrics["environment"]["world_size"] == NODES
    nodes = [gangs.job(f"{job['jobId']}#{index}") for index in range(NODES)]
    addresses = {
        interface["privateIpv4Address"] for node in nodes for interface in node["container"]["networkInterfaces"]
    }
    assert len(addresses) == (NODES if NETWORKS == "namespaces" else 1)


def test_a_lost_node_ends_the_attempt_soon_and_the_next_one_resumes(gangs: Gangs) -> None:
    run_id = _new_run()
    job_id = gangs.submit(run_id, epochs=10)
    wait_for(lambda: _committed(gangs, run_id), "a committed checkpoint", 120)
    hosts.lose(gangs.access, gangs.host_of(job_id, 1))
    lost_at = time.monotonic()
    first = wait_for(lambda: _ended_attempt(gangs.job(job_id)), "the end of the first attempt", ENDS_WITHIN_S + 5)
    assert time.monotonic() - lost_at <= ENDS_WITHIN_S
    assert first["container"]["exitCode"] == 75
    assert any(line["event"] == "node_lost" for line in gangs.said(first))
    job = gangs.ended(job_id)
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2), gangs.said(job["attempts"][-1])
    (resumed,) = [line for line in gangs.said(job["attempts"][1]) if line["event"] == "resumed"]
    assert resumed["step"] > 0


def _committed(gangs: Gangs, run_id: str) -> str | None:
    """The key of a checkpoint's marker."""
    keys = gangs.cloud.keys(gangs.cloud.run_uri(TEAM, run_id, "checkpoints/"))
    return next((key for key in keys if key.endswith("_COMPLETE")), None)


def _ended_attempt(job: dict[str, Any]) -> dict[str, Any] | None:
    return next((attempt for attempt in job["attempts"] if "stoppedAt" in attempt), None)

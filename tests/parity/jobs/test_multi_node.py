"""Multi-node parallel jobs: what each node sees, whose end counts, where they run."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest


@pytest.fixture
def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_every_node_has_its_variables_and_its_log(jobs: Any, free_port: str) -> None:
    definition = jobs.define_nodes("gang", 3, "show-and-meet", free_port)
    job = jobs.ended(jobs.submit(definition, jobQueue=jobs.on_demand, nodeOverrides={"numNodes": 2}))
    assert (job["status"], job["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 2)
    nodes = [jobs.job(f"{job['jobId']}#{index}") for index in range(2)]
    logs = [jobs.log(node["container"]["logStreamName"]) for node in nodes]
    seen = [json.loads(log[0])["environment"] for log in logs]
    assert [one["AWS_BATCH_JOB_NODE_INDEX"] for one in seen] == ["0", "1"]
    assert {one["AWS_BATCH_JOB_NUM_NODES"] for one in seen} == {"2"}
    assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" not in seen[0]
    assert seen[1]["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] == "127.0.0.1"
    assert logs[0][1] == "from 127.0.0.1, one of 2"
    assert [node["nodeDetails"]["isMainNode"] for node in nodes] == [True, False]
    assert len({node["container"]["containerInstanceArn"] for node in nodes}) == 2


def test_a_dead_child_node_is_left_to_the_application(jobs: Any) -> None:
    definition = jobs.define_nodes("dead", 2, "outlive-child")
    job = jobs.ended(jobs.submit(definition, jobQueue=jobs.on_demand))
    nodes = [jobs.job(f"{job['jobId']}#{index}") for index in range(2)]
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert [(node["status"], node["container"]["exitCode"]) for node in nodes] == [("SUCCEEDED", 0), ("FAILED", 9)]


def test_the_end_of_the_main_node_stops_the_others(jobs: Any, probe: Any) -> None:
    definition = jobs.define_nodes("main-ends", 2, "wait", "0.5")
    overrides = {"nodePropertyOverrides": [{"targetNodes": "1:1", "containerOverrides": {"command": ["wait", "600"]}}]}
    job = jobs.ended(jobs.submit(definition, jobQueue=jobs.on_demand, nodeOverrides=overrides))
    child = jobs.job(f"{job['jobId']}#1")
    assert (job["status"], child["status"], child["container"]["exitCode"]) == ("SUCCEEDED", "FAILED", 75)


@pytest.mark.parametrize("kind", ["spot", "queue"])
def test_nodes_run_neither_on_spot_nor_unmanaged(jobs: Any, probe: Any, kind: str) -> None:
    job_id = jobs.submit(jobs.define_nodes("misplaced", 2, "show"), jobQueue=getattr(jobs, kind))
    probe.until(lambda: jobs.job(job_id).get("statusReason"))
    assert jobs.job(job_id)["status"] == "RUNNABLE"
    assert "does not use Spot Instances" in jobs.job(job_id)["statusReason"]
    jobs.batch.terminate_job(jobId=job_id, reason="never mind")
    assert jobs.ended(job_id)["statusReason"] == "never mind"

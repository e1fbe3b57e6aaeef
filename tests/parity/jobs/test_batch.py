"""Batch jobs as processes: what they see, how they end, how they are tried again."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_job_sees_its_image_its_packages_and_nothing_of_the_checkout(jobs: Any, cloud: dict[str, Any]) -> None:
    job = jobs.ended(
        jobs.submit(jobs.define("see", "show"), containerOverrides={"environment": [{"name": "TEAM", "value": "x"}]})
    )
    seen = json.loads(jobs.log(job["container"]["logStreamName"])[0])
    assert job["status"] == "SUCCEEDED"
    assert (seen["environment"]["PROBE"], seen["environment"]["TEAM"]) == ("from-the-image", "x")
    assert seen["environment"]["AWS_BATCH_JOB_ID"] == job["jobId"]
    assert seen["environment"]["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert seen["environment"]["AWS_BATCH_JQ_NAME"] == "parity"
    assert seen["cwd"].startswith(str(cloud["state_dir"] / "jobs"))
    assert "CUDA_VISIBLE_DEVICES" not in seen["environment"]
    assert seen["writes_bytecode"]
    assert str(Path(__file__).parents[3]) not in seen["path"]


def test_the_scratch_folder_of_an_attempt_is_removed(jobs: Any, cloud: dict[str, Any]) -> None:
    jobs.ended(jobs.submit(jobs.define("scratch", "show")))
    assert list((cloud["state_dir"] / "jobs").iterdir()) == []


def test_one_vcpu_is_one_core(jobs: Any) -> None:
    job = jobs.ended(jobs.submit(jobs.define("core", "show")))
    assert json.loads(jobs.log(job["container"]["logStreamName"])[0])["cores"] == 1


def test_a_failed_attempt_is_tried_again_and_each_has_its_log(jobs: Any) -> None:
    job = jobs.ended(jobs.submit(jobs.define("again", "succeed-at", "2"), retryStrategy={"attempts": 3}))
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7, 0]
    assert len({attempt["container"]["logStreamName"] for attempt in job["attempts"]}) == 2
    assert all(attempt["startedAt"] <= attempt["stoppedAt"] for attempt in job["attempts"])


def test_an_exit_rule_ends_the_job(jobs: Any) -> None:
    rules = [{"onExitCode": "75", "action": "RETRY"}, {"onExitCode": "*", "action": "EXIT"}]
    definition = jobs.define("rules", "exit", "65")
    job = jobs.ended(jobs.submit(definition, retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    assert (job["status"], len(job["attempts"]), job["container"]["exitCode"]) == ("FAILED", 1, 65)
    assert job["statusReason"] == "Essential container in task exited"


def test_terminate_sends_sigterm_and_keeps_the_reason(jobs: Any, probe: Any) -> None:
    job_id = jobs.submit(jobs.define("stop", "wait", "600"))
    probe.until(lambda: jobs.job(job_id)["status"] == "RUNNING")
    probe.until(lambda: jobs.log(jobs.job(job_id)["container"]["logStreamName"]))
    jobs.batch.terminate_job(jobId=job_id, reason="enough")
    job = jobs.ended(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    assert job["container"]["exitCode"] == 75
    assert "asked to stop" in jobs.log(job["container"]["logStreamName"])


def test_cancel_does_nothing_to_a_running_job(jobs: Any, probe: Any) -> None:
    job_id = jobs.submit(jobs.define("run-on", "wait", "0.8"))
    probe.until(lambda: jobs.job(job_id)["status"] == "RUNNING")
    jobs.batch.cancel_job(jobId=job_id, reason="too late")
    assert jobs.ended(job_id)["status"] == "SUCCEEDED"


def test_a_job_that_no_host_can_take_stays_runnable_and_says_why(jobs: Any, probe: Any) -> None:
    job_id = jobs.submit(jobs.define("huge", "show", vcpus="512"))
    probe.until(lambda: jobs.job(job_id).get("statusReason"))
    job = jobs.job(job_id)
    assert job["status"] == "RUNNABLE"
    assert job["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
    jobs.batch.cancel_job(jobId=job_id, reason="never mind")
    job = jobs.ended(job_id)
    assert (job["statusReason"], job["isCancelled"], job["attempts"]) == ("never mind", True, [])


def test_every_node_has_its_variables_and_its_log(jobs: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    definition = jobs.define_nodes("gang", 3, "show-and-meet", port)
    job = jobs.ended(jobs.submit(definition, nodeOverrides={"numNodes": 2}))
    assert (job["status"], job["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 2)
    nodes = [jobs.job(f"{job['jobId']}#{index}") for index in range(2)]
    seen = [json.loads(jobs.log(node["container"]["logStreamName"])[0])["environment"] for node in nodes]
    assert [one["AWS_BATCH_JOB_NODE_INDEX"] for one in seen] == ["0", "1"]
    assert {one["AWS_BATCH_JOB_NUM_NODES"] for one in seen} == {"2"}
    assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" not in seen[0]
    assert seen[1]["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] == "127.0.0.1"
    assert [node["nodeDetails"]["isMainNode"] for node in nodes] == [True, False]


def test_a_dead_node_ends_the_gang(jobs: Any) -> None:
    job = jobs.ended(jobs.submit(jobs.define_nodes("dead", 2, "fail-on-node", "1")))
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("FAILED", 9)


def test_an_image_that_no_template_describes_fails_the_job_and_names_it(jobs: Any) -> None:
    properties = {**jobs.container("show"), "image": "docker.io/library/python:3"}
    definition = jobs.batch.register_job_definition(
        jobDefinitionName="foreign", type="container", containerProperties=properties
    )["jobDefinitionArn"]
    job = jobs.ended(jobs.submit(definition))
    assert job["status"] == "FAILED"
    assert "CannotPullContainerError: image docker.io/library/python:3" in job["container"]["reason"]


def test_jobs_are_found_by_status_and_by_name(jobs: Any) -> None:
    job_id = jobs.submit(jobs.define("find", "show"), name="find-me-here")
    jobs.ended(job_id)
    by_name = jobs.batch.list_jobs(jobQueue=jobs.queue, filters=[{"name": "JOB_NAME", "values": ["find-me*"]}])
    assert [job["jobId"] for job in by_name["jobSummaryList"]] == [job_id]
    by_status = jobs.batch.list_jobs(jobQueue=jobs.queue, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert job_id in [job["jobId"] for job in by_status]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"timeout": {"attemptDurationSeconds": 5}}, "at least 60"),
        ({"shareIdentifier": "a"}, "shareIdentifier"),
        ({"ecsPropertiesOverride": {"taskProperties": [{}]}}, "ecsPropertiesOverride is not emulated"),
    ],
)
def test_what_is_wrong_or_not_emulated_is_refused(jobs: Any, more: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=named):
        jobs.submit(jobs.define("refuse", "show"), **more)

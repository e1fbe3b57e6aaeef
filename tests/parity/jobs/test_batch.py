"""Batch jobs as processes: what they see, how they end, how they are tried again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
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
    for attempt in job["attempts"]:
        task = attempt["container"]["taskArn"].rsplit("/", 1)[1]
        assert attempt["container"]["logStreamName"] == f"again/default/{task}"
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


def test_a_container_that_ignores_sigterm_has_its_hosts_stop_timeout(jobs: Any) -> None:
    """The launch template's user data says 1 s; without it, it would be 30."""
    job_id = jobs.running(jobs.define("deaf", "ignore-sigterm"), jobQueue=jobs.on_demand)
    jobs.batch.terminate_job(jobId=job_id, reason="enough")
    asked = time.monotonic()
    job = jobs.ended(job_id)
    assert (job["statusReason"], job["container"]["exitCode"]) == ("enough", 137)
    assert 0.9 < time.monotonic() - asked < 10


def test_a_container_ends_with_all_its_processes_in_other_sessions_too(jobs: Any, probe: Any) -> None:
    job_id = jobs.running(jobs.define("leave", "survive"))
    left = int(jobs.log(jobs.stream(job_id))[0])
    assert psutil.pid_exists(left)
    jobs.batch.terminate_job(jobId=job_id, reason="enough")
    jobs.ended(job_id)
    probe.until(lambda: not psutil.pid_exists(left))


def test_a_container_over_its_memory_is_killed_and_says_so(jobs: Any) -> None:
    rules = [{"onReason": "OutOfMemory*", "action": "EXIT"}, {"onReason": "*", "action": "RETRY"}]
    definition = jobs.define("greedy", "eat", "400")
    job = jobs.ended(jobs.submit(definition, retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    assert (job["status"], len(job["attempts"]), job["container"]["exitCode"]) == ("FAILED", 1, 137)
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_process_of_a_container_that_is_killed_for_its_memory_is_the_reason_whatever_the_container_says(
    jobs: Any,
) -> None:
    job = jobs.ended(jobs.submit(jobs.define("launcher", "feed-child", "400")))
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 1)
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert jobs.log(job["container"]["logStreamName"]) == ["child -9"]


def test_a_container_within_its_memory_is_left_alone(jobs: Any) -> None:
    assert jobs.ended(jobs.submit(jobs.define("modest", "eat", "64")))["status"] == "SUCCEEDED"


def test_a_name_filter_finds_every_state_by_pages(jobs: Any, probe: Any) -> None:
    done, failed = (jobs.submit(jobs.define("paged", "exit", code), name="paged-job") for code in ("0", "3"))
    stays = jobs.running(jobs.define("stays", "wait", "600"), name="paged-job")
    for job_id in (done, failed):
        jobs.ended(job_id)
    pages = jobs.batch.get_paginator("list_jobs").paginate(
        jobQueue=jobs.queue,
        jobStatus="RUNNING",
        filters=[{"name": "JOB_NAME", "values": ["paged-job"]}],
        PaginationConfig={"PageSize": 1},
    )
    found = [page["jobSummaryList"] for page in pages]
    jobs.batch.terminate_job(jobId=stays, reason="enough")
    assert [len(page) for page in found] == [1, 1, 1]
    assert {(job["jobId"], job["status"]) for page in found for job in page} == {
        (done, "SUCCEEDED"),
        (failed, "FAILED"),
        (stays, "RUNNING"),
    }


def test_each_queue_has_its_own_environment(jobs: Any) -> None:
    seen = []
    for queue in (jobs.on_demand, jobs.spot):
        job = jobs.ended(jobs.submit(jobs.define("where", "show"), jobQueue=queue))
        seen.append(json.loads(jobs.log(job["container"]["logStreamName"])[0])["environment"])
    assert ["OnDemand" in one["AWS_BATCH_CE_NAME"] for one in seen] == [True, False]
    assert [one["AWS_EC2_METADATA_DISABLED"] for one in seen] == ["true", "false"]
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in seen[0]
    assert seen[1]["AWS_EC2_METADATA_SERVICE_ENDPOINT"].startswith("http://127.0.0.1:")

"""Hosts of jobs that are taken away: with a notice, by a call to EC2, without a word."""

from __future__ import annotations

import datetime
import json
from typing import Any

import psutil
import pytest

from local_cloud import hosts
from tests.parity.conftest import access_to

ON_SPOT = {
    "attempts": 2,
    "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onExitCode": "75", "action": "RETRY"},
        {"onExitCode": "*", "action": "EXIT"},
    ],
}


def host_of(cloud: dict[str, Any], job_id: str) -> dict[str, Any]:
    (found,) = [one for one in hosts.running(access_to(cloud)) if one["jobId"] == job_id]
    return found


def test_a_notice_reaches_the_job_which_ends_in_time_and_is_tried_again(jobs: Any, cloud: dict[str, Any]) -> None:
    job_id = jobs.running(jobs.define("heed", "heed-notice"), jobQueue=jobs.spot, retryStrategy=ON_SPOT)
    first = jobs.stream(job_id)
    hosts.reclaim(access_to(cloud), host_of(cloud, job_id)["instanceId"], notice_s=120)
    job = jobs.ended(job_id)
    notice = json.loads(jobs.log(first)[1])
    ends_in = datetime.datetime.fromisoformat(notice["time"]) - datetime.datetime.now(datetime.UTC)
    assert (notice["action"], 60 < ends_in.total_seconds() <= 120) == ("terminate", True)
    assert (job["status"], [one["container"]["exitCode"] for one in job["attempts"]]) == ("SUCCEEDED", [75, 0])


def test_after_the_notice_the_host_goes_and_batch_says_so(jobs: Any, cloud: dict[str, Any]) -> None:
    retries = {"attempts": 2, "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "EXIT"}]}
    job_id = jobs.running(jobs.define("stay", "wait", "600"), jobQueue=jobs.spot, retryStrategy=retries)
    stream, host = jobs.stream(job_id), host_of(cloud, job_id)["instanceId"]
    hosts.reclaim(access_to(cloud), host, notice_s=0.1)
    job = jobs.ended(job_id)
    (attempt,) = job["attempts"]
    assert job["statusReason"] == attempt["statusReason"] == f"Host EC2 (instance {host}) terminated."
    assert "exitCode" not in attempt["container"]
    assert "asked to stop" in jobs.log(stream)


def test_a_lost_host_kills_every_process_at_once(jobs: Any, cloud: dict[str, Any], probe: Any) -> None:
    job_id = jobs.running(jobs.define("lose", "survive"), jobQueue=jobs.on_demand)
    stream, host = jobs.stream(job_id), host_of(cloud, job_id)["instanceId"]
    hosts.lose(access_to(cloud), host)
    assert jobs.ended(job_id)["statusReason"] == f"Host EC2 (instance {host}) terminated."
    probe.until(lambda: not psutil.pid_exists(int(jobs.log(stream)[0])))


def test_a_host_is_found_through_ecs_and_terminated_through_ec2(jobs: Any, client: Any) -> None:
    job_id = jobs.running(jobs.define("found", "wait", "600"), jobQueue=jobs.on_demand)
    arn = jobs.job(job_id)["container"]["containerInstanceArn"]
    shown = client("ecs").describe_container_instances(cluster=arn.split("/")[1], containerInstances=[arn])
    (host,) = [one["ec2InstanceId"] for one in shown["containerInstances"]]
    ended = client("ec2").terminate_instances(InstanceIds=[host])["TerminatingInstances"]
    assert [one["InstanceId"] for one in ended] == [host]
    assert jobs.ended(job_id)["statusReason"] == f"Host EC2 (instance {host}) terminated."


def test_only_spot_hosts_are_reclaimed(jobs: Any, cloud: dict[str, Any]) -> None:
    job_id = jobs.running(jobs.define("kept", "wait", "600"), jobQueue=jobs.on_demand)
    with pytest.raises(hosts.HostError, match="no Spot Instance"):
        hosts.reclaim(access_to(cloud), host_of(cloud, job_id)["instanceId"])
    with pytest.raises(hosts.HostError, match="no job runs on i-0"):
        hosts.lose(access_to(cloud), "i-0")
    jobs.batch.terminate_job(jobId=job_id, reason="enough")
    jobs.ended(job_id)
    assert job_id not in [one["jobId"] for one in hosts.running(access_to(cloud))]

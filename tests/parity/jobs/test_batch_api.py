"""What Batch takes and refuses, as AWS does, and what it shows of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

LIMIT = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}


def name() -> str:
    return f"api-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def refused() -> Callable[..., str]:
    """`refused(call, **parameters)`: what a ClientException says; fails if there is none."""

    def call(operation: Callable[..., Any], **given: Any) -> str:
        with pytest.raises(ClientError) as caught:
            operation(**given)
        assert caught.value.response["Error"]["Code"] == "ClientException"
        return str(caught.value.response["Error"]["Message"])

    return call


@pytest.fixture
def environment(jobs: Any) -> str:
    """The unmanaged environment of the tests' queue."""
    (found,) = jobs.batch.describe_job_queues(jobQueues=["parity"])["jobQueues"]
    return str(found["computeEnvironmentOrder"][0]["computeEnvironment"])


@pytest.fixture
def policy(jobs: Any) -> str:
    return str(jobs.batch.create_scheduling_policy(name=name(), fairsharePolicy={})["arn"])


def queue(environment: str, **more: Any) -> dict[str, Any]:
    """The parameters of a queue."""
    order = [{"order": 1, "computeEnvironment": environment}]
    return {"jobQueueName": name(), "priority": 1, "computeEnvironmentOrder": order, **more}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"jobQueue": "nobody"}, "JobQueue nobody not found"),
        ({"jobDefinition": "nobody"}, "JobDefinition nobody is not found or not ACTIVE"),
        ({"jobDefinition": "see:999"}, "not found or not ACTIVE"),
        ({"jobName": "-x"}, "Job name should match valid pattern"),
        ({"schedulingPriorityOverride": 5}, "needs a job queue with a scheduling policy"),
        ({"nodeOverrides": {"numNodes": 2}}, "nodeOverrides are for multi-node parallel jobs only"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        ({"arrayProperties": {"size": 1}}, "between 2 and 10000"),
        ({"dependsOn": [{"jobId": "x"}] * 21}, "at most 20 jobs"),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "SEQUENTIAL"),
        ({"dependsOn": [{"type": "N_TO_N", "jobId": "x"}], "arrayProperties": {"size": 2}}, "same size"),
        ({"tags": {"aws:x": "y"}}, "reserved"),
        ({"consumableResourcePropertiesOverride": {"consumableResourceList": [{"consumableResource": "no",
          "quantity": 1}]}}, "Consumable resource no does not exist"),
        ({"eksPropertiesOverride": {"podProperties": {"metadata": {"labels": {"a": "b"}}}}}, "is not emulated"),
    ],
)  # fmt: skip
def test_submissions_that_aws_refuses(jobs: Any, refused: Callable[..., str], more: dict[str, Any], said: str) -> None:
    given = {"jobName": "x", "jobQueue": jobs.queue, "jobDefinition": jobs.define("refused", "show"), **more}
    assert said in refused(jobs.batch.submit_job, **given)


def test_a_disabled_queue_takes_no_job_and_only_that_one_is_deleted(
    jobs: Any, environment: str, refused: Callable[..., str]
) -> None:
    made = jobs.batch.create_job_queue(**queue(environment))["jobQueueArn"]
    assert "DISABLED first" in refused(jobs.batch.delete_job_queue, jobQueue=made)
    jobs.batch.update_job_queue(jobQueue=made, state="DISABLED")
    definition = jobs.define("disabled", "show")
    assert "is not enabled" in refused(jobs.batch.submit_job, jobName="x", jobQueue=made, jobDefinition=definition)
    jobs.batch.delete_job_queue(jobQueue=made)
    assert jobs.batch.describe_job_queues(jobQueues=[made])["jobQueues"] == []


def test_share_identifiers_are_letters_and_numbers_and_needed_where_there_is_a_policy(
    jobs: Any, environment: str, policy: str, refused: Callable[..., str]
) -> None:
    made = jobs.batch.create_job_queue(**queue(environment, schedulingPolicyArn=policy))["jobQueueArn"]
    given = {"jobName": "x", "jobQueue": made, "jobDefinition": jobs.define("shares", "exit", "0")}
    assert "must be specified" in refused(jobs.batch.submit_job, **given)
    assert "letters and numbers" in refused(jobs.batch.submit_job, **given, shareIdentifier="team-a")
    said = refused(jobs.batch.submit_job, **given, shareIdentifier="teamA", schedulingPriorityOverride=10_000)
    assert "between 0 and 9999" in said
    job = jobs.ended(jobs.batch.submit_job(**given, shareIdentifier="teamA", schedulingPriorityOverride=7)["jobId"])
    assert (job["shareIdentifier"], job["schedulingPriority"]) == ("teamA", 7)


def test_a_scheduling_policy_is_for_ever_but_may_be_replaced(
    jobs: Any, environment: str, policy: str, refused: Callable[..., str]
) -> None:
    batch = jobs.batch
    without = batch.create_job_queue(**queue(environment))["jobQueueArn"]
    having = batch.create_job_queue(**queue(environment, schedulingPolicyArn=policy))["jobQueueArn"]
    assert "can be replaced" in refused(batch.update_job_queue, jobQueue=without, schedulingPolicyArn=policy)
    assert "can be replaced" in refused(batch.update_job_queue, jobQueue=having, schedulingPolicyArn="")
    assert "attached to a job queue" in refused(batch.delete_scheduling_policy, arn=policy)
    other = batch.create_scheduling_policy(name=name(), fairsharePolicy={"shareDecaySeconds": 60})["arn"]
    batch.update_job_queue(jobQueue=having, schedulingPolicyArn=other, priority=9)
    (shown,) = batch.describe_job_queues(jobQueues=[having])["jobQueues"]
    assert (shown["schedulingPolicyArn"], shown["priority"], shown["status"]) == (other, 9, "VALID")
    batch.delete_scheduling_policy(arn=policy)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"jobQueueName": "-x"}, "should match valid pattern"),
        ({"computeEnvironmentOrder": []}, "At least 1"),
        ({"computeEnvironmentOrder": [{"order": n, "computeEnvironment": "e"} for n in range(4)]}, "at most 3"),
        ({"computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "nobody"}]}, "nobody does not exist"),
        ({"schedulingPolicyArn": "arn:nobody"}, "arn:nobody does not exist"),
        ({"jobStateTimeLimitActions": [{**LIMIT, "maxTimeSeconds": 60}]}, "between 600 and 86400"),
        ({"jobQueueType": "SAGEMAKER_TRAINING"}, "jobQueueType SAGEMAKER_TRAINING is not emulated"),
    ],
)
def test_queues_that_aws_refuses(
    jobs: Any, environment: str, refused: Callable[..., str], more: dict[str, Any], said: str
) -> None:
    assert said in refused(jobs.batch.create_job_queue, **queue(environment, **more))


def test_a_queues_time_limits_are_shown_and_changed(jobs: Any, environment: str) -> None:
    made = jobs.batch.create_job_queue(**queue(environment, jobStateTimeLimitActions=[LIMIT]))["jobQueueArn"]
    (shown,) = jobs.batch.describe_job_queues(jobQueues=[made])["jobQueues"]
    assert shown["jobStateTimeLimitActions"] == [LIMIT]
    jobs.batch.update_job_queue(jobQueue=made, jobStateTimeLimitActions=[])
    (shown,) = jobs.batch.describe_job_queues(jobQueues=[made])["jobQueues"]
    assert shown["jobStateTimeLimitActions"] == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"shareDecaySeconds": 604_801}, "shareDecaySeconds"),
        ({"computeReservation": 100}, "computeReservation"),
        ({"shareDistribution": [{"shareIdentifier": "a-b"}]}, "letters and numbers"),
        ({"shareDistribution": [{"shareIdentifier": "a", "weightFactor": 1000}]}, "weightFactor"),
        ({"shareDistribution": [{"shareIdentifier": "a*"}, {"shareIdentifier": "ab"}]}, "overlaps"),
    ],
)
def test_policies_that_aws_refuses(jobs: Any, refused: Callable[..., str], policy: dict[str, Any], said: str) -> None:
    assert said in refused(jobs.batch.create_scheduling_policy, name=name(), fairsharePolicy=policy)


def test_environments_are_checked_and_those_in_use_are_kept(
    jobs: Any, environment: str, refused: Callable[..., str]
) -> None:
    batch = jobs.batch
    (found,) = batch.describe_job_queues(jobQueues=[jobs.on_demand])["jobQueues"]
    managed = found["computeEnvironmentOrder"][0]["computeEnvironment"]
    said = refused(batch.update_compute_environment, computeEnvironment=managed, computeResources={"maxvCpus": -1})
    assert "desiredvCpus" in said
    said = refused(batch.update_compute_environment, computeEnvironment=environment, computeResources={"maxvCpus": 4})
    assert "managed compute environments only" in said
    assert "does not exist" in refused(batch.update_compute_environment, computeEnvironment="no", state="ENABLED")
    assert "DISABLED first" in refused(batch.delete_compute_environment, computeEnvironment=managed)
    batch.update_compute_environment(computeEnvironment=managed, state="DISABLED")
    said = refused(batch.delete_compute_environment, computeEnvironment=managed)
    batch.update_compute_environment(computeEnvironment=managed, state="ENABLED")
    assert "existing JobQueue relationship" in said


def test_an_environment_without_a_role_gets_batchs_own_and_wants_as_many_vcpus_as_run(jobs: Any) -> None:
    made = jobs.batch.create_compute_environment(computeEnvironmentName=name(), type="UNMANAGED")
    arn = made["computeEnvironmentArn"]
    (shown,) = jobs.batch.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]
    assert "/aws-service-role/batch.amazonaws.com/" in shown["serviceRole"]
    (found,) = jobs.batch.describe_job_queues(jobQueues=[jobs.on_demand])["jobQueues"]
    managed = found["computeEnvironmentOrder"][0]["computeEnvironment"]

    def desired() -> int:
        (shown,) = jobs.batch.describe_compute_environments(computeEnvironments=[managed])["computeEnvironments"]
        return int(shown["computeResources"]["desiredvCpus"])

    assert desired() == 0
    job_id = jobs.running(jobs.define("desires", "wait", "600"), jobQueue=jobs.on_demand)
    assert desired() == 2, "one c7i.large"
    jobs.batch.terminate_job(jobId=job_id, reason="seen")
    jobs.ended(job_id)
    assert desired() == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"jobDefinitionName": "a b"}, "should match valid pattern"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60"),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}}, "evaluateOnExit needs one of"),
        ({"schedulingPriority": 10_000}, "between 0 and 9999"),
        ({"parameters": {"long": "x" * 25_000}}, "at most 24 KiB"),
        ({"ecsProperties": {"taskProperties": [{"containers": [{"image": "i"}]}]}}, "ecsProperties is not emulated"),
    ],
)
def test_definitions_that_aws_refuses(jobs: Any, refused: Callable[..., str], more: dict[str, Any], said: str) -> None:
    given = {"jobDefinitionName": "wrong", "type": "container", "containerProperties": jobs.container("show"), **more}
    assert said in refused(jobs.batch.register_job_definition, **given)


def test_definitions_are_found_by_name_revision_status_and_page(jobs: Any) -> None:
    batch, called = jobs.batch, name()
    arns = [jobs.define(called, "exit", str(number)) for number in range(3)]
    batch.deregister_job_definition(jobDefinition=f"{called}:1")
    pages = batch.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=called, status="ACTIVE", PaginationConfig={"PageSize": 1}
    )
    found = [[one["revision"] for one in page["jobDefinitions"]] for page in pages]
    assert found == [[3], [2]]
    (second,) = batch.describe_job_definitions(jobDefinitions=[f"{called}:2"])["jobDefinitions"]
    (first,) = batch.describe_job_definitions(jobDefinitions=[arns[0]])["jobDefinitions"]
    assert (second["jobDefinitionArn"], first["status"]) == (arns[1], "INACTIVE")


def test_a_definition_of_one_kind_may_be_followed_by_one_of_the_other(jobs: Any) -> None:
    called = name()
    jobs.define(called, "show")
    (shown,) = jobs.batch.describe_job_definitions(jobDefinitions=[jobs.define_nodes(called, 2, "show")])[
        "jobDefinitions"
    ]
    assert (shown["revision"], shown["type"]) == (2, "multinode")
    assert "containerProperties" not in shown


def test_tags_are_for_what_exists(jobs: Any, refused: Callable[..., str]) -> None:
    job_id = jobs.submit(jobs.define("tagged", "exit", "0"), tags={"team": "a"})
    arn = jobs.ended(job_id)["jobArn"]
    jobs.batch.tag_resource(resourceArn=arn, tags={"cost": "b"})
    assert jobs.batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a", "cost": "b"}
    jobs.batch.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert jobs.job(job_id)["tags"] == {"cost": "b"}
    assert "does not exist" in refused(jobs.batch.tag_resource, resourceArn=f"{arn}-not", tags={"a": "b"})


def test_list_jobs_takes_one_place_and_one_filter(jobs: Any, refused: Callable[..., str]) -> None:
    by_name = {"name": "JOB_NAME", "values": ["x"]}
    assert "one of jobQueue" in refused(jobs.batch.list_jobs)
    assert "only one filter" in refused(jobs.batch.list_jobs, jobQueue=jobs.queue, filters=[by_name, by_name])
    assert "do not apply" in refused(jobs.batch.list_jobs, arrayJobId="x", filters=[by_name])


def test_the_front_of_a_queue_is_shown_in_its_order(jobs: Any) -> None:
    stays = jobs.define("in-front", "show", vcpus="512")
    submitted = [jobs.submit(stays) for _ in range(3)]
    front = jobs.batch.get_job_queue_snapshot(jobQueue=jobs.queue)["frontOfQueue"]["jobs"]
    for job_id in submitted:
        jobs.batch.cancel_job(jobId=job_id, reason="seen")
    assert [one["jobArn"].rsplit("/", 1)[1] for one in front] == submitted


def test_a_stack_makes_changes_and_removes_a_consumable_resource(client: Any, jobs: Any) -> None:
    cloudformation, called = client("cloudformation"), name()
    properties = {"ConsumableResourceName": called, "TotalQuantity": 7, "ResourceType": "REPLENISHABLE"}

    def deploy(change: str) -> dict[str, Any]:
        template = {
            "Resources": {"Vms": {"Type": "AWS::Batch::ConsumableResource", "Properties": properties}},
            "Outputs": {"Free": {"Value": {"Fn::GetAtt": "Vms.AvailableQuantity"}}, "Arn": {"Value": {"Ref": "Vms"}}},
        }
        getattr(cloudformation, f"{change}_stack")(StackName=called, TemplateBody=json.dumps(template))
        waiter = cloudformation.get_waiter(f"stack_{change}_complete")
        waiter.wait(StackName=called, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        (stack,) = cloudformation.describe_stacks(StackName=called)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    outputs = deploy("create")
    assert outputs["Free"] == "7"
    properties["TotalQuantity"] = 9
    assert deploy("update") == {"Free": "9", "Arn": outputs["Arn"]}
    cloudformation.delete_stack(StackName=called)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=called, WaiterConfig={"Delay": 1})
    left = jobs.batch.list_consumable_resources(filters=[{"name": "CONSUMABLE_RESOURCE_NAME", "values": [called]}])
    assert left["consumableResources"] == []

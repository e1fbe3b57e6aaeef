"""Jobs that wait: for tokens, for room in an environment, for each other; arrays; and what EventBridge hears of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def tokens(jobs: Any) -> str:
    """A resource with one token."""
    made = jobs.batch.create_consumable_resource(
        consumableResourceName=f"token-{uuid.uuid4().hex[:8]}", totalQuantity=1, tags={"of": "parity"}
    )
    return str(made["consumableResourceName"])


def needing(resource: str) -> dict[str, Any]:
    return {"consumableResourceList": [{"consumableResource": resource, "quantity": 1}]}


def described(jobs: Any, resource: str) -> tuple[int, int, int]:
    found = jobs.batch.describe_consumable_resource(consumableResource=resource)
    return found["totalQuantity"], found["inUseQuantity"], found["availableQuantity"]


def test_a_token_lets_one_job_run_at_a_time(jobs: Any, probe: Any, tokens: str) -> None:
    definition = jobs.define("with-token", "wait", "600", consumableResourceProperties=needing(tokens))
    first = jobs.running(definition)
    second = jobs.submit(definition, containerOverrides={"command": ["exit", "0"]})
    probe.until(lambda: jobs.job(second).get("statusReason"))
    assert (jobs.job(second)["status"], described(jobs, tokens)) == ("RUNNABLE", (1, 1, 0))
    listed = jobs.batch.list_jobs_by_consumable_resource(consumableResource=tokens)["jobs"]
    assert [(one["jobArn"].rsplit("/", 1)[1], one["jobStatus"], one["quantity"]) for one in listed] == [
        (second, "RUNNABLE", 1),
        (first, "RUNNING", 1),
    ]
    jobs.batch.terminate_job(jobId=first, reason="enough")
    assert jobs.ended(second)["status"] == "SUCCEEDED"
    assert described(jobs, tokens) == (1, 0, 1)
    assert jobs.job(second)["consumableResourceProperties"] == needing(tokens)


def test_a_submission_may_ask_for_other_tokens_than_its_definition(jobs: Any, tokens: str) -> None:
    definition = jobs.define("no-token", "exit", "0", consumableResourceProperties=needing(tokens))
    override: dict[str, Any] = {"consumableResourceList": []}
    job = jobs.ended(jobs.submit(definition, consumableResourcePropertiesOverride=override))
    assert "consumableResourceProperties" not in job


def test_tokens_that_are_not_replenished_are_gone(jobs: Any, probe: Any) -> None:
    name = f"once-{uuid.uuid4().hex[:8]}"
    jobs.batch.create_consumable_resource(
        consumableResourceName=name, totalQuantity=1, resourceType="NON_REPLENISHABLE"
    )
    definition = jobs.define("once", "exit", "0", consumableResourceProperties=needing(name))
    jobs.ended(jobs.submit(definition))
    assert described(jobs, name) == (0, 0, 0)
    second = jobs.submit(definition)
    probe.until(lambda: jobs.job(second).get("statusReason"))
    jobs.batch.update_consumable_resource(consumableResource=name, operation="ADD", quantity=1)
    assert jobs.ended(second)["status"] == "SUCCEEDED"
    jobs.batch.delete_consumable_resource(consumableResource=name)


@pytest.fixture
def small(jobs: Any, client: Callable[..., Any]) -> str:
    """A queue whose first environment is full with one container of one vCPU; its second one is large."""
    batch = jobs.batch
    (found,) = batch.describe_job_queues(jobQueues=[jobs.on_demand])["jobQueues"]
    large = found["computeEnvironmentOrder"][0]["computeEnvironment"]
    (shown,) = batch.describe_compute_environments(computeEnvironments=[large])["computeEnvironments"]
    unique = uuid.uuid4().hex[:8]
    resources = {**shown["computeResources"], "maxvCpus": 1, "type": "FARGATE"}
    resources = {key: resources[key] for key in ("type", "maxvCpus", "subnets", "securityGroupIds")}
    for name in ("first", "second"):
        batch.create_compute_environment(
            computeEnvironmentName=f"{name}-{unique}",
            type="MANAGED",
            computeResources={**resources, "maxvCpus": 1 if name == "first" else 2},
            serviceRole=shown["serviceRole"],
        )
    order = [{"order": n, "computeEnvironment": f"{name}-{unique}"} for n, name in enumerate(("first", "second"))]
    made = batch.create_job_queue(jobQueueName=f"small-{unique}", priority=1, computeEnvironmentOrder=order)
    return str(made["jobQueueArn"])


def test_a_full_environment_is_passed_over_and_when_all_are_full_jobs_wait(jobs: Any, probe: Any, small: str) -> None:
    definition = jobs.define("fill", "wait", "600")
    running = [jobs.running(definition, jobQueue=small) for _ in range(3)]
    waiting = jobs.submit(definition, jobQueue=small, containerOverrides={"command": ["show"]})
    probe.until(lambda: jobs.job(waiting)["status"] == "RUNNABLE")
    jobs.batch.terminate_job(jobId=running[0], reason="room")
    job = jobs.ended(waiting)
    seen = json.loads(jobs.log(job["container"]["logStreamName"])[0])["environment"]["AWS_BATCH_CE_NAME"]
    for job_id in running[1:]:
        jobs.batch.terminate_job(jobId=job_id, reason="enough")
        jobs.ended(job_id)
    assert (job["status"], seen.partition("-")[0]) == ("SUCCEEDED", "first")


def test_the_share_with_the_lower_weight_goes_first(jobs: Any, probe: Any, small: str) -> None:
    """In a queue of one vCPU's room: who has used less, times the weight, is next, whoever came first."""
    unique = uuid.uuid4().hex[:8]
    (found,) = jobs.batch.describe_job_queues(jobQueues=[small])["jobQueues"]
    order = found["computeEnvironmentOrder"][:1]
    policy = jobs.batch.create_scheduling_policy(
        name=f"fair-{unique}",
        fairsharePolicy={"shareDistribution": [{"shareIdentifier": "light*", "weightFactor": 0.1}]},
    )["arn"]
    made = jobs.batch.create_job_queue(
        jobQueueName=f"fair-{unique}", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=policy
    )["jobQueueArn"]
    first = jobs.running(jobs.define("fair", "wait", "600"), jobQueue=made, shareIdentifier="heavy")
    definition = jobs.define("fair-too", "exit", "0")
    shares = ("heavy", "light1", "light1", "other")
    waiting = [jobs.submit(definition, jobQueue=made, shareIdentifier=share) for share in shares]
    front = jobs.batch.get_job_queue_snapshot(jobQueue=made)["frontOfQueue"]["jobs"]
    jobs.batch.terminate_job(jobId=first, reason="room")
    ended = [jobs.ended(job_id) for job_id in waiting]
    assert ended[1]["startedAt"] < ended[0]["startedAt"]
    heavy, light, second_light, other = waiting
    assert [one["jobArn"].rsplit("/", 1)[1] for one in front] == [light, other, second_light, heavy]


def test_the_children_of_an_array_are_jobs_of_their_own(jobs: Any) -> None:
    parent = jobs.ended(jobs.submit(jobs.define("array", "show"), arrayProperties={"size": 3}))
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]["SUCCEEDED"]) == ("SUCCEEDED", 3)
    listed = jobs.batch.list_jobs(arrayJobId=parent["jobId"], jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [one["arrayProperties"]["index"] for one in listed] == [0, 1, 2]
    seen = [json.loads(jobs.log(jobs.stream(one["jobId"]))[0])["environment"] for one in listed]
    assert [one["AWS_BATCH_JOB_ARRAY_INDEX"] for one in seen] == ["0", "1", "2"]
    assert [one["AWS_BATCH_JOB_ID"] for one in seen] == [f"{parent['jobId']}:{index}" for index in range(3)]


def test_a_sequential_array_goes_one_by_one_and_stops_at_the_first_failure(jobs: Any) -> None:
    definition = jobs.define("sequence", "exit", "3")
    job_id = jobs.submit(definition, arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}])
    parent = jobs.ended(job_id)
    children = [jobs.job(f"{job_id}:{index}") for index in range(3)]
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert [len(child["attempts"]) for child in children] == [1, 0, 0]
    assert children[2]["statusReason"] == "Dependent Job failed"


def test_each_child_may_wait_for_the_child_of_the_same_index(jobs: Any, probe: Any) -> None:
    first = jobs.submit(jobs.define("pairs", "wait", "600"), arrayProperties={"size": 2})
    second = jobs.submit(
        jobs.define("pairs-too", "exit", "0"),
        arrayProperties={"size": 2},
        dependsOn=[{"type": "N_TO_N", "jobId": first}],
    )
    probe.until(lambda: jobs.job(f"{first}:0")["status"] == jobs.job(f"{first}:1")["status"] == "RUNNING")
    assert jobs.job(f"{second}:0")["status"] == "PENDING"
    jobs.batch.terminate_job(jobId=f"{first}:0", reason="enough")
    assert jobs.ended(f"{second}:0")["statusReason"] == "Dependent Job failed"
    assert jobs.job(f"{second}:1")["status"] == "PENDING"
    jobs.batch.terminate_job(jobId=first, reason="all of it")
    assert jobs.ended(first)["statusReason"] == "all of it"
    assert jobs.ended(second)["arrayProperties"]["statusSummary"]["FAILED"] == 2


def test_the_nodes_of_a_job_are_listed_by_their_states(jobs: Any) -> None:
    overrides = {"nodePropertyOverrides": [{"targetNodes": "1:1", "containerOverrides": {"command": ["wait", "600"]}}]}
    definition = jobs.define_nodes("listed-nodes", 2, "wait", "0.5")
    job = jobs.ended(jobs.submit(definition, jobQueue=jobs.on_demand, nodeOverrides=overrides))
    assert jobs.batch.list_jobs(multiNodeJobId=job["jobId"])["jobSummaryList"] == []
    (child,) = jobs.batch.list_jobs(multiNodeJobId=job["jobId"], jobStatus="FAILED")["jobSummaryList"]
    assert child["jobId"] == f"{job['jobId']}#1"
    assert child["nodeProperties"] == {"isMainNode": False, "numNodes": 2, "nodeIndex": 1}
    assert child["container"]["exitCode"] == 75


@pytest.fixture
def heard(client: Callable[..., Any]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """`heard()`: all of Batch's events so far."""
    events, sqs, name = client("events"), client("sqs"), f"batch-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.batch"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    found: list[dict[str, Any]] = []

    def receive() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found.extend(json.loads(message["Body"]) for message in messages)
        return found

    yield receive
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


def test_every_new_state_is_an_event_that_holds_the_job(jobs: Any, probe: Any, heard: Any) -> None:
    job = jobs.ended(jobs.submit(jobs.define("told", "exit", "7")))
    probe.until(lambda: len(heard()) >= 5)
    mine = [event for event in heard() if event["resources"] == [job["jobArn"]]]
    # EventBridge keeps no order.
    by_status = {event["detail"]["status"]: event for event in mine}
    assert set(by_status) == {"SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "FAILED"}
    assert {event["detail-type"] for event in mine} == {"Batch Job State Change"}
    assert by_status["FAILED"]["detail"] == job
    assert by_status["SUBMITTED"]["detail"]["attempts"] == []


def test_a_job_that_blocks_its_queue_is_an_event_of_the_queue(jobs: Any, probe: Any, heard: Any) -> None:
    job_id = jobs.submit(jobs.define("blocks", "show", vcpus="512"))
    probe.until(lambda: any(event["detail-type"] == "Batch Job Queue Blocked" for event in heard()))
    (event,) = [event for event in heard() if event["detail-type"] == "Batch Job Queue Blocked"]
    jobs.batch.cancel_job(jobId=job_id, reason="seen")
    assert event["resources"] == [jobs.job(job_id)["jobArn"], jobs.queue]
    assert event["detail"]["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")

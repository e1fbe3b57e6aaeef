"""Machines as the product writes them: JSONata, optimised integrations, ends that leave nothing behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

TABLE = "parity-machines"
WAIT = {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}


@pytest.fixture(scope="module")
def table(client: Callable[..., Any]) -> str:
    client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return TABLE


def job_task(jobs: Any, definition: str, **more: Any) -> dict[str, Any]:
    arguments = {"JobName": "from-a-machine", "JobQueue": jobs.queue, "JobDefinition": definition, **more}
    return {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "Arguments": arguments, "End": True}


def child_task(machine: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": machine, **more},
        "End": True,
    }


def test_the_context_has_what_a_claim_needs(machines: Any) -> None:
    execution = machines.ended(
        machines.start(
            machines.create({"A": {"Type": "Pass", "Output": "{% $states.context %}", "End": True}}),
            {"text": 'a"b\\c\n'},
            name="by-name",
        )
    )
    context = json.loads(execution["output"])
    assert context["Execution"]["Id"] == execution["executionArn"]
    assert context["Execution"]["Input"] == {"text": 'a"b\\c\n'}
    assert (context["Execution"]["Name"], context["Execution"]["RedriveCount"]) == ("by-name", 0)
    assert context["Execution"]["StartTime"].endswith("Z")


def test_a_conditional_put_fails_under_the_name_a_catch_expects(machines: Any, table: str) -> None:
    states = {
        "Put": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Arguments": {
                "TableName": table,
                "Item": {"k": {"S": "{% $states.input.k %}"}},
                "ConditionExpression": "attribute_not_exists(k)",
            },
            "Output": "put",
            "Catch": [
                {
                    "ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"],
                    "Assign": {"seen": "{% $states.errorOutput.Error %}"},
                    "Output": "{% $states.input %}",
                    "Next": "Conflict",
                }
            ],
            "End": True,
        },
        "Conflict": {"Type": "Pass", "Output": "{% $seen & ' ' & $states.input.k %}", "End": True},
    }
    assert machines.run(states, {"k": "one"})["output"] == '"put"'
    assert machines.run(states, {"k": "one"})["output"] == '"DynamoDB.ConditionalCheckFailedException one"'


def test_a_job_is_waited_for_and_its_overrides_arrive(machines: Any, jobs: Any) -> None:
    task = job_task(
        jobs,
        jobs.define("machine-show", "show"),
        ContainerOverrides={"Environment": [{"Name": "TEAM", "Value": "{% $states.input.team %}"}]},
        Tags={"team": "{% $states.input.team %}"},
    )
    output = json.loads(machines.run({"Run": task}, {"team": 'qu"ote'})["output"])
    seen = json.loads(jobs.log(output["Container"]["LogStreamName"])[0])
    assert (output["Status"], output["Tags"]) == ("SUCCEEDED", {"team": 'qu"ote'})
    assert (seen["environment"]["TEAM"], seen["environment"]["MANAGED_BY_AWS"]) == (
        'qu"ote',
        "STARTED_BY_STEP_FUNCTIONS",
    )


def test_node_overrides_reach_a_gang(machines: Any, jobs: Any) -> None:
    more = {"JobQueue": jobs.on_demand, "NodeOverrides": {"NumNodes": 2}}
    task = job_task(jobs, jobs.define_nodes("machine-gang", 3, "show"), **more)
    output = json.loads(machines.run({"Run": task})["output"])
    assert output["NodeProperties"]["NumNodes"] == 2


def test_a_failed_job_is_a_failed_task_with_the_job_in_its_cause(machines: Any, jobs: Any) -> None:
    execution = machines.run({"Run": job_task(jobs, jobs.define("machine-fail", "exit", "65"))})
    assert execution["error"] == "States.TaskFailed"
    assert json.loads(execution["cause"])["Attempts"][0]["Container"]["ExitCode"] == 65


def test_a_stop_keeps_its_reason_and_terminates_the_job(machines: Any, jobs: Any, probe: Any) -> None:
    execution = machines.start(machines.create({"Run": job_task(jobs, jobs.define("machine-stop", "wait", "600"))}))
    found = probe.until(
        lambda: [job for job in running(jobs) if job["jobDefinition"].split("/")[1] == "machine-stop:1"]
    )
    machines.api.stop_execution(executionArn=execution, error="Enough", cause="of it")
    stopped = machines.api.describe_execution(executionArn=execution)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "of it")
    assert jobs.ended(found[0]["jobId"])["isTerminated"]
    assert machines.events(execution)[-1] == "ExecutionAborted"


def running(jobs: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = jobs.batch.list_jobs(jobQueue=jobs.queue, jobStatus="RUNNING")["jobSummaryList"]
    return found


def test_a_machine_that_times_out_says_so_and_terminates_the_job(machines: Any, jobs: Any, probe: Any) -> None:
    task = job_task(jobs, jobs.define("machine-late", "wait", "600"))
    execution = machines.ended(machines.start(machines.create({"Run": task}, TimeoutSeconds=1)))
    assert execution["status"] == "TIMED_OUT"
    assert machines.events(execution["executionArn"])[-1] == "ExecutionTimedOut"
    probe.until(lambda: not [job for job in running(jobs) if "machine-late" in job["jobDefinition"]])


def test_a_child_of_the_same_name_is_the_same_execution_while_it_runs(machines: Any) -> None:
    child = machines.create(WAIT)
    parent = machines.create({"Start": child_task(child, Name="only-one", Input={"a": 1})})
    ends = [machines.ended(execution) for execution in [machines.start(parent), machines.start(parent)]]
    arns = {json.loads(end["output"])["ExecutionArn"] for end in ends}
    assert len(arns) == 1
    assert json.loads(ends[0]["output"])["Output"] == {"a": 1}
    again = machines.ended(machines.start(parent))
    assert again["error"] == "StepFunctions.ExecutionAlreadyExistsException"


def test_a_failed_child_tells_error_and_cause_as_json(machines: Any) -> None:
    child = machines.create({"No": {"Type": "Fail", "Error": "Boom", "Cause": 'said "no"'}})
    states = {
        "Map": {
            "Type": "Map",
            "Items": [1],
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Start",
                "States": {"Start": child_task(child, Input={})},
            },
            "Catch": [
                {
                    "ErrorEquals": ["States.TaskFailed"],
                    "Output": "{% $parse($states.errorOutput.Cause) %}",
                    "Next": "Caught",
                }
            ],
            "End": True,
        },
        "Caught": {"Type": "Pass", "End": True},
    }
    cause = json.loads(machines.run(states)["output"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "Boom", 'said "no"')
    assert cause["ExecutionArn"].startswith("arn:aws:states:")


def test_an_event_that_the_bus_refuses_fails_the_task(machines: Any) -> None:
    entry = {"Detail": "not json", "DetailType": "T", "Source": "turbine"}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::events:putEvents",
        "Arguments": {"Entries": [entry]},
        "End": True,
    }
    execution = machines.run({"Put": task})
    assert (execution["status"], execution["error"]) == ("FAILED", "EventBridge.FailedEntry")


def test_undefined_fails_the_state_once(machines: Any) -> None:
    states = {
        "Get": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:getItem",
            "Arguments": {"TableName": "{% $states.input.nowhere %}", "Key": {}},
            "End": True,
        }
    }
    execution = machines.run(states)
    assert execution["error"] == "States.QueryEvaluationError"
    assert machines.events(execution["executionArn"]).count("EvaluationFailed") == 1


def test_an_argument_that_an_integration_does_not_take_is_named(machines: Any) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    with pytest.raises(ClientError, match="'Functon' is not supported"):
        machines.create({"Call": {**task, "Arguments": {"Functon": "f"}}})
    computed = {**task, "Arguments": "{% {'Functon': 'f'} %}"}
    assert "'Functon' is not supported" in machines.run({"Call": computed})["cause"]


def test_the_sdk_integrations_name_errors_as_aws_does(machines: Any) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "no-such-bucket-here", "Key": "k"},
        "End": True,
    }
    assert machines.run({"Get": task})["error"] == "S3.NoSuchBucketException"


def test_a_state_that_times_out_writes_nothing_into_the_history_afterwards(machines: Any) -> None:
    task = child_task(machines.create({"Wait": {"Type": "Wait", "Seconds": 2, "End": True}}), Input={})
    task |= {"TimeoutSeconds": 1, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Stay"}]}
    execution = machines.run({"Start": task, "Stay": {"Type": "Wait", "Seconds": 2, "End": True}})
    assert execution["status"] == "SUCCEEDED"
    assert "TaskSucceeded" not in machines.events(execution["executionArn"])


def test_history_has_pages_and_both_orders(machines: Any) -> None:
    execution = machines.ended(machines.start(machines.create({"A": {"Type": "Pass", "End": True}})))["executionArn"]
    newest = machines.api.get_execution_history(executionArn=execution, maxResults=1, reverseOrder=True)
    assert [event["type"] for event in newest["events"]] == ["ExecutionSucceeded"]
    following = machines.api.get_execution_history(
        executionArn=execution, maxResults=1, reverseOrder=True, nextToken=newest["nextToken"]
    )
    assert [event["type"] for event in following["events"]] == ["PassStateExited"]


def test_executions_are_listed_by_status(machines: Any) -> None:
    machine = machines.create({"Fail": {"Type": "Fail"}})
    execution = machines.ended(machines.start(machine))["executionArn"]
    failed = machines.api.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
    assert [item["executionArn"] for item in failed] == [execution]
    assert machines.api.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"] == []


def test_a_redrive_resumes_at_the_failed_state_with_its_input_and_variables(
    machines: Any, client: Callable[..., Any]
) -> None:
    states = {
        "First": {"Type": "Pass", "Assign": {"kept": "variable"}, "Output": {"k": "input"}, "Next": "Second"},
        "Second": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Arguments": {"TableName": "made-later", "Item": {"k": {"S": "{% $states.input.k & $kept %}"}}},
            "Output": "{% $states.context.Execution.RedriveCount %}",
            "End": True,
        },
    }
    failed = machines.run(states)
    assert failed["redriveStatus"] == "REDRIVABLE"
    client("dynamodb").create_table(
        TableName="made-later",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    machines.api.redrive_execution(executionArn=failed["executionArn"])
    execution = machines.ended(failed["executionArn"])
    assert (execution["status"], execution["output"], execution["redriveCount"]) == ("SUCCEEDED", "1", 1)
    assert client("dynamodb").scan(TableName="made-later")["Items"] == [{"k": {"S": "inputvariable"}}]
    events = machines.events(failed["executionArn"])
    assert events.count("PassStateEntered") == 1
    assert "ExecutionRedriven" in events
    with pytest.raises(ClientError, match="cannot be redriven"):
        machines.api.redrive_execution(executionArn=failed["executionArn"])


def test_status_events_tell_start_and_end(machines: Any, client: Callable[..., Any], probe: Any) -> None:
    queue = client("sqs").create_queue(QueueName="status-events")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    machine = machines.create({"Fail": {"Type": "Fail", "Error": "E", "Cause": "C"}})
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    client("events").put_rule(Name="status-events", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="status-events", Targets=[{"Id": "1", "Arn": arn}])
    execution = machines.ended(machines.start(machine, {"a": 1}))
    received: dict[str, dict[str, Any]] = {}

    def both() -> bool:
        for message in client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            received[detail["status"]] = detail
        return len(received) == 2

    probe.until(both)
    assert received["RUNNING"]["stopDate"] is None
    failed = received["FAILED"]
    assert (failed["error"], failed["cause"], failed["input"]) == ("E", "C", '{"a": 1}')
    assert failed["executionArn"] == execution["executionArn"]
    assert failed["stopDate"] >= failed["startDate"] > time.time() * 1000 - 600_000


def test_a_refused_definition_does_not_spoil_the_next_one(machines: Any) -> None:
    with pytest.raises(ClientError, match="InvalidDefinition"):
        machines.create({"A": {"Type": "Pass", "Parameters": {"x": 1}, "End": True}})
    assert machines.run({"A": {"Type": "Pass", "Output": "{% 1 %}", "End": True}})["output"] == "1"


def test_an_execution_can_be_stopped_the_moment_it_is_started(machines: Any) -> None:
    machine = machines.create({"Wait": {"Type": "Wait", "Seconds": 30, "End": True}})
    for _ in range(5):
        execution = machines.start(machine)
        machines.api.stop_execution(executionArn=execution, cause="at once")
        stopped = machines.api.describe_execution(executionArn=execution)
        assert (stopped["status"], stopped.get("cause")) == ("ABORTED", "at once")

"""What an execution does when things fail, and what the API refuses, in a running cloud."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/machine"
PASS = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
LONG_WAIT = {"Type": "Wait", "Seconds": 600, "End": True}
CATCH_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]

Execution = dict[str, Any]


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def distributed(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    mode = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return machine(Items={"Type": "Map", "ItemProcessor": {**mode, **processor}, "End": True, **fields})


FAILING_ABOVE_2 = machine(
    Look={"Type": "Choice", "Choices": [{"Variable": "$", "NumericGreaterThan": 2, "Next": "No"}], "Default": "Yes"},
    Yes=PASS,
    No=FAIL,
)


@pytest.fixture(scope="module")
def states(client: Callable[..., Any]) -> Any:
    return client("stepfunctions")


@pytest.fixture(scope="module")
def create(states: Any) -> Callable[..., str]:
    def create_machine(definition: dict[str, Any]) -> str:
        name = f"machine-{uuid.uuid4().hex}"
        made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return str(made["stateMachineArn"])

    return create_machine


@pytest.fixture(scope="module")
def run(states: Any, create: Callable[..., str], wait_until: Callable[..., Any]) -> Callable[..., Execution]:
    """Run a definition to its end: what DescribeExecution says, with the types of its events."""

    def run_machine(definition: dict[str, Any], value: Any = None) -> Execution:
        text = json.dumps({} if value is None else value)
        arn = states.start_execution(stateMachineArn=create(definition), input=text)["executionArn"]

        def ended() -> Execution | None:
            shown: Execution = states.describe_execution(executionArn=arn)
            return shown if shown["status"] != "RUNNING" else None

        found: Execution = wait_until(ended, limit_s=300)
        return found | {"types": event_types(states, arn)}

    return run_machine


def event_types(states: Any, arn: str) -> list[str]:
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn, maxResults=1000)
    return [event["type"] for page in pages for event in page["events"]]


def waiting_task(client: Callable[..., Any], **fields: Any) -> dict[str, Any]:
    """A Task that waits until somebody answers its token."""
    url = client("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    body = {"token.$": "$$.Task.Token"}
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody": body},
        "End": True,
        **fields,
    }


def test_a_failed_branch_aborts_the_states_of_the_others(
    run: Callable[..., Execution], client: Callable[..., Any]
) -> None:
    slow_failure = machine(First={"Type": "Wait", "Seconds": 1, "Next": "Second"}, Second=FAIL)
    branches = [machine(Long=LONG_WAIT), machine(Token=waiting_task(client)), slow_failure]
    found = run(machine(All={"Type": "Parallel", "Branches": branches, "End": True}))
    assert (found["status"], found["error"]) == ("FAILED", "Broken")
    assert found["types"][-2:] == ["ParallelStateFailed", "ExecutionFailed"]
    assert sorted(found["types"][-4:-2]) == ["TaskStateAborted", "WaitStateAborted"]


def test_a_failed_item_aborts_the_others(run: Callable[..., Execution]) -> None:
    look = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Soon"}], "Default": "Long"}
    processor = machine(Look=look, Long=LONG_WAIT, Soon={"Type": "Wait", "Seconds": 1, "Next": "No"}, No=FAIL)
    found = run(machine(Items={"Type": "Map", "ItemProcessor": processor, "End": True}), [1, 2])
    assert found["types"][-5:] == [
        "MapIterationFailed",
        "WaitStateAborted",
        "MapIterationAborted",
        "MapStateFailed",
        "ExecutionFailed",
    ]


@pytest.mark.parametrize("holder", ["Parallel", "Map"])
def test_a_runtime_error_ends_the_execution_past_every_catch(run: Callable[..., Execution], holder: str) -> None:
    inner = machine(Inner={"Type": "Pass", "Parameters": {"a.$": "$.nothing"}, "End": True})
    held = {"Branches": [inner]} if holder == "Parallel" else {"ItemProcessor": inner}
    found = run(machine(Outer={"Type": holder, **held, "Catch": CATCH_ALL, "End": True}, Caught=PASS), [{}])
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert found["types"][-2:] == ["PassStateEntered", "ExecutionFailed"]
    assert found["cause"].count("An error occurred while executing the state 'Inner'") == 1


def test_more_items_one_after_the_other_than_a_stack_is_deep(run: Callable[..., Execution]) -> None:
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": machine(Item=PASS), "End": True}
    found = run(machine(Items=items), list(range(1100)))
    assert json.loads(found["output"]) == list(range(1100))


@pytest.mark.parametrize(
    ("tolerance", "status"),
    [
        ({}, "FAILED"),
        ({"ToleratedFailureCount": 1}, "FAILED"),
        ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 49}, "FAILED"),
        ({"ToleratedFailurePercentage": 50}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 100, "ToleratedFailureCount": 1}, "FAILED"),
    ],
)
def test_a_map_run_tolerates_so_many_failures(
    run: Callable[..., Execution], tolerance: dict[str, Any], status: str
) -> None:
    found = run(distributed(FAILING_ABOVE_2, **tolerance), [1, 2, 3, 4])
    assert found["status"] == status
    assert found.get("error") == (None if status == "SUCCEEDED" else "States.ExceedToleratedFailureThreshold")
    assert ("MapRunFailed" in found["types"]) is (status == "FAILED")


def test_a_tolerated_failure_is_shown_in_its_place(run: Callable[..., Execution]) -> None:
    output = json.loads(run(distributed(FAILING_ABOVE_2, ToleratedFailureCount=1), [1, 3, 2])["output"])
    assert (output[0], output[2]) == (1, 2)
    assert (output[1]["Status"], output[1]["Error"], output[1]["Input"]) == ("FAILED", "Broken", "3")


@pytest.mark.parametrize(
    ("transformation", "expected"), [("COMPACT", [[1, 2], 3]), ("FLATTEN", [1, 2, 3]), ("NONE", ["[1,2]", "3"])]
)
def test_outputs_of_a_map_run_can_be_transformed(
    run: Callable[..., Execution], transformation: str, expected: list[Any]
) -> None:
    writer = {"WriterConfig": {"Transformation": transformation, "OutputType": "JSON"}}
    output = json.loads(run(distributed(machine(Item=PASS), ResultWriter=writer), [[1, 2], 3])["output"])
    assert (output if transformation != "NONE" else [item["Output"] for item in output]) == expected


def test_a_map_run_reads_batches_and_writes_its_results(
    run: Callable[..., Execution], client: Callable[..., Any], states: Any
) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="map-run")
    s3.put_object(Bucket="map-run", Key="items.csv", Body="n|s\n1|a\n2|b\n3|c\n")
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": "PIPE"},
        "Parameters": {"Bucket": "map-run", "Key": "items.csv"},
    }
    found = run(
        distributed(
            machine(Batch=PASS),
            ItemReader=reader,
            ItemSelector={"number.$": "$$.Map.Item.Value.n"},
            ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"from.$": "$.source"}},
            ResultWriter={
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "map-run", "Prefix": "out"},
                "WriterConfig": {"OutputType": "JSONL"},
            },
        ),
        {"source": "test"},
    )
    output = json.loads(found["output"])
    manifest = json.loads(s3.get_object(**output["ResultWriterDetails"])["Body"].read())
    (written,) = manifest["ResultFiles"]["SUCCEEDED"]
    text = s3.get_object(Bucket="map-run", Key=written["Key"])["Body"].read().decode()
    results = [json.loads(line) for line in text.splitlines()]
    assert [json.loads(result["Output"]) for result in results] == [
        {"BatchInput": {"from": "test"}, "Items": [{"number": "1"}, {"number": "2"}]},
        {"BatchInput": {"from": "test"}, "Items": [{"number": "3"}]},
    ]
    described = states.describe_map_run(mapRunArn=output["MapRunArn"])
    assert (described["status"], described["itemCounts"]["succeeded"]) == ("SUCCEEDED", 2)


def test_items_that_cannot_be_read_can_be_caught(run: Callable[..., Execution]) -> None:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "no-such-bucket", "Key": "x"}}
    definition = distributed(machine(Item=PASS), ItemReader={**reader, "ReaderConfig": {"InputType": "JSON"}})
    definition["States"]["Items"]["Catch"] = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Caught"}]
    definition["States"]["Caught"] = PASS
    assert json.loads(run(definition)["output"])["Error"] == "States.ItemReaderFailed"


def test_a_part_of_a_definition_that_is_not_emulated_is_refused_by_name(create: Callable[..., str]) -> None:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "MANIFEST"}}
    with pytest.raises(ClientError, match="The InputType MANIFEST is not emulated"):
        create(distributed(machine(Item=PASS), ItemReader=reader))


def test_variables_change_when_the_state_ends(run: Callable[..., Execution]) -> None:
    first = {"Type": "Pass", "Assign": {"x": 1}, "Next": "Second"}
    second = {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}"}, "Output": "{% $x %}", "Next": "Third"}
    third = {"Type": "Pass", "Output": "{% [$states.input, $x] %}", "End": True}
    found = run({"QueryLanguage": "JSONata", **machine(First=first, Second=second, Third=third)})
    assert json.loads(found["output"]) == [1, 2]


def test_a_rule_that_leads_where_the_default_does_is_still_that_rule(run: Callable[..., Execution]) -> None:
    rule = {"Condition": "{% true %}", "Next": "End", "Output": "rule"}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "End", "Output": "default"}
    assert run({"QueryLanguage": "JSONata", **machine(Choose=choice, End=PASS)})["output"] == '"rule"'


def test_a_choice_without_a_way_out(run: Callable[..., Execution]) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "End"}]}
    assert run(machine(Choose=choice, End=PASS), {"a": 2})["error"] == "States.NoChoiceMatched"
    assert run(machine(Choose=choice, End=PASS), {"b": 2})["error"] == "States.Runtime"


@pytest.mark.parametrize("name", ["States.Timeout", "States.HeartbeatTimeout", "States.ALL"])
def test_a_heartbeat_that_stays_away_is_a_timeout(
    run: Callable[..., Execution], client: Callable[..., Any], name: str
) -> None:
    task = waiting_task(client, HeartbeatSeconds=1, TimeoutSeconds=60)
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Wrong"}, {"ErrorEquals": [name], "Next": "Caught"}]
    found = run(machine(Task={**task, "Catch": catch}, Caught=PASS, Wrong=FAIL))
    assert (found["status"], json.loads(found["output"])["Error"]) == ("SUCCEEDED", "States.Timeout")
    assert "TaskTimedOut" in found["types"]


def test_payloads_have_a_largest_size(run: Callable[..., Execution], create: Callable[..., str], states: Any) -> None:
    half = "x" * 140_000
    doubled = {"a.$": "$", "b.$": "$"}
    assert (
        run(machine(Grow={"Type": "Pass", "Parameters": doubled, "End": True}), half)["error"]
        == "States.DataLimitExceeded"
    )
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets",
        "Parameters": doubled,
        "Catch": CATCH_ALL,
    }
    assert run(machine(Call={**task, "End": True}, Caught=PASS), half)["error"] == "States.DataLimitExceeded"
    with pytest.raises(ClientError, match="less than or equal to 262144"):
        states.start_execution(stateMachineArn=create(machine(A=PASS)), input=json.dumps("x" * 262_143))


@pytest.mark.parametrize("holder", ["Parallel", "Map", "Distributed"])
def test_a_stop_ends_all_that_is_within(
    create: Callable[..., str], states: Any, wait_until: Callable[..., Any], holder: str
) -> None:
    inner = machine(Long=LONG_WAIT)
    definition = {
        "Parallel": machine(All={"Type": "Parallel", "Branches": [inner], "End": True}),
        "Map": machine(All={"Type": "Map", "ItemProcessor": inner, "End": True}),
        "Distributed": distributed(inner),
    }[holder]
    arn = states.start_execution(stateMachineArn=create(definition), input="[1, 2]")["executionArn"]
    begun = "MapRunStarted" if holder == "Distributed" else "WaitStateEntered"
    wait_until(lambda: begun in event_types(states, arn))
    states.stop_execution(executionArn=arn)
    types = event_types(states, arn)
    assert (types[-1], types.count("ExecutionAborted")) == ("ExecutionAborted", 1)
    if holder == "Distributed":
        (run_shown,) = states.list_map_runs(executionArn=arn)["mapRuns"]
        wait_until(lambda: states.describe_map_run(mapRunArn=run_shown["mapRunArn"])["status"] == "ABORTED")


def test_an_execution_ends_with_its_25000th_event(run: Callable[..., Execution]) -> None:
    again = {"Type": "Choice", "Choices": [{"Variable": "$.go", "IsPresent": True, "Next": "Turn"}], "Default": "End"}
    found = run(machine(Turn={"Type": "Pass", "Next": "Again"}, Again=again, End=PASS), {"go": True})
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert (len(found["types"]), found["types"][-1]) == (25_000, "ExecutionFailed")


def test_one_name_is_one_execution(create: Callable[..., str], states: Any, wait_until: Callable[..., Any]) -> None:
    arn = create(machine(Long=LONG_WAIT))
    first = states.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=arn, name="same", input='{"a": 2}')
    states.stop_execution(executionArn=first["executionArn"], error="Enough", cause="of it")
    ended = states.describe_execution(executionArn=first["executionArn"])
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Enough", "of it")
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=arn, name="same", input='{"a": 1}')


def test_an_execution_keeps_the_definition_that_it_started_with(
    create: Callable[..., str], states: Any, wait_until: Callable[..., Any]
) -> None:
    machine_arn = create(machine(Waiting=LONG_WAIT))
    running = states.start_execution(stateMachineArn=machine_arn)["executionArn"]
    states.update_state_machine(stateMachineArn=machine_arn, definition=json.dumps(machine(Failing=FAIL)))
    failed = states.start_execution(stateMachineArn=machine_arn)["executionArn"]
    wait_until(lambda: states.describe_execution(executionArn=failed)["status"] == "FAILED")
    states.update_state_machine(stateMachineArn=machine_arn, definition=json.dumps(machine(Passing=PASS)))

    def definition(arn: str) -> Any:
        return json.loads(states.describe_state_machine_for_execution(executionArn=arn)["definition"])

    assert [definition(running), definition(failed)] == [machine(Waiting=LONG_WAIT), machine(Failing=FAIL)]
    assert states.describe_execution(executionArn=running)["status"] == "RUNNING"
    states.redrive_execution(executionArn=failed)
    redriven = wait_until(
        lambda: (one := states.describe_execution(executionArn=failed))["status"] != "RUNNING" and one
    )
    assert (redriven["status"], redriven["error"]) == ("FAILED", "Broken")
    states.stop_execution(executionArn=running)


def test_refused_definitions_leave_nothing_behind_for_others(create: Callable[..., str]) -> None:
    good = {"QueryLanguage": "JSONata", **machine(A={**PASS, "Output": "{% 1 %}"})}
    nested = machine(M={"Type": "Map", "ItemProcessor": machine(I={**PASS, "QueryLanguage": "JSONata"}), "End": True})
    bad = {"QueryLanguage": "JSONata", **machine(A={**PASS, "QueryLanguage": "JSONPath"})}

    def try_one(index: int) -> str:
        try:
            create({**(good, nested, bad)[index % 3], "Comment": str(index)})
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(try_one, range(60)))
    assert found == ["created", "created", "InvalidDefinition"] * 20


def test_a_definition_can_be_validated(states: Any) -> None:
    broken = json.dumps(machine(A={"Type": "Pass", "Next": "B"}, C=PASS))
    answer = states.validate_state_machine_definition(definition=broken, maxResults=1)
    assert (answer["result"], answer["truncated"]) == ("FAIL", True)
    assert answer["diagnostics"] == [
        {
            "severity": "ERROR",
            "code": "MISSING_TRANSITION_TARGET",
            "message": "Missing 'Next' target: B",
            "location": "/States/A/Next",
        }
    ]
    assert states.validate_state_machine_definition(definition=json.dumps(machine(A=PASS)))["result"] == "OK"


@pytest.fixture(scope="module")
def try_state(cloud: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """TestState; its host prefix does not resolve on a laptop, so the client must not add it."""
    make: Any = boto3.session.Session().client
    states = make(
        "stepfunctions",
        region_name=cloud["region"],
        endpoint_url=cloud["endpoint"],
        aws_access_key_id=f"LOCALKEY{cloud['account_id']}",
        aws_secret_access_key=cloud["secret_access_key"],
        config=Config(inject_host_prefix=False, retries={"max_attempts": 0}),
    )

    def run_state(state: dict[str, Any], value: Any = None, **parameters: Any) -> dict[str, Any]:
        text = json.dumps({} if value is None else value)
        answer = states.test_state(definition=json.dumps(state), roleArn=ROLE, input=text, **parameters)
        return {key: item for key, item in answer.items() if key not in ("ResponseMetadata", "cause")}

    return run_state


MISSING_OBJECT = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
    "Parameters": {"Bucket": "no-such-bucket", "Key": "x"},
    "Next": "After",
}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Type": "Pass", "Result": 1, "Next": "B"}, {"status": "SUCCEEDED", "output": "1", "nextState": "B"}),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "X"}], "Default": "Y"},
            {"status": "SUCCEEDED", "output": "{}", "nextState": "Y"},
        ),
        ({"Type": "Wait", "Seconds": 0, "End": True}, {"status": "SUCCEEDED", "output": "{}"}),
        ({"Type": "Succeed"}, {"status": "SUCCEEDED", "output": "{}"}),
        (FAIL, {"status": "FAILED", "error": "Broken"}),
        (MISSING_OBJECT, {"status": "FAILED", "error": "S3.NoSuchBucketException"}),
        (
            {**MISSING_OBJECT, "Retry": [{"ErrorEquals": ["States.TaskFailed"]}]},
            {"status": "RETRIABLE", "error": "S3.NoSuchBucketException"},
        ),
        (
            {**MISSING_OBJECT, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H", "ResultPath": None}]},
            {"status": "CAUGHT_ERROR", "error": "S3.NoSuchBucketException", "output": "{}", "nextState": "H"},
        ),
    ],
)
def test_a_single_state_can_be_tested(
    try_state: Callable[..., dict[str, Any]], state: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert try_state(state) == expected


def test_variables_are_given_to_a_tested_state(try_state: Callable[..., dict[str, Any]]) -> None:
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $x + 1 %}", "End": True}
    assert try_state(state, variables='{"x": 1}')["output"] == "2"


@pytest.mark.parametrize(
    ("state", "parameters", "reason"),
    [
        ({"Type": "Map", "ItemProcessor": machine(A=PASS), "End": True}, {}, "is not emulated for a Map state"),
        (
            {**MISSING_OBJECT, "Resource": "arn:aws:states:::batch:submitJob.sync"},
            {},
            "does not run arn:aws:states:::batch",
        ),
        (PASS, {"inspectionLevel": "DEBUG"}, "inspectionLevel INFO only"),
        ({"Type": "Pass", "Nonsense": 1}, {}, "Field is not supported"),
    ],
)
def test_what_cannot_be_tested_alone_is_refused(
    try_state: Callable[..., dict[str, Any]], state: dict[str, Any], parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        try_state(state, **parameters)

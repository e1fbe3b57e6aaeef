"""Lambda functions run as on AWS: isolated, limited in time, logged, tried again."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_cloud.lambda_runtime.built_archives import FOREIGN, distribution, zipped

Client = Callable[..., Any]
Wait = Callable[..., Any]

HANDLER = '''
import json, logging, os, subprocess, sys, time
import shared

calls = 0

class BadManifestError(ValueError):
    """The manifest is bad."""

def handler(event, context):
    global calls
    calls += 1
    what = event.get("do")
    print("doing", what)
    if what == "raise":
        raise BadManifestError("no team")
    if what == "sleep":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        time.sleep(60)
    if what == "exit":
        os._exit(3)
    if what == "import":
        __import__(event["module"])
    if what == "set":
        return {1, 2}
    return {
        "answer": shared.ANSWER,
        "calls": calls,
        "environment": dict(os.environ),
        "path": sys.path,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
    }
'''


@pytest.fixture(scope="module")
def role(client: Client) -> str:
    name = f"role-{uuid.uuid4().hex[:8]}"
    return str(client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"])


@pytest.fixture(scope="module")
def layer(client: Client) -> str:
    return str(
        client("lambda").publish_layer_version(
            LayerName="shared", Content={"ZipFile": zipped({"python/shared.py": "ANSWER = 42"})}
        )["LayerVersionArn"]
    )


@pytest.fixture
def function(client: Client, role: str, layer: str) -> str:
    name = f"function-{uuid.uuid4().hex[:8]}"
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped({"app.py": HANDLER})},
        Layers=[layer],
        Timeout=2,
        MemorySize=256,
        Environment={"Variables": {"TABLE_NAME": "t"}},
    )
    return name


def invoke(client: Client, name: str, **event: Any) -> tuple[Any, str | None]:
    reply = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(reply["Payload"].read()), reply.get("FunctionError")


def logged(client: Client, name: str) -> list[str]:
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def test_a_function_sees_its_layer_its_variables_and_nothing_of_this_checkout(
    client: Client, cloud: dict[str, Any], function: str
) -> None:
    answer, error = invoke(client, function)
    assert error is None
    assert answer["answer"] == 42
    environment = answer["environment"]
    assert environment["TABLE_NAME"] == "t"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == function
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environment["AWS_ENDPOINT_URL"] == cloud["endpoint"]
    assert environment["HOME"].startswith(str(cloud["state_dir"]))
    assert "PYTHONPATH" not in environment
    assert 0 < answer["remaining_ms"] <= 2000
    assert answer["arn"].endswith(f":function:{function}")
    for module in ("local_cloud", "turbine", "cli"):
        answer, error = invoke(client, function, do="import", module=module)
        assert (error, answer["errorType"]) == ("Unhandled", "ModuleNotFoundError")


def test_an_archive_for_another_machine_runs_with_what_it_brought_and_no_more(client: Client, role: str) -> None:
    handler = (
        "import yaml\n\ndef handler(event, _):\n    __import__(event['module'])\n    return yaml.safe_load('a: 1')\n"
    )
    theirs = {"yaml/__init__.py": "raise ImportError('for another machine')"}
    for version, name in ((importlib.metadata.version("pyyaml"), "built"), ("0.1", "other")):
        archive = zipped({"app.py": handler}, distribution("pyyaml", version, theirs, FOREIGN))
        client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": archive},
            Timeout=60,
        )
    assert invoke(client, "built", module="jmespath") == ({"a": 1}, None)
    answer, _ = invoke(client, "built", module="moto")
    assert answer["errorType"] == "ModuleNotFoundError"
    with pytest.raises(ClientError, match=r"InvalidZipFileException.*other: .*pyyaml 0\.1 for another machine"):
        invoke(client, "other", module="jmespath")


def test_an_error_keeps_its_class_name_message_and_trace(client: Client, function: str) -> None:
    answer, error = invoke(client, function, do="raise")
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("BadManifestError", "no team")
    assert 'raise BadManifestError("no team")' in answer["stackTrace"][-1]


def test_a_function_over_its_time_is_killed_with_its_children(client: Client, function: str) -> None:
    started = time.monotonic()
    answer, error = invoke(client, function, do="sleep")
    assert time.monotonic() - started < 10
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert answer["errorMessage"].endswith("Task timed out after 2.00 seconds")
    assert any("Task timed out after 2.00 seconds" in line for line in logged(client, function))


def test_a_function_that_ends_its_process_is_an_error_and_the_next_call_works(client: Client, function: str) -> None:
    answer, error = invoke(client, function, do="exit")
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "exit status 3" in answer["errorMessage"]
    assert invoke(client, function)[1] is None


def test_an_answer_that_is_no_json_is_an_error(client: Client, function: str) -> None:
    assert invoke(client, function, do="set")[0]["errorType"] == "Runtime.MarshalError"


def test_the_log_has_start_the_functions_lines_end_and_report(client: Client, function: str) -> None:
    reply = client("lambda").invoke(FunctionName=function, Payload=b'{"do": "nothing"}', LogType="Tail")
    lines = logged(client, function)
    request_id = json.loads(reply["Payload"].read())["request_id"]
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1] == "doing nothing"
    assert lines[2] == f"END RequestId: {request_id}"
    assert lines[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "doing nothing" in base64.b64decode(reply["LogResult"]).decode()


def test_a_function_that_asks_for_json_gets_json_lines_in_its_own_log_group(client: Client, function: str) -> None:
    group = f"/logs/{function}"
    client("logs").create_log_group(logGroupName=group)
    client("lambda").update_function_configuration(
        FunctionName=function, LoggingConfig={"LogFormat": "JSON", "LogGroup": group}
    )
    invoke(client, function, do="raise")
    events = client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [event["message"] for event in events]
    assert json.loads(lines[0])["type"] == "platform.start"
    assert lines[1] == "doing raise"
    assert json.loads(lines[2])["errorType"] == "BadManifestError"
    assert json.loads(lines[3])["record"]["status"] == "error"


def test_a_warm_environment_keeps_its_globals_and_new_code_gets_a_new_one(client: Client, function: str) -> None:
    assert [invoke(client, function)[0]["calls"] for _ in range(3)] == [1, 2, 3]
    client("lambda").update_function_code(FunctionName=function, ZipFile=zipped({"app.py": HANDLER + "\n# changed"}))
    assert invoke(client, function)[0]["calls"] == 1


def test_several_invocations_at_once_have_an_environment_each(client: Client, function: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke(client, function), range(8)))
    assert [error for _, error in answers] == [None] * 8
    assert len({answer["request_id"] for answer, _ in answers}) == 8


def test_a_failing_asynchronous_invocation_ends_at_its_destination_after_two_retries(
    client: Client, function: str, wait_until: Wait
) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"failed-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    reply = client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"do": "raise"}')
    assert reply["StatusCode"] == 202
    messages = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    record = json.loads(messages[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"do": "raise"}
    assert record["responsePayload"]["errorType"] == "BadManifestError"


def test_reserved_concurrency_of_zero_stops_a_function(client: Client, function: str) -> None:
    client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke(client, function)


def test_a_handler_that_cannot_be_imported_says_why(client: Client, role: str) -> None:
    name = f"function-{uuid.uuid4().hex[:8]}"
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped({"app.py": "import not_there"})},
    )
    answer, error = invoke(client, name)
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")
    assert answer["errorMessage"] == "Unable to import module 'app': No module named 'not_there'"


@pytest.mark.parametrize("asked", [{"Runtime": "nodejs22.x"}, {"PackageType": "Image"}])
def test_what_cannot_run_is_refused(client: Client, role: str, asked: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="not emulated"):
        client("lambda").create_function(
            FunctionName="refused", Handler="app.handler", Role=role, Code={"ZipFile": zipped({"app.py": ""})}, **asked
        )


def test_accounts_live_side_by_side(client: Client, function: str) -> None:
    assert client("sts", account="210987654321").get_caller_identity()["Account"] == "210987654321"
    assert client("lambda", account="210987654321").list_functions()["Functions"] == []

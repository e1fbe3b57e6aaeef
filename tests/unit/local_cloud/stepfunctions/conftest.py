"""The interpreter with its replacements in this process, for as long as a module's tests run."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError

from local_cloud import replacements
from local_cloud.services import stepfunctions
from local_cloud.stepfunctions import integrations, single_state, validation

Outcome = dict[str, Any]
_LAMBDA_USERS = ("lambda_eval_utils", "service.state_task_service_aws_sdk")


_FAILURES: dict[str, dict[str, str]] = {
    "fail": {"errorType": "Broken", "errorMessage": "on purpose"},
    "nameless": {"errorMessage": "out of memory"},
}
_REFUSALS = {"forbidden": ("AccessDeniedException", 403), "missing": ("ResourceNotFoundException", 404)}


class Functions:
    """Lambda as far as a Task knows it: `echo` gives its payload back, others fail or cannot be called."""

    def invoke(self, FunctionName: str, Payload: bytes = b"{}", **_: Any) -> dict[str, Any]:  # noqa: N803  boto3's
        name = FunctionName.rpartition(":")[2]
        if name in _REFUSALS:
            code, status = _REFUSALS[name]
            answer: Any = {"HTTPStatusCode": status, "RequestId": "id"}
            raise ClientError({"Error": {"Code": code, "Message": name}, "ResponseMetadata": answer}, "Invoke")
        if name in _FAILURES:
            payload = io.BytesIO(json.dumps(_FAILURES[name]).encode())
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}
        return {"StatusCode": 200, "Payload": io.BytesIO(Payload)}


@pytest.fixture(scope="module")
def interpreter() -> Iterator[None]:
    """moto's interpreter as the embedded cloud has it, and as it was again afterwards."""
    before: dict[tuple[Any, str], Any] = {}
    for entry in stepfunctions.REPLACEMENTS:
        owner, name = replacements._owner(entry.target)
        before.setdefault((owner, name), owner.__dict__.get(name))
    replacements.install(stepfunctions.REPLACEMENTS)
    yield
    for (owner, name), value in before.items():
        if value is None:
            delattr(owner, name)
        else:
            setattr(owner, name, value)


@pytest.fixture
def run(interpreter: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a definition, or a single state, to its end: its status, output, error and the types of its events."""
    for user in _LAMBDA_USERS:
        module = importlib.import_module(f"{integrations._EXEC}.state_task.{user}")
        monkeypatch.setattr(module, "boto_client_for", lambda **_: Functions())

    def run_definition(definition: dict[str, Any], value: Any = None) -> Outcome:
        language = {"QueryLanguage": definition["QueryLanguage"]} if "QueryLanguage" in definition else {}
        is_state = "States" not in definition
        machine = {**language, "StartAt": "Only", "States": {"Only": definition}} if is_state else definition
        text = json.dumps(machine)
        refusal = validation.refusal(text)
        if refusal is not None:
            return {"status": "REJECTED", "refusal": refusal}
        env = single_state._environment({} if value is None else value, {}, None, "123456789012", "us-east-1")
        single_state.AmazonStateLanguageParser.parse(text)[0].eval(env)
        end = env.program_state()
        failure = (end.error or {}) if isinstance(end, ProgramError) else {}
        return {
            "status": "SUCCEEDED" if isinstance(end, ProgramEnded) else "FAILED",
            "output": env.states.get_input() if isinstance(end, ProgramEnded) else None,
            "error": failure.get("error"),
            "types": [event["type"].value for event in env.event_manager.get_event_history()],
        }

    return run_definition

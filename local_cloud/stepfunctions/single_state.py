"""TestState: one state, run by the interpreter that runs machines, with its tries and its transition told.

The state runs in a machine of its own, where every state it leads to is a Succeed state: the one that is entered is
the next state. Retry is not done but told, as on AWS.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.api import HistoryEventType, StateMachineType
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError, ProgramTimedOut
from moto.stepfunctions.parser.asl.eval.states import ContextObjectData
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from local_cloud.stepfunctions import failures, validation
from local_cloud.stepfunctions.diagnostics import SCHEMA
from local_cloud.stepfunctions.normalisation import now_iso

_STATE = "TestState"
_LONGEST_S = 300
_NOT_ALONE = {"Parallel", "Map"}
_FAILED = ("FailedEventDetails", "TimedOutEventDetails")
_STUB_ENTERED = HistoryEventType.SucceedStateEntered


class InvalidDefinitionError(AWSError):
    TYPE = "InvalidDefinition"
    STATUS = 400


def _refused(reason: str) -> InvalidDefinitionError:
    return InvalidDefinitionError(f"Invalid State Machine Definition: '{reason}'")


def run(
    *,
    definition: str,
    state_input: Any,
    variables: dict[str, Any],
    role_arn: str | None,
    name: str | None,
    account: str,
    region: str,
) -> dict[str, Any]:
    """What TestState answers. Raises: InvalidDefinitionError for a state that cannot be run alone."""
    name, state, language = _state_of(definition, name)
    retriers = state.pop("Retry", [])
    machine = _machine_of(name, state, language)
    reason = validation.refusal(json.dumps(machine))
    if reason is not None:
        raise _refused(reason)
    env = _environment(state_input, variables, role_arn, account, region)
    AmazonStateLanguageParser.parse(json.dumps(machine))[0].eval(env)
    return _outcome(env, state, retriers)


def _state_of(definition: str, name: str | None) -> tuple[str, dict[str, Any], str]:
    """The state to run, its name and its query language: a definition may be a state or a whole machine."""
    try:
        given = json.loads(definition)
    except ValueError as error:
        raise _refused(f"INVALID_JSON_DESCRIPTION: {error}") from error
    if not isinstance(given, dict):
        raise _refused(f"{SCHEMA}: the definition must be an object")
    language = given.get("QueryLanguage", "JSONPath")
    if name is not None:
        if name not in given.get("States", {}):
            raise _refused(f"{SCHEMA}: there is no state {name}")
        given = given["States"][name]
    state = copy.deepcopy(given)
    resource = str(state.get("Resource", ""))
    if state.get("Type") in _NOT_ALONE:
        raise InvalidDefinitionError(f"states:TestState is not emulated for a {state['Type']} state")
    if ":activity:" in resource or resource.endswith((".sync", ".sync:2", ".waitForTaskToken")):
        raise InvalidDefinitionError(f"states:TestState does not run {resource}: it waits for something else")
    return name or _STATE, state, language


def _machine_of(name: str, state: dict[str, Any], language: str) -> dict[str, Any]:
    targets = {target for target, _ in validation.targets(state, "")}
    if not targets and state.get("Type") not in ("Succeed", "Fail", "Choice") and "End" not in state:
        state["End"] = True
    stubs = {target: {"Type": "Succeed"} for target in targets if isinstance(target, str) and target != name}
    return {
        "QueryLanguage": language,
        "StartAt": name,
        "TimeoutSeconds": _LONGEST_S,
        "States": {name: state, **stubs},
    }


def _environment(state_input: Any, variables: dict[str, Any], role_arn: str | None, account: str, region: str) -> Any:
    run_id = str(uuid.uuid4())
    role = role_arn or f"arn:aws:iam::{account}:role/{_STATE}"
    execution = {
        "Id": f"arn:aws:states:{region}:{account}:execution:{_STATE}:{run_id}",
        "Input": state_input,
        "Name": run_id,
        "RoleArn": role,
        "StartTime": now_iso(),
        "RedriveCount": 0,
    }
    machine = {"Id": f"arn:aws:states:{region}:{account}:stateMachine:{_STATE}", "Name": _STATE}
    context: Any = {"Execution": execution, "StateMachine": machine}
    env = Environment(
        aws_execution_details=AWSExecutionDetails(account=account, region=region, role_arn=role),
        execution_type=StateMachineType.STANDARD,
        context=ContextObjectData(**context),
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
    )
    for variable, value in variables.items():
        env.variable_store.set(variable, value)
    env.variable_store.reset_tracing()
    return env


def _outcome(env: Any, state: dict[str, Any], retriers: list[dict[str, Any]]) -> dict[str, Any]:
    events = env.event_manager.get_event_history()
    error, cause = _failure(env, events)
    if error is not None and _retries(retriers, error):
        return {"status": "RETRIABLE", "error": error, "cause": cause}
    end = env.program_state()
    if not isinstance(end, ProgramEnded):
        return {"status": "FAILED", "error": error or "States.Runtime", "cause": cause or ""}
    exited = [event["stateExitedEventDetails"] for event in events if "stateExitedEventDetails" in event]
    answer = {"status": "SUCCEEDED", "output": exited[0]["output"]}
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if event["type"] == _STUB_ENTERED]
    following = entered if state["Type"] != "Succeed" else []
    if following:
        answer["nextState"] = following[0]
    if error is not None:
        answer |= {"status": "CAUGHT_ERROR", "error": error, "cause": cause or ""}
    return answer


def _failure(env: Any, events: list[dict[str, Any]]) -> tuple[str | None, str | None]:
    """The error that ended the state or was caught, with its cause."""
    end = env.program_state()
    if isinstance(end, ProgramTimedOut):
        return "States.Timeout", "The state ran longer than five minutes"
    if isinstance(end, ProgramError):
        return (end.error or {}).get("error") or "", (end.error or {}).get("cause") or ""
    for event in events:
        details: dict[str, Any] = next((event[key] for key in event if key.endswith(_FAILED)), {})
        if "error" in details:
            return details["error"], details.get("cause")
    return None, None


def _retries(retriers: list[dict[str, Any]], error: str) -> bool:
    for retrier in retriers:
        if any(failures.matches(wanted, error) for wanted in retrier["ErrorEquals"]):
            return bool(retrier.get("MaxAttempts", 3) > 0)
    return False

"""What the messages of dead letter queues say, by who left them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.operate.dead_letters import _letter

EVENT = {"detail-type": "Object Created", "detail": {"object": {"key": "manifests/vision/m.json"}}}
STATUS = {"detail-type": "Step Functions Execution Status Change", "detail": {"name": "vision-digits-1"}}
FIRING = {"schedule": "weekly", "scheduled_time": "2026-11-23T03:00:00Z", "teams": ["*"]}
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-training"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:turbine-RecordOutcomeFunction-1X"


def message(body: str, **attributes: str) -> dict[str, Any]:
    told = {name: {"StringValue": value} for name, value in attributes.items()}
    return {"MessageId": "m1", "ReceiptHandle": "r1", "Body": body, "MessageAttributes": told}


@pytest.mark.parametrize(
    ("given", "target", "event", "why", "payload"),
    [
        (
            message(json.dumps(EVENT), TARGET_ARN=MACHINE, ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="not allowed"),
            "turbine-training",
            "Object Created of manifests/vision/m.json",
            "NO_PERMISSIONS: not allowed",
            EVENT,
        ),
        (
            message(json.dumps(FIRING), TARGET_ARN=MACHINE, ERROR_CODE="AccessDeniedException"),
            "turbine-training",
            "schedule weekly at 2026-11-23T03:00:00Z",
            "AccessDeniedException",
            FIRING,
        ),
        (
            message(
                json.dumps(
                    {
                        "requestContext": {"functionArn": f"{FUNCTION}:$LATEST", "condition": "RetriesExhausted"},
                        "requestPayload": STATUS,
                        "responsePayload": {"errorType": "TryAgainError", "errorMessage": "DynamoDB is busy"},
                    }
                )
            ),
            "turbine-RecordOutcomeFunction-1X",
            "Step Functions Execution Status Change of vision-digits-1",
            "TryAgainError: DynamoDB is busy",
            STATUS,
        ),
    ],
    ids=["a rule's", "a schedule's", "a function's"],
)
def test_what_a_message_says(given: dict[str, Any], target: str, event: str, why: str, payload: dict[str, Any]) -> None:
    letter = _letter("queue", given)
    assert (letter.target, letter.event, letter.why, json.loads(letter.payload)) == (target, event, why, payload)


@pytest.mark.parametrize("body", ["no JSON", "[1]", "{}"])
def test_a_message_of_nobody_knows_whom_is_shown_all_the_same(body: str) -> None:
    letter = _letter("queue", message(body))
    assert (letter.target, letter.event, letter.payload) == ("", "an event", body)

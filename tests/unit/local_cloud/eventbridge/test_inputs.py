"""What targets are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.eventbridge.inputs import InvalidInputError, target_input

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
EVENT: dict[str, Any] = {
    "id": "1",
    "time": "2026-11-23T00:00:00Z",
    "resources": ["first", "second"],
    "detail": {"team": 'vi"sion', "n": 3, "list": [1], "none": None},
}


def sent(target: dict[str, Any]) -> Any:
    return json.loads(target_input(target, EVENT, RULE))


def transformed(template: str, **paths: str) -> Any:
    return sent({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}})


def test_the_event_a_part_of_it_or_a_constant() -> None:
    assert sent({}) == EVENT
    assert sent({"InputPath": "$.detail"}) == EVENT["detail"]
    assert sent({"InputPath": "$.resources[1]"}) == "second"
    assert sent({"Input": '{"a": 1}'}) == {"a": 1}


def test_values_stand_alone_as_json_and_inside_quotes_as_text() -> None:
    template = '{"team": <team>, "text": "for <team>: <n>", "list": <list>, "none": <none>}'
    paths = {name: f"$.detail.{name}" for name in ("team", "n", "list", "none")}
    assert transformed(template, **paths) == {
        "team": 'vi"sion',
        "text": 'for vi"sion: 3',
        "list": [1],
        "none": None,
    }


def test_a_missing_value_is_empty_and_the_reserved_names_are_known() -> None:
    template = '{"gone": <gone>, "rule": "<aws.events.rule-name>", "event": <aws.events.event.json>}'
    assert transformed(template, gone="$.detail.gone") == {"gone": "", "rule": "r", "event": EVENT}


@pytest.mark.parametrize(
    "target",
    [
        {"InputPath": "$.detail.gone"},
        {"InputPath": "detail"},
        {"InputPath": "$..team"},
        {"InputTransformer": {"InputPathsMap": {}, "InputTemplate": "{not json}"}},
    ],
)
def test_what_cannot_be_applied_is_an_error(target: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        target_input(target, EVENT, RULE)

"""What targets are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.eventbridge.inputs import InvalidInputError, check, target_input

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
EVENT: dict[str, Any] = {
    "id": "1",
    "time": "2026-11-23T00:00:00Z",
    "resources": ["first", "second"],
    "detail": {
        "team": 'vi"sion',
        "n": 3,
        "list": [1],
        "none": None,
        "plain": "vision",
        "deep": {"a": ["b"]},
        "parts": [{"id": 1}, {"no": 0}, {"id": 2}],
    },
}


INGESTED = "2026-11-23T00:00:05Z"


def text(target: dict[str, Any]) -> str:
    return target_input(target, EVENT, RULE, INGESTED)


def sent(target: dict[str, Any]) -> Any:
    return json.loads(text(target))


def transformed(template: str, **paths: str) -> Any:
    target = {"Id": "t", "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    check(target)
    return sent(target)


def test_the_event_a_part_of_it_or_a_constant() -> None:
    assert sent({}) == EVENT
    assert sent({"InputPath": "$.detail"}) == EVENT["detail"]
    assert sent({"InputPath": "$.resources[1]"}) == "second"
    assert sent({"InputPath": "$.detail.parts[*].id"}) == [1, 2]
    assert sent({"InputPath": "$.detail['none']"}) is None
    assert sent({"Input": '{"a": 1}'}) == {"a": 1}


def test_values_stand_alone_as_json_and_inside_quotes_as_text() -> None:
    template = '{"team": <team>, "text": "for <plain>: <n>", "list": <list>, "none": <none>, "in": "<deep>"}'
    paths = {name: f"$.detail.{name}" for name in ("team", "plain", "n", "list", "none", "deep")}
    assert transformed(template, **paths) == {
        "team": 'vi"sion',
        "text": "for vision: 3",
        "list": [1],
        "none": None,
        "in": "{a:[b]}",
    }


def test_a_value_inside_quotes_is_not_escaped_and_may_break_the_template() -> None:
    with pytest.raises(InvalidInputError, match="not JSON"):
        transformed('{"team": "<team>"}', team="$.detail.team")


def test_a_template_may_be_one_string_or_lines_of_strings() -> None:
    assert transformed('"<team> \\"quoted\\" is <n>"', team="$.detail.plain", n="$.detail.n") == 'vision "quoted" is 3'
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"first <n>"\n"second <n>"'}
    check({"Id": "t", "InputTransformer": transformer})
    assert text({"InputTransformer": transformer}) == '"first 3"\n"second 3"'


def test_a_missing_value_is_empty_and_the_reserved_names_are_known() -> None:
    template = (
        '{"gone": <gone>, "said": "<gone>", "rule": "<aws.events.rule-name>", "arn": <aws.events.rule-arn>, '
        '"at": "<aws.events.event.ingestion-time>", "head": <aws.events.event>, "event": <aws.events.event.json>}'
    )
    assert transformed(template, gone="$.detail.gone") == {
        "gone": "",
        "said": "",
        "rule": "r",
        "arn": RULE,
        "at": INGESTED,
        "head": {key: value for key, value in EVENT.items() if key != "detail"},
        "event": EVENT,
    }


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
        text(target)


@pytest.mark.parametrize(
    "target",
    [
        {"Input": "{}", "InputPath": "$.detail"},
        {"Input": "{"},
        {"InputPath": "$.a[?(@.b)]"},
        {"InputTransformer": {"InputTemplate": "the event of <aws.events.rule-name>"}},
        {"InputTransformer": {"InputTemplate": '{"a": <b>}', "InputPathsMap": {"c": "$.detail"}}},
        {"InputTransformer": {"InputTemplate": '{"a": "b}'}},
        {"InputTransformer": {"InputTemplate": '"<aws.x>"', "InputPathsMap": {"aws.x": "$.detail"}}},
        {"InputTransformer": {"InputTemplate": "{}", "InputPathsMap": {f"v{i}": "$.id" for i in range(101)}}},
    ],
)
def test_what_aws_refuses_at_put_targets_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        check({"Id": "t", **target})

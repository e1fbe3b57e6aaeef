"""Which definitions are refused, and as what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.stepfunctions import validation
from local_cloud.stepfunctions.limits import DEFINITION_BYTES

PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def diagnose(definition: Any) -> list[str]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return [str(diagnostic) for diagnostic in validation.diagnose(text)]


def test_a_good_machine_has_no_diagnostics() -> None:
    inner = machine(Inner=PASS)
    found = diagnose(
        machine(
            A={"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "B"}], "Default": "C"},
            B={"Type": "Map", "ItemProcessor": inner, "Next": "C"},
            C={"Type": "Pass", "Parameters": {"a.$": "States.Format('{}', $.x)"}, "End": True},
        )
    )
    assert found == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            machine(A={"Type": "Pass", "Next": "B"}, C=PASS),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next",
        ),
        (machine(A=PASS, C=PASS), 'MISSING_TRANSITION_TARGET: State "C" is not reachable. at /States/C'),
        ({**machine(A=PASS), "StartAt": "X"}, "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /StartAt"),
        (
            machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
            "MISSING_END_STATE: Workflow has no terminal state",
        ),
        (
            machine(A={"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": True}], "Default": "B"}, B=PASS),
            "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A/Choices[0]",
        ),
        (machine(A={**PASS, "Foo": 1}), "SCHEMA_VALIDATION_FAILED: Field is not supported at /States/A/Foo"),
        (
            {**machine(A={**PASS, "InputPath": "$"}), "QueryLanguage": "JSONata"},
            "SCHEMA_VALIDATION_FAILED: Field is not supported at /States/A/InputPath",
        ),
        (
            machine(A={"Type": "Pass"}, B=PASS),
            "SCHEMA_VALIDATION_FAILED: State is missing either of: [Next, End] at /States/A",
        ),
        (
            machine(A={**PASS, "InputPath": "$.a["}),
            "SCHEMA_VALIDATION_FAILED: Value is not a valid JSONPath at /States/A/InputPath",
        ),
        (
            machine(A={**PASS, "ResultPath": "$.a[*]"}),
            "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/ResultPath",
        ),
        (
            machine(A={**PASS, "Parameters": {"a": {"b.$": "States.Nope()"}}}),
            "SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic "
            "function call at /States/A/Parameters/a/b.$",
        ),
        (
            machine(A={**TASK, "Resource": "arn:aws:states:::aws-sdk:s3:nope"}),
            "SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::aws-sdk:s3:nope is not recognized. The "
            "value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource",
        ),
        (
            machine(A={**TASK, "Resource": "nope"}),
            "SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at /States/A/Resource",
        ),
        (
            machine(A={**TASK, "Parameters": {"Tabel": "t"}}),
            "SCHEMA_VALIDATION_FAILED: The field 'Tabel' is not supported by Step Functions at /States/A/Parameters",
        ),
        (
            machine(A={**TASK, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}]}),
            "SCHEMA_VALIDATION_FAILED: States.ALL must stand alone, and last at /States/A/Retry[0]/ErrorEquals",
        ),
        (
            machine(A={**TASK, "Retry": [{"ErrorEquals": ["X"], "BackoffRate": 0.5}]}),
            "SCHEMA_VALIDATION_FAILED: BackoffRate must be a number from 1 to inf at /States/A/Retry[0]/BackoffRate",
        ),
        (
            machine(A={"Type": "Parallel", "Branches": [machine(A=PASS)], "End": True}),
            "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A/Branches[0]/States/A",
        ),
        (
            machine(A={"Type": "Map", "End": True}),
            "SCHEMA_VALIDATION_FAILED: These fields are required: [ItemProcessor] at /States/A",
        ),
        (
            machine(A={"Type": "Wait", "Seconds": 100_000_000, "End": True}),
            "SCHEMA_VALIDATION_FAILED: Value must be between 0 and 99999999 at /States/A/Seconds",
        ),
        (
            machine(A={**TASK, "TimeoutSeconds": 0}),
            "SCHEMA_VALIDATION_FAILED: Value must be between 1 and 99999999 at /States/A/TimeoutSeconds",
        ),
        (
            {**machine(A=PASS), "TimeoutSeconds": 0},
            "SCHEMA_VALIDATION_FAILED: Value must be between 1 and 99999999 at /TimeoutSeconds",
        ),
        (
            machine(
                A={"Type": "Map", "ItemProcessor": machine(B=PASS), "ToleratedFailurePercentage": 101, "End": True}
            ),
            "SCHEMA_VALIDATION_FAILED: Value must be between 0 and 100 at /States/A/ToleratedFailurePercentage",
        ),
        (
            machine(A={**PASS, "Assign": {"states": 1}}),
            "SCHEMA_VALIDATION_FAILED: 'states' is not a valid variable name at /States/A/Assign",
        ),
        (
            machine(A={**PASS, "Assign": {"a-b.$": "$"}}),
            "SCHEMA_VALIDATION_FAILED: 'a-b' is not a valid variable name at /States/A/Assign",
        ),
        (
            machine(A={**TASK, "Catch": [{"ErrorEquals": ["X"], "Next": "B", "Output": 1}]}, B=PASS),
            "SCHEMA_VALIDATION_FAILED: Field is not supported at /States/A/Catch[0]/Output",
        ),
        (
            machine(**{"x" * 81: PASS}),
            f"SCHEMA_VALIDATION_FAILED: A state's name can have up to 80 characters at /States/{'x' * 81}",
        ),
        (machine(A={"Type": "Nap", "End": True}), "SCHEMA_VALIDATION_FAILED: Value is not valid. Allowed values are: "),
        ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"),
    ],
)
def test_refused(definition: dict[str, Any], expected: str) -> None:
    assert any(found.startswith(expected) for found in diagnose(definition)), diagnose(definition)


def test_bad_jsonata_is_found_wherever_it_stands() -> None:
    found = diagnose({**machine(A={**PASS, "Output": {"a": [1, "{% $sum( %}"]}}), "QueryLanguage": "JSONata"})
    assert len(found) == 1
    assert found[0].endswith("at /States/A/Output/a[1]")


def test_no_json() -> None:
    assert diagnose("{")[0].startswith("INVALID_JSON_DESCRIPTION: ")


def test_a_missing_end_says_nothing_of_unreachable_states() -> None:
    loop = {"Type": "Pass", "Next": "A"}
    assert diagnose(machine(A=loop, B=loop)) == ["MISSING_END_STATE: Workflow has no terminal state"]


def test_a_definition_of_more_than_a_mebibyte_is_refused_whatever_it_says() -> None:
    text = json.dumps({**machine(A=PASS), "Comment": "x" * DEFINITION_BYTES})
    assert (validation.refusal(text) or "").startswith("MAX_DEFINITION_SIZE_EXCEEDED")


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"NumericEquals": "5"}, "NumericEquals"),
        ({"NumericEquals": True}, "NumericEquals"),
        ({"StringEquals": 5}, "StringEquals"),
        ({"BooleanEquals": "true"}, "BooleanEquals"),
        ({"TimestampEquals": "2016-03-14"}, "TimestampEquals"),
        ({"IsNull": 1}, "IsNull"),
        ({"NumericEqualsPath": 5}, "NumericEqualsPath"),
        ({"StringEqualsPath": "x"}, "StringEqualsPath"),
        ({"And": []}, "And"),
        ({"Or": {"Variable": "$.x", "IsNull": True}}, "Or"),
        ({"Not": [{"Variable": "$.x", "IsNull": True}]}, "Not"),
        ({"Not": {"Variable": "$.x", "IsNull": True, "Next": "A"}}, "Not/Next"),
        ({"And": [{"Or": [{"Variable": "$.x", "StringMatches": 5}]}]}, "And[0]/Or[0]/StringMatches"),
    ],
)
def test_a_rule_compares_with_a_value_of_its_type(rule: dict[str, Any], place: str) -> None:
    variable = {} if {"And", "Or", "Not"} & set(rule) else {"Variable": "$.x"}
    choice = {"Type": "Choice", "Choices": [{**variable, **rule, "Next": "B"}]}
    found = diagnose(machine(A=choice, B=PASS))
    assert any(diagnostic.endswith(f"at /States/A/Choices[0]/{place}") for diagnostic in found), found

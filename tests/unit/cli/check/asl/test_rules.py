"""Each rule by itself: a definition that breaks it, and the same one whole."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.check.asl import proof, rules

RETRY = [{"ErrorEquals": ["States.Timeout"]}]
READ = {
    "Type": "Task",
    "Resource": "arn:aws:states:::dynamodb:getItem",
    "Arguments": {"TableName": "runs", "Key": {"pk": {"S": "{% $states.input.run %}"}}},
    "TimeoutSeconds": 60,
    "Retry": RETRY,
    "Assign": {"status": "{% $states.result.Item.status.S %}"},
    "Next": "Decide",
}
DECIDE = {"Type": "Choice", "Choices": [{"Condition": "{% $status = 'DONE' %}", "Next": "Done"}], "Default": "Broken"}
MACHINE: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "TimeoutSeconds": 600,
    "StartAt": "Read",
    "States": {
        "Read": READ,
        "Decide": DECIDE,
        "Done": {"Type": "Succeed"},
        "Broken": {"Type": "Fail", "Error": "BrokenError"},
    },
}


def _changed(steps: str, value: Any, *, may_be_null: bool = False) -> dict[str, Any]:
    """The machine with another value in one place; None takes it away, unless `may_be_null`."""
    machine = copy.deepcopy(MACHINE)
    holder: Any = machine
    *way, last = steps.split("/")
    for step in way:
        holder = holder[int(step) if step.isdigit() else step]
    if value is None and not may_be_null:
        del holder[last]
    else:
        holder[last] = value
    return machine


def _rules(machine: dict[str, Any]) -> set[str]:
    found = proof.of_text(yaml.safe_dump(machine, sort_keys=False), "machine.yaml")
    return {finding.rule for finding in found if not finding.is_note}


def test_a_whole_machine_has_nothing_wrong() -> None:
    assert _rules(MACHINE) == set()


READ_STATE = "States/Read"
SUBMIT = {
    "Resource": "arn:aws:states:::batch:submitJob.sync",
    "TimeoutSeconds": 60,
    "Retry": RETRY,
    "End": True,
    "Type": "Task",
}
UPDATE = {
    "TableName": "runs",
    "Key": {"pk": {"S": "a"}},
    "UpdateExpression": "SET #s = :s",
    "ExpressionAttributeNames": {"#s": "status"},
}


@pytest.mark.parametrize(
    ("steps", "value", "rule"),
    [
        ("TimeoutSeconds", None, "missing-timeout"),
        (f"{READ_STATE}/TimeoutSeconds", None, "missing-timeout"),
        (f"{READ_STATE}/TimeoutSeconds", 601, "timeout-order"),
        (f"{READ_STATE}/Retry", None, "missing-retry"),
        (f"{READ_STATE}/TimeoutSecond", 3, "unknown-field"),
        ("TimeoutSeconds", "{% 1 + 1 %}", "field-value"),
        (f"{READ_STATE}/Resource", None, "missing-field"),
        (f"{READ_STATE}/TimeoutSeconds", "soon", "field-value"),
        (f"{READ_STATE}/Next", "Decid", "unknown-target"),
        ("States/Orphan", {"Type": "Succeed"}, "unreachable-state"),
        ("States/Done", {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "no-way-out"),
        ("States/Decide/Default", None, "choice-without-default"),
        (f"{READ_STATE}/Resource", "arn:aws:states:::dynamodb:getItm", "unknown-resource"),
        (f"{READ_STATE}/Resource", "arn:aws:states:::aws-sdk:dynamo:getItem", "unknown-resource"),
        (f"{READ_STATE}/Resource", "arn:aws:states:::dynamodb:getItem.sync", "unknown-resource"),
        (f"{READ_STATE}/Arguments/Tabel", "runs", "unknown-argument"),
        (f"{READ_STATE}/Arguments/TableName", None, "missing-argument"),
        (f"{READ_STATE}/Arguments/ConsistentRead", "yes", "argument-type"),
        (f"{READ_STATE}/Arguments", "{% {'TableName': 'runs', 'Keys': {}} %}", "unknown-argument"),
        (f"{READ_STATE}/Arguments/TableName", "{% 1 + 1 %}", "argument-type"),
        (f"{READ_STATE}/Arguments/ReturnConsumedCapacity", "SOME", "argument-value"),
        (f"{READ_STATE}/Arguments/TableName", "", "argument-value"),
        (f"{READ_STATE}/Arguments/Key/pk", {"S": "a", "N": "1"}, "argument-value"),
        (f"{READ_STATE}/Retry", [{"ErrorEquals": ["DynamoDb.ThrottlingException"]}], "impossible-error"),
        (f"{READ_STATE}/Retry", [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"]}], "impossible-error"),
        (f"{READ_STATE}/Retry", [{"ErrorEquals": ["States.Runtime"]}], "impossible-error"),
        (f"{READ_STATE}/Retry", [*RETRY, *RETRY], "shadowed-error"),
        (f"{READ_STATE}/Retry", [{"ErrorEquals": ["States.ALL"]}, *RETRY], "field-value"),
        (f"{READ_STATE}/Assign", {"other": 1}, "unassigned-variable"),
        (f"{READ_STATE}/Assign/other", 1, "unused-variable"),
        (f"{READ_STATE}/Assign/status", "{% $states.result.Itm %}", "unknown-field-of-value"),
        (f"{READ_STATE}/Assign/status", "{% $states.errorOutput.Error %}", "states-field"),
        (f"{READ_STATE}/Arguments/Key/pk/S", "{% $states.result.x %}", "states-field"),
        (f"{READ_STATE}/Assign/status", "{% $uppercas('a') %}", "unknown-function"),
        (f"{READ_STATE}/Assign/status", "{% $eval('a') %}", "unknown-function"),
        (f"{READ_STATE}/Assign/status", "{% status %}", "expression-without-context"),
        (f"{READ_STATE}/Assign/status", "{% $string( %}", "expression-syntax"),
        (f"{READ_STATE}/Assign/status", "{% $states.input.a ?? 'b' %}", "expression-syntax"),
        (f"{READ_STATE}/Assign/status", "{% 'a' + 1 %}", "expression-type"),
        (f"{READ_STATE}/Assign/status", "{% 1 < 'a' %}", "expression-type"),
        ("States/Decide/Choices/0/Condition", "{% $status & 'x' %}", "expression-type"),
        (f"{READ_STATE}/Assign/status", "RUNNING", "comparison-decided"),
    ],
)
def test_a_broken_rule_is_found(steps: str, value: Any, rule: str) -> None:
    assert rule in _rules(_changed(steps, value))


def test_a_key_given_twice_is_found() -> None:
    text = yaml.safe_dump(MACHINE, sort_keys=False).replace(
        "TimeoutSeconds: 60\n", "TimeoutSeconds: 60\n    TimeoutSeconds: 60\n"
    )
    assert [(one.rule, one.state) for one in proof.of_text(text, "m") if not one.is_note] == [("repeated-key", "Read")]


def test_placeholders_match_in_both_directions() -> None:
    state = {**READ, "Resource": "arn:aws:states:::dynamodb:updateItem", "Assign": {"status": "{% $states.input %}"}}
    lacking = {**state, "Arguments": UPDATE}
    whole = {**state, "Arguments": {**UPDATE, "ExpressionAttributeValues": {":s": {"S": "a"}}}}
    unused = {**state, "Arguments": {**UPDATE, "ExpressionAttributeValues": {":s": {"S": "a"}, ":t": {"S": "a"}}}}
    for read, expected in ((lacking, {"expression-placeholder"}), (unused, {"expression-placeholder"}), (whole, set())):
        assert _rules({**MACHINE, "States": {**MACHINE["States"], "Read": read}}) == expected


def _one(state: dict[str, Any]) -> set[str]:
    return _rules({"QueryLanguage": "JSONata", "TimeoutSeconds": 600, "StartAt": "A", "States": {"A": state}})


def test_arguments_begin_with_a_capital_where_the_api_s_do_not() -> None:
    given = {
        "JobName": "a",
        "JobQueue": "q",
        "JobDefinition": "d",
        "ContainerOverrides": {"Environment": [{"Name": "A", "Value": "b"}]},
    }
    assert _one({**SUBMIT, "Arguments": given}) == set()
    assert _one({**SUBMIT, "Arguments": {**given, "jobName": "a"}}) == {"unknown-argument"}
    assert _one({**SUBMIT, "Arguments": {**given, "ContainerOverrides": {"Environment": [{"name": "A"}]}}}) == {
        "unknown-argument"
    }


def test_errors_that_no_model_has_are_the_base_class() -> None:
    given = {"JobName": "a", "JobQueue": "q", "JobDefinition": "d"}
    thrown = {
        "Batch.TooManyRequestsException": {"impossible-error"},
        "Batch.AWSBatchException": set(),
        "Batch.ServerException": set(),
    }
    for error, expected in thrown.items():
        assert _one({**SUBMIT, "Arguments": given, "Retry": [{"ErrorEquals": [error]}]}) == expected
    describe = {
        **SUBMIT,
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution",
        "Arguments": {"ExecutionArn": "arn"},
    }
    for error, expected in {"Sfn.SfnException": set(), "Sfn.ThrottlingException": {"impossible-error"}}.items():
        assert _one({**describe, "Retry": [{"ErrorEquals": [error]}]}) == expected


def test_json_goes_where_the_integration_takes_it_and_nowhere_else() -> None:
    entry = {"Source": "a", "DetailType": "b", "Detail": {"c": 1}}
    events = {**SUBMIT, "Resource": "arn:aws:states:::events:putEvents", "Arguments": {"Entries": [entry]}}
    assert _one(events) == set()
    assert _one({**events, "Arguments": {"Entries": [{**entry, "Source": {"a": 1}}]}}) == {"argument-type"}
    assert _one({**events, "Arguments": {"Entries": [{"Detail": {}}]}}) == {"missing-argument"}
    assert _one({**events, "Resource": "arn:aws:states:::aws-sdk:eventbridge:putEvents"}) == {"argument-type"}


def _mapped(processor: dict[str, Any], **fields: Any) -> set[str]:
    start = {"Type": "Pass", "Assign": {"outside": 1}, "Next": "Each"}
    each = {
        "Type": "Map",
        "Items": "{% [1, 2] %}",
        "ItemProcessor": {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True, **processor}}},
        "Output": "{% $outside %}",
        "End": True,
        **fields,
    }
    return _rules(
        {"QueryLanguage": "JSONata", "TimeoutSeconds": 9, "StartAt": "S", "States": {"S": start, "Each": each}}
    )


def test_an_inner_scope_sees_the_outer_one_and_keeps_its_own() -> None:
    assert _mapped({"Output": "{% $outside %}"}) == set()
    assert _mapped({"Assign": {"outside": 2}}) == {"variable-scope"}
    assert _mapped({"Assign": {"inside": 2}}, Output="{% $inside & $outside %}") == {"unassigned-variable"}
    assert _mapped({"Output": "{% $states.input + 1 %}"}) == set()
    assert _mapped({"Output": "{% $states.context.Map.Item.Index & $states.context.Map.Item.Valu %}"}) == {
        "unknown-field-of-value"
    }


def test_a_distributed_map_sees_no_variables_from_outside() -> None:
    scope = {
        "StartAt": "In",
        "ProcessorConfig": {"Mode": "DISTRIBUTED"},
        "States": {"In": {"Type": "Pass", "Output": "{% $outside %}", "End": True}},
    }
    assert _mapped({}, ItemProcessor=scope) == {"unassigned-variable"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"Mode": "INLINE"}, set()), ({"Moed": "INLINE"}, {"unknown-field"}), ({"Mode": "inline"}, {"field-value"})],
)
def test_a_map_runs_its_items_in_a_mode_that_there_is(config: dict[str, Any], expected: set[str]) -> None:
    scope = {"StartAt": "In", "ProcessorConfig": config, "States": {"In": {"Type": "Pass", "End": True}}}
    assert _mapped({}, ItemProcessor=scope) == expected


def test_a_map_may_catch_what_its_items_raise() -> None:
    broken = {"StartAt": "In", "States": {"In": {"Type": "Fail", "Error": "BrokenError"}}}
    catch = [{"ErrorEquals": ["BrokenError", "States.ExceedToleratedFailureThreshold"], "Next": "Each"}]
    assert _mapped({}, ItemProcessor=broken, Catch=catch) == set()
    assert _mapped({}, ItemProcessor=broken, Catch=[{**catch[0], "ErrorEquals": ["OtherError"]}]) == {
        "impossible-error"
    }


def test_a_variable_is_assigned_on_a_path_only_if_every_way_there_assigns_it() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Decide"}]
    assert _rules(_changed(f"{READ_STATE}/Catch", catch)) == {"unassigned-variable"}
    assert _rules(_changed(f"{READ_STATE}/Catch", [{**catch[0], "Assign": {"status": "NONE"}}])) == set()


def test_a_finding_names_its_line_state_and_mend() -> None:
    text = yaml.safe_dump(_changed("States/Read/Arguments/TabelName", "runs"), sort_keys=False)
    (finding,) = [one for one in proof.of_text(text, "m.yaml") if not one.is_note]
    assert text.splitlines()[finding.line - 1].strip() == "TabelName: runs"
    assert (finding.file, finding.state, finding.mend) == ("m.yaml", "Read", "write `TableName`")


def test_a_jsonpath_machine_has_its_arguments_checked_too() -> None:
    state = {**SUBMIT, "Parameters": {"JobName.$": "$.name", "JobQueue": "q", "JobDefinition": "d"}}
    machine = {"TimeoutSeconds": 600, "StartAt": "A", "States": {"A": state}}
    assert _rules(machine) == set()
    assert _rules({**machine, "States": {"A": {**state, "Parameters": {"JobNam.$": "$.name"}}}}) >= {"unknown-argument"}


@pytest.mark.parametrize("value", [None, 1, "text", [], [1], {"a": 1}, [{"a": []}]])
@pytest.mark.parametrize("steps", [
    "States", "StartAt", "States/Read", "States/Read/Arguments", "States/Decide/Choices", "States/Read/Next",
    "States/Read/Retry/0/ErrorEquals", "States/Read/Assign", "QueryLanguage",
])  # fmt: skip
def test_nonsense_is_told_and_not_stumbled_over(steps: str, value: Any) -> None:
    assert _rules(_changed(steps, value, may_be_null=True))


def test_the_page_about_the_proofs_names_every_rule() -> None:
    page = (Path(__file__).parents[5] / "docs" / "proofs.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(rules.WHY)

"""A machine against its template, its function and the machine it starts."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from cli.check.asl import proof
from cli.check.findings import Finding

FILES = {
    "template.yaml": """\
        Parameters:
          Wait: {Type: Number, Default: 5}
          InstanceType: {Type: String, Default: ml.m5.xlarge}
        Globals: {Function: {Handler: app.handler, Timeout: 30}}
        Resources:
          Runs:
            Type: AWS::DynamoDB::Table
            Properties:
              AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
              KeySchema: [{AttributeName: pk, KeyType: HASH}]
          WorkFunction:
            Type: AWS::Serverless::Function
            Properties: {CodeUri: work/}
          Parent:
            Type: AWS::Serverless::StateMachine
            Properties:
              DefinitionUri: parent.asl.yaml
              DefinitionSubstitutions:
                Child: !Ref Child
                WorkFunction: !GetAtt WorkFunction.Arn
                Runs: !Ref Runs
                Wait: !Ref Wait
          Child:
            Type: AWS::Serverless::StateMachine
            Properties:
              DefinitionUri: child.asl.yaml
        """,
    "work/app.py": """\
        class WorkError(Exception): ...
        def handler(event, context):
            if event["run_id"]:
                raise WorkError
            return {"status": "DONE"}
        """,
    "parent.asl.yaml": """\
        QueryLanguage: JSONata
        TimeoutSeconds: 3600
        StartAt: Work
        States:
          Work:
            Type: Task
            Resource: arn:aws:states:::lambda:invoke
            Arguments:
              FunctionName: ${WorkFunction}
              Payload: {run_id: "{% $states.input.run_id %}"}
            TimeoutSeconds: 60
            Retry: [{ErrorEquals: [WorkError, Lambda.ServiceException]}]
            Assign: {status: "{% $states.result.Payload.status %}"}
            Next: Pause
          Pause:
            Type: Wait
            Seconds: ${Wait}
            Next: Read
          Read:
            Type: Task
            Resource: arn:aws:states:::dynamodb:getItem
            Arguments: {TableName: "${Runs}", Key: {pk: {S: "{% $status %}"}}}
            TimeoutSeconds: 60
            Retry: [{ErrorEquals: [DynamoDB.ThrottlingException]}]
            Next: Start
          Start:
            Type: Task
            Resource: arn:aws:states:::states:startExecution.sync:2
            Arguments:
              StateMachineArn: ${Child}
              Input: {team: a}
            TimeoutSeconds: 600
            Retry: [{ErrorEquals: [StepFunctions.SdkClientException]}]
            Output: "{% $states.result.Output.answer %}"
            End: true
        """,
    "child.asl.yaml": """\
        QueryLanguage: JSONata
        TimeoutSeconds: 500
        StartAt: Begin
        States:
          Begin: {Type: Pass, Assign: {request: "{% $states.input %}"}, Next: Answer}
          Answer: {Type: Succeed, Output: {answer: "{% $request.team %}"}}
        """,
}


def _findings(tmp_path: Path, file: str = "", old: str = "", new: str = "") -> list[Finding]:
    for name, text in FILES.items():
        assert name != file or old in text
        changed = text.replace(old, new) if name == file else text
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(changed))
    found, machines = proof.of_project(tmp_path)
    assert machines == 2
    return [one for one in found if not one.is_note]


def test_a_whole_project_has_nothing_wrong(tmp_path: Path) -> None:
    assert _findings(tmp_path) == []


PARENT, CHILD, TEMPLATE = "parent.asl.yaml", "child.asl.yaml", "template.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "rule"),
    [
        (PARENT, "${Runs}", "${Run}", (PARENT, "Read"), "substitution-missing"),
        (
            TEMPLATE,
            "        Wait: !Ref Wait",
            "        Wait: !Ref Wait\n                Other: 1",
            (TEMPLATE, ""),
            "substitution-unused",
        ),
        (TEMPLATE, "Runs: !Ref Runs", "Runs: !Ref Child", (TEMPLATE, ""), "substitution-name"),
        (PARENT, '"${Runs}"', '"${WorkFunction}"', (PARENT, "Read"), "substitution-kind"),
        (PARENT, '"${Runs}"', '"${Wait}"', (PARENT, "Read"), "substitution-kind"),
        (TEMPLATE, "Default: 5", "Default: soon", (PARENT, "Pause"), "field-value"),
        (PARENT, "{pk:", "{sk:", (PARENT, "Read"), "table-key"),
        (PARENT, "{S: ", "{N: ", (PARENT, "Read"), "table-key"),
        (PARENT, "[WorkError,", "[WrokError,", (PARENT, "Work"), "impossible-error"),
        ("work/app.py", "raise WorkError", "raise KeyError", (PARENT, "Work"), "impossible-error"),
        (PARENT, "Payload: {run_id", "Payload: {run", (PARENT, "Work"), "payload-key"),
        ("work/app.py", 'event["run_id"]', 'event["id"]', (PARENT, "Work"), "payload-key"),
        (PARENT, "Payload.status", "Payload.statsu", (PARENT, "Work"), "reply-field"),
        ("work/app.py", '"status"', '"state"', (PARENT, "Work"), "reply-field"),
        (TEMPLATE, "Timeout: 30", "Timeout: 90", (PARENT, "Work"), "timeout-order"),
        (CHILD, "TimeoutSeconds: 500", "TimeoutSeconds: 700", (PARENT, "Start"), "timeout-order"),
        (PARENT, "Input: {team", "Input: {taem", (PARENT, "Start"), "child-input"),
        (CHILD, "$request.team", "$request.run_id", (PARENT, "Start"), "child-input"),
        (CHILD, "Output: {answer", "Output: {answr", (PARENT, "Start"), "unknown-field-of-value"),
    ],
)
def test_a_fault_is_found_where_it_is_to_be_mended(
    tmp_path: Path, file: str, old: str, new: str, place: tuple[str, str], rule: str
) -> None:
    found = _findings(tmp_path, file, old, new)
    assert (*place, rule) in {(one.file, one.state, one.rule) for one in found}


def test_an_input_that_is_handed_on_whole_may_have_any_key(tmp_path: Path) -> None:
    assert _findings(tmp_path, CHILD, "$request.team", "$string($request)") == []


def test_a_field_that_is_only_asked_after_need_not_be_given(tmp_path: Path) -> None:
    assert _findings(tmp_path, CHILD, "$request.team", "$exists($request.no) ? $request.team : 1") == []

"""What is written otherwise, in code, machines and templates, is found by name."""

from __future__ import annotations

from typing import Any

import pytest

from cli.check.findings import Finding
from cli.check.iam.proof import findings
from tests.unit.cli.check.iam.conftest import ROOT


def found(**changes: tuple[str, str]) -> list[Finding]:
    """What the proof says when, in a file (`__` for `/`), one text stands for another."""
    texts = {}
    for name, (before, after) in changes.items():
        path = name.replace("__", "/").replace("_DOT_", ".")
        text = (ROOT / path).read_text()
        assert before in text, f"{path} has no {before}"
        texts[path] = text.replace(before, after, 1)
    return findings(ROOT, texts)


def told(given: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.state, one.rule, one.what.partition(" is missing")[0]) for one in given]


CASES: list[Any] = [
    pytest.param(
        {"layers__core__turbine__aws__dynamodb_DOT_py": ("self._dynamodb.get_item(", "self._dynamodb.delete_item(")},
        ("CloseInferenceFunctionRole", "missing", "dynamodb:DeleteItem on"),
        id="an adapter calls something else",
    ),
    pytest.param(
        {
            "layers__core__turbine__usecases__promote_model_DOT_py": (
                "self.table.swap(",
                "self.table.put(item) or self.table.swap(",
            )
        },
        None,
        id="another method that needs nothing new",
    ),
    pytest.param(
        {
            "layers__core__turbine__usecases__judge_training_DOT_py": (
                "self.jobs.terminate(job_id, TERMINATION)",
                "pass",
            )
        },
        ("JudgeTrainingFunctionRole/EndTheJobOfATaskThatTimedOut", "unneeded", "nothing needs batch:TerminateJob"),
        id="a use case stops using something",
    ),
    pytest.param(
        {"layers__core__turbine__usecases__close_inference_DOT_py": ("self.table.get(pk, sk)", "self.store.read(pk)")},
        None,
        id="a port that wiring does not give",
    ),
    pytest.param(
        {"batch_jobs__training__cloudwatch_DOT_py": ("client.put_metric_data(", "client.get_metric_data(")},
        ("JobRole", "missing", "cloudwatch:GetMetricData on *"),
        id="a job calls something else",
    ),
    pytest.param(
        {"state_machines__promotion_DOT_asl_DOT_yaml": ("states:::dynamodb:getItem", "states:::dynamodb:deleteItem")},
        ("PromotionMachineRole", "missing", "dynamodb:DeleteItem on"),
        id="a Task calls something else",
    ),
    pytest.param(
        {"state_machines__promotion_DOT_asl_DOT_yaml": ("states:::dynamodb:getItem", "states:::glue:startJobRun")},
        ("ReadChampion", "integration", "nobody knows what a Task on glue:startJobRun needs"),
        id="an integration that nobody knows",
    ),
    pytest.param(
        {
            "template_DOT_yaml": (
                'Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}',
                "Condition: {}",
            )
        },
        ("DeadLettersPolicy", "resource policy", "the statement RulesMayDrop"),
        id="a queue lets everybody's rules in",
    ),
    pytest.param(
        {"template_DOT_yaml": ("            # GetMetricData knows no resource.\n", "")},
        ("CompareModelsFunctionRole/ReadMetrics", "reason", "cloudwatch:GetMetricData on *"),
        id="a wildcard without its reason",
    ),
    pytest.param(
        {"template_DOT_yaml": ('Action: ["batch:CancelJob", "batch:TerminateJob"]', 'Action: ["batch:*"]')},
        ("RunOperatorPolicy/EndJobs", "wildcard", "the action batch:*"),
        id="a person may do anything in a service",
    ),
    pytest.param(
        {
            "template_DOT_yaml": (
                "Sid: RemoveTeams\n            Effect: Allow",
                "Sid: RemoveTeams\n            Effect: Deny",
            )
        },
        ("PlatformEngineerPolicy/RemoveTeams", "form", "Deny, NotAction or NotResource"),
        id="a policy for people that denies",
    ),
    pytest.param(
        {
            "stacks__team_DOT_yaml": (
                'Action: "sts:AssumeRole"\n            Condition:',
                'Action: "sts:AssumeRole"\n            Other:',
            )
        },
        ("JobRole", "trust", "ecs-tasks.amazonaws.com may take the role on"),
        id="anybody's tasks take a role on",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_a_change_is_found(changes: dict[str, tuple[str, str]], expected: tuple[str, str, str] | None) -> None:
    given = told(found(**changes))
    if expected is None:
        assert given == []
        return
    where, rule, what = expected
    assert any(one[0] == where and one[1] == rule and one[2].startswith(what) for one in given), given

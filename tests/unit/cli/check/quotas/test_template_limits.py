"""Templates that would not fit: each limit is exceeded by one change, and found where the change is."""

from __future__ import annotations

from functools import cache

import pytest

from cli.check.quotas import deployments, shapes, templates
from cli.check.quotas.deployments import Project
from cli.check.quotas.meter import Meter
from tests.unit.cli.check.quotas.conftest import ROOT, written

MAIN, TEAM, PREDICTION = "template.yaml", "stacks/team.yaml", "stacks/prediction.yaml"


def _many(count: int, line: str) -> str:
    return "".join(line.format(number=number) for number in range(count))


CHANGES: dict[str, tuple[str, str, str]] = {
    "template-parameters": (MAIN, "Parameters:\n", "Parameters:\n" + _many(201, "  P{number}: {{Type: Number}}\n")),
    "template-outputs": (MAIN, "\nOutputs:\n", "\nOutputs:\n" + _many(201, "  O{number}: {{Value: x}}\n")),
    "template-resources": (
        MAIN,
        "\nResources:\n",
        "\nResources:\n" + _many(501, "  T{number}: {{Type: AWS::SNS::Topic}}\n"),
    ),
    "template-size": (MAIN, "DisplayName: Outcomes of training runs", f"DisplayName: {'x' * 1024**2}"),
    "template-inline": (TEAM, "\nOutputs:\n", f"\n#{'x' * 51_200}\nOutputs:\n"),
    "parameter-value": (MAIN, "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "[A-Za-z0-9][A-Za-z0-9._-]{0,4000}"),
    "function-environment": (
        MAIN,
        "POWERTOOLS_SERVICE_NAME: prepare_training",
        f"POWERTOOLS_SERVICE_NAME: {'x' * 4096}",
    ),
    "function-timeout": (MAIN, "      Timeout: 900\n", "      Timeout: 901\n"),
    "function-memory": (MAIN, "MemorySize: 1024", "MemorySize: 10241"),
    "function-layers": (MAIN, "Layers: [!Ref DvcLayer]", f"Layers: [{', '.join(['!Ref DvcLayer'] * 5)}]"),
    "function-name": (
        MAIN,
        "CodeUri: functions/prepare_training/",
        f"FunctionName: {'x' * 65}\n      CodeUri: functions/prepare_training/",
    ),
    "role-name": (MAIN, "  RunMachineRole:\n    Type: AWS::IAM::Role\n    Properties:\n", ""),
    "rule-name": (MAIN, "  ManifestDropped:\n    Type: AWS::Events::Rule\n    Properties:\n", ""),
    "role-inline-policies": (MAIN, "Sid: StartRuns", f"Sid: {'x' * 10_240}"),
    "role-trust": (MAIN, "Service: ec2.amazonaws.com", f"Service: {'x' * 2048}"),
    "managed-policy": (
        PREDICTION,
        "  ModelRole:\n",
        "  Policy:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      PolicyDocument:\n"
        f"        Statement: [{{Sid: {'x' * 6144}}}]\n  ModelRole:\n",
    ),
    "role-managed-policies": (
        MAIN,
        'ManagedPolicyArns: [!Sub "',
        "ManagedPolicyArns: [" + "a, " * 10 + '!Sub "',
    ),
    "bucket-policy": (MAIN, "Sid: TlsOnly", f"Sid: {'x' * 20 * 1024}"),
    "event-pattern": (MAIN, "manifests/*.json", f"{'x' * 2048}*.json"),
    "rule-targets": (
        PREDICTION,
        "      Targets:\n",
        "      Targets:\n" + _many(5, "        - {{Id: T{number}, Arn: x}}\n"),
    ),
    "bus-rules": (
        PREDICTION,
        "\nResources:\n",
        "\nResources:\n" + _many(300, "  R{number}: {{Type: AWS::Events::Rule}}\n"),
    ),
    "job-definition": (TEAM, "Name: TURBINE_TEAM, Value: !Ref TeamName", f"Name: T, Value: {'x' * 24 * 1024}"),
    "job-exits": (TEAM, '          - {Action: EXIT, OnExitCode: "*"}\n', _many(4, "          - {{Action: EXIT}}\n")),
    "job-attempts": (MAIN, "    MaxValue: 10\n", "    MaxValue: 11\n"),
    "queue-environments": (
        MAIN,
        "- {Order: 1, ComputeEnvironment: !Ref SpotEnvironment}",
        "\n".join(["- {Order: 1, ComputeEnvironment: !Ref SpotEnvironment}"] * 4).replace("\n", "\n        "),
    ),
    "job-queues": (
        PREDICTION,
        "\nOutputs:\n",
        "".join(("\n", _many(50, "  Q{number}: {{Type: AWS::Batch::JobQueue}}\n"), "\nOutputs:\n")),
    ),
    "compute-environments": (
        PREDICTION,
        "  PredictionTable:\n",
        _many(50, "  C{number}: {{Type: AWS::Batch::ComputeEnvironment}}\n") + "  PredictionTable:\n",
    ),
}
"""By limit: the file, a text in it, and what stands for it. A name that is put into a resource is added below."""
for _key, _name in (("role-name", "RoleName"), ("rule-name", "Name")):
    _file, _before, _ = CHANGES[_key]
    CHANGES[_key] = (_file, _before, f"{_before}      {_name}: {'x' * 65}\n")
LOOSE_STACK_NAME = {
    "machine-name",
    "schedule-name",
    "group-name",
    "job-definition-name",
    "bucket-name",
    "stack-name",
}
PER_TEAM = {"roles", "stacks", "schedules", "bus-rules"}


def _rules(project: Project) -> set[str]:
    meter = Meter()
    templates.measure(project, meter)
    return {finding.rule.removeprefix("quota:") for finding in meter.findings()}


@cache
def _found_in_all() -> set[str]:
    """What is found when all changes are made at once; they touch different places."""
    changes: dict[str, list[tuple[str, str]]] = {}
    for file, before, after in CHANGES.values():
        changes.setdefault(file, []).append((before, after))
    return _rules(deployments.read(ROOT, written(changes)))


@pytest.mark.parametrize("limit", CHANGES)
def test_a_change_that_exceeds_a_limit_is_found(limit: str) -> None:
    assert limit in _found_in_all()


def test_nothing_else_is_found() -> None:
    of_this_proof = {rule for rule in _found_in_all() if "." not in rule}  # models bound some of the same names too
    assert of_this_proof == set(CHANGES)


@pytest.mark.parametrize("bound", ["{0,29}", "{0,30}"])
def test_the_longest_stack_name_is_what_the_names_allow(bound: str) -> None:
    found = _rules(deployments.read(ROOT, written({PREDICTION: [("[a-zA-Z0-9-]{0,29}", f"[a-zA-Z0-9-]{bound}")]})))
    assert found == (set() if bound == "{0,29}" else {"bucket-name"})


def test_without_a_bound_of_its_name_a_stacks_names_do_not_fit() -> None:
    found = _rules(deployments.read(ROOT, written({PREDICTION: [("[a-zA-Z0-9-]{0,29}", "[a-zA-Z0-9-]*")]})))
    assert found >= LOOSE_STACK_NAME


def test_more_teams_than_an_account_has_room_for_are_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "TEAMS_MAX", 1_000_000)
    assert _rules(project) == PER_TEAM


def test_an_image_of_a_tag_as_long_as_a_registry_takes_is_too_long_for_a_model() -> None:
    tags = [("[A-Za-z0-9._-]{0,63}", "[A-Za-z0-9._-]{0,127}")]
    longer = deployments.read(ROOT, written({MAIN: tags, PREDICTION: tags}))
    assert len(longer.image) > shapes.most("sagemaker", "CreateModel", "PrimaryContainer", "Image")


def test_a_parameter_without_a_largest_length_is_found() -> None:
    loose = written({MAIN: [("    MaxLength: 256\n", "")]})
    assert "scheduler.CreateSchedule.ScheduleExpression" in _rules(deployments.read(ROOT, loose))

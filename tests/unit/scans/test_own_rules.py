"""Each of our rules is silent on our templates and speaks when what it asks for is taken away."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scans import own_rules, templates

ROOT = Path(__file__).parents[3]
Change = Callable[[dict[str, Any]], None]


@cache
def _expanded(name: str) -> dict[str, Any]:
    return templates.read(ROOT / name)


@pytest.mark.parametrize("name", templates.TEMPLATES)
def test_our_templates_keep_our_rules(name: str) -> None:
    assert list(own_rules.findings(name, _expanded(name))) == []


def _without(*path: str) -> Change:
    """Takes away what lies at a path that begins with a logical id."""

    def change(resources: dict[str, Any]) -> None:
        value = resources
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return change


def _with_image(image: Any) -> Change:
    def change(resources: dict[str, Any]) -> None:
        resources["TrainingJob"]["Properties"]["ContainerProperties"]["Image"] = image

    return change


def _without_rules_dead_letters(resources: dict[str, Any]) -> None:
    (rule,) = [one for name, one in resources.items() if name == "ManifestDropped"]
    for target in rule["Properties"]["Targets"]:
        del target["DeadLetterConfig"]


MAIN, TEAM = "template.yaml", "stacks/team.yaml"


@pytest.mark.parametrize(
    ("rule", "template", "resource", "change"),
    [
        ("image-tag", TEAM, "TrainingJob", _with_image("repository/training")),
        ("image-tag", TEAM, "TrainingJob", _with_image("repository/training:latest")),
        ("image-tag", TEAM, "TrainingJob", _with_image({"Fn::Sub": "${Repository}:latest"})),
        ("job-timeout", TEAM, "TrainingJob", _without("TrainingJob", "Properties", "Timeout")),
        ("dead-letters", TEAM, "OwnSchedule", _without("OwnSchedule", "Properties", "Target", "DeadLetterConfig")),
        ("dead-letters", MAIN, "ManifestDropped", _without_rules_dead_letters),
        ("log-retention", MAIN, "JobLogs", _without("JobLogs", "Properties", "RetentionInDays")),
        (
            "own-log-group",
            MAIN,
            "JudgeTrainingFunction",
            _without("JudgeTrainingFunction", "Properties", "LoggingConfig"),
        ),
        ("failure-destination", MAIN, "RecordOutcomeFunction", _without("RecordOutcomeFunctionEventInvokeConfig")),
        ("retained-data", MAIN, "TrainingTable", _without("TrainingTable", "DeletionPolicy")),
        ("retained-data", MAIN, "DataBucket", _without("DataBucket", "DeletionPolicy")),
    ],
)
def test_what_a_rule_asks_for_is_missed(rule: str, template: str, resource: str, change: Change) -> None:
    mutant = copy.deepcopy(_expanded(template))
    change(mutant["Resources"])
    found = {(one.rule, one.place) for one in own_rules.findings(template, mutant)}
    assert found == {(f"TURBINE-{rule}", f"{template}/{resource}")}

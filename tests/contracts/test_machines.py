"""What every state machine keeps to, whatever it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
MACHINES = sorted((ROOT / "state_machines").glob("*.asl.yaml"))
STATES_MAX = 25


def _states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"])
        for branch in state.get("Branches", []):
            yield from _states(branch)


def _substitutions() -> dict[str, set[str]]:
    """The names that the templates put into each definition file."""
    found = {}
    for template in (ROOT / "template.yaml", ROOT / "stacks/prediction.yaml"):
        for resource in yaml_parse(template.read_text())["Resources"].values():
            if resource["Type"] == "AWS::Serverless::StateMachine":
                properties = resource["Properties"]
                found[Path(properties["DefinitionUri"]).name] = set(properties["DefinitionSubstitutions"])
    return found


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_a_machine_can_be_read_and_never_waits_for_ever(path: Path) -> None:
    definition = yaml.safe_load(path.read_text())
    assert definition["Comment"] and definition["TimeoutSeconds"] and definition["QueryLanguage"] == "JSONata"
    states = dict(_states(definition))
    assert len(states) <= STATES_MAX
    for name, state in states.items():
        if state["Type"] == "Task":
            assert "TimeoutSeconds" in state, name
            assert state["Retry"] and all("States.ALL" not in retry["ErrorEquals"] for retry in state["Retry"]), name
        if state["Type"] == "Choice":
            assert "Default" in state, name


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_state_is_reached(path: Path) -> None:
    def check(definition: dict[str, Any]) -> None:
        reached, todo = set(), [definition["StartAt"]]
        while todo:
            name = todo.pop()
            if name in reached:
                continue
            reached.add(name)
            state = definition["States"][name]
            branches = [*state.get("Choices", []), *state.get("Catch", [])]
            todo += [branch["Next"] for branch in branches]
            todo += [state[key] for key in ("Next", "Default") if key in state]
            if "ItemProcessor" in state:
                check(state["ItemProcessor"])
        assert reached == set(definition["States"])

    check(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_substitution_is_given_and_used(path: Path) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    assert used == _substitutions()[path.name]


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_no_arn_but_an_integrations_own_and_no_yaml_alias(path: Path) -> None:
    text = path.read_text()
    for arn in re.findall(r"arn:[^\s\"']+", text):
        assert arn.startswith("arn:aws:states:::"), arn
    assert not re.search(r":\s+[&*]\w+\s*$", text, re.MULTILINE)


def test_every_training_job_is_told_its_region() -> None:
    """AWS Batch tells a container nothing of it, and the CloudWatch client asks for one."""
    resources = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]
    one = resources["TrainingJob"]["Properties"]["ContainerProperties"]
    (several,) = resources["MultiNodeTrainingJob"]["Properties"]["NodeProperties"]["NodeRangeProperties"]
    for properties in (one, several["Container"]):
        assert {"Name": "AWS_DEFAULT_REGION", "Value": {"Ref": "AWS::Region"}} in properties["Environment"]

"""What every state machine keeps to, whatever it does. What can be read off its file is proved by `turbine check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from cli.simulate.workload import PLANNED_SHARE
from turbine.domain import names
from turbine.usecases.fleet_book import SHARE_IDENTIFIER

ROOT = Path(__file__).parents[2]
MACHINES = sorted((ROOT / "state_machines").glob("*.asl.yaml"))
STATES_MAX = 29


def _states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"])
        for branch in state.get("Branches", []):
            yield from _states(branch)


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
def test_no_arn_but_an_integrations_own_and_no_yaml_alias(path: Path) -> None:
    text = path.read_text()
    for arn in re.findall(r"arn:[^\s\"']+", text):
        assert arn.startswith("arn:aws:states:::"), arn
    assert not re.search(r":\s+[&*]\w+\s*$", text, re.MULTILINE)


def test_every_training_job_is_told_its_region() -> None:
    """AWS Batch tells a container nothing of it, and the CloudWatch client asks for one."""
    resources = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]
    for container in _containers(resources):
        assert {"Name": "AWS_DEFAULT_REGION", "Value": {"Ref": "AWS::Region"}} in container["Environment"]


def _containers(resources: dict[str, Any]) -> list[dict[str, Any]]:
    """What the three job definitions run."""
    (several,) = resources["MultiNodeTrainingJob"]["Properties"]["NodeProperties"]["NodeRangeProperties"]
    single = [resources[name]["Properties"]["ContainerProperties"] for name in ("TrainingJob", "SpotTrainingJob")]
    return [*single, several["Container"]]


def test_the_job_definitions_differ_only_in_capacity_and_retries() -> None:
    """A run goes from one to another, so what they run must be the same."""
    resources = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]
    containers = _containers(resources)
    for container in containers:
        container["Environment"] = {
            variable["Name"]: variable["Value"]
            for variable in container["Environment"]
            if variable["Name"] != "TURBINE_INTERRUPTIONS_PER_HOUR"
        }
    assert containers[0] == containers[1] == containers[2]
    assert "TURBINE_TABLE" in containers[0]["Environment"]


def test_only_lost_hosts_and_75_are_tried_again_and_never_by_batch_on_spot() -> None:
    resources = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]
    last = [{"Action": "EXIT", name: "*"} for name in ("OnExitCode", "OnReason", "OnStatusReason")]
    spot = resources["SpotTrainingJob"]["Properties"]["RetryStrategy"]
    assert spot == {"Attempts": 1, "EvaluateOnExit": last}
    for name in ("TrainingJob", "MultiNodeTrainingJob"):
        assert resources[name]["Properties"]["RetryStrategy"]["EvaluateOnExit"] == [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "RETRY", "OnExitCode": "75"},
            *last,
        ]


def test_a_job_may_touch_its_teams_leases_and_nothing_else_of_the_table() -> None:
    """Claims, decisions and champions lie in the same table: a job that could write them could promote itself."""
    role = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]["JobRole"]["Properties"]
    (policy,) = role["Policies"]
    (statement,) = [one for one in policy["PolicyDocument"]["Statement"] if "dynamodb" in str(one["Action"])]
    assert statement["Action"] == "dynamodb:UpdateItem"
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [{"Fn::Sub": "LEASE#${TeamName}-*"}]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    # So that the prefix is one team's only.
    assert not re.fullmatch(names.TEAM_PATTERN, "two-words")


def test_a_job_may_list_its_teams_runs_and_nothing_else() -> None:
    """To see whether its run is finished. Its shards are named in its spec."""
    role = yaml_parse((ROOT / "stacks/team.yaml").read_text())["Resources"]["JobRole"]["Properties"]
    (policy,) = role["Policies"]
    listing = [one for one in policy["PolicyDocument"]["Statement"] if one["Action"] == "s3:ListBucket"]
    assert {one["Resource"]["Fn::Sub"].rpartition(":")[2]: one["Condition"] for one in listing} == {
        "${ArtifactBucketName}": {"StringLike": {"s3:prefix": {"Fn::Sub": "runs/${TeamName}/*"}}},
    }


def test_all_submissions_of_a_run_fit_into_the_time_of_its_machine() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    default = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    margin_s = template["Resources"]["RunMachine"]["Properties"]["DefinitionSubstitutions"]["MarginSeconds"]
    spot_s = default["QueueSeconds"] + default["AttemptTimeoutSeconds"] + margin_s
    on_demand_s = default["QueueSeconds"] + default["OnDemandAttempts"] * default["AttemptTimeoutSeconds"] + margin_s
    run = yaml.safe_load((ROOT / "state_machines/run.asl.yaml").read_text())
    jobs = [state for state in run["States"].values() if state.get("Resource", "").endswith("batch:submitJob.sync")]
    of_training = [state for state in jobs if state["Arguments"]["JobName"] == "{% $run.run_id %}"]
    others = len(jobs) - len(of_training)
    assert (len(of_training), others) == (3, 2)  # on Spot and on demand, the latter with one node or several
    assert default["SpotSubmissions"] * spot_s + (1 + others) * on_demand_s < run["TimeoutSeconds"]


def test_all_jobs_have_the_share_identifier_that_the_planner_and_its_simulator_reckon_with() -> None:
    shares = [
        state["Arguments"]["ShareIdentifier"]
        for _, state in _states(yaml.safe_load((ROOT / "state_machines/run.asl.yaml").read_text()))
        if state.get("Resource", "").endswith("batch:submitJob.sync")
    ]
    assert len(shares) == 5
    assert set(shares) == {SHARE_IDENTIFIER} == {PLANNED_SHARE}

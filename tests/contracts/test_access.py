"""Who may do what: docs/access.md is what the policies for people say, and every word of these is needed for it."""

from __future__ import annotations

import json

import pytest

from cli.check.iam.intrinsics import Deployment
from tests.contracts import access_table
from tests.contracts.access_table import PAGE, Row

MOST_CHARACTERS = 6_144
"""Of a managed policy, white space aside. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
LONGEST_NAMES = {
    # S3 takes 63 characters; CloudFormation adds to the stack's name, and once more in a nested one.
    "turbine": "s" * 30,
    "databucket": "d" * 63,
    "artifactbucket": "a" * 63,
    "predictionbucket": "p" * 63,
    "TrainingTable": "t" * 60,
    "PredictionTable": "t" * 90,
}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return access_table.deployed()


@pytest.fixture(scope="module")
def rows(deployment: Deployment) -> list[Row]:
    return access_table.rows(deployment, PAGE.read_text())


def test_the_tables_are_what_the_policies_say(deployment: Deployment, rows: list[Row]) -> None:
    assert len(rows) > 80
    assert list(access_table.wrong(access_table.documents(deployment), rows)) == []


def test_every_part_of_the_policies_is_needed_by_a_row(deployment: Deployment, rows: list[Row]) -> None:
    made = list(access_table.mutants(access_table.documents(deployment)))
    assert len(made) > 250
    assert [(mutant.policy, mutant.what) for mutant in made if not mutant.is_found(rows)] == []


def test_the_policies_only_allow(deployment: Deployment) -> None:
    for document in access_table.documents(deployment).values():
        assert {statement["Effect"] for statement in document["Statement"]} == {"Allow"}


def test_the_policies_are_short_enough_with_long_names(deployment: Deployment) -> None:
    for name, document in access_table.documents(deployment).items():
        text = json.dumps(document, separators=(",", ":"))
        for short, long in LONGEST_NAMES.items():
            text = text.replace(short, long)
        assert len("".join(text.split())) <= MOST_CHARACTERS, name


def test_without_a_role_to_deploy_in_nothing_is_handed_over() -> None:
    deployment = access_table.deployed()
    given = deployment.resource("PlatformEngineerPolicy")["Properties"]["PolicyDocument"]["Statement"]
    (conditional,) = [one["Fn::If"] for one in given if "Fn::If" in one]
    assert conditional[0] == "HasDeploymentRole"
    assert conditional[1]["Action"] == "iam:PassRole"
    assert conditional[2] == {"Ref": "AWS::NoValue"}

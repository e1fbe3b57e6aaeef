"""The day when the table was lost: `turbine models rebuild` brings a team's champions back from what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli import exit_codes
from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud

pytestmark = pytest.mark.xdist_group("scenarios")


def typed(cloud: LiveCloud, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = turbine("models", *arguments, "--json", environment=cloud.environment)
    return done.returncode, json.loads(done.stdout)


def items_of(cloud: LiveCloud, pk: str) -> dict[str, Any]:
    """A partition as DynamoDB holds it, by sort key."""
    answer = cloud.client("dynamodb").query(
        TableName=cloud.outputs["TableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ConsistentRead=True,
    )
    return {item["sk"]["S"]: item for item in answer["Items"]}


@pytest.fixture
def loser(demo: KeptDemo) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """A team that the demo promoted twice, with its champions and its first package, which are away in the test."""
    cloud = demo.cloud
    team = demo.runs(round=2, decision="promoted")[0]["team"]
    run_pk = f"RUN#{demo.runs(team=team, round=1)[0]['run_id']}"
    champions, package = items_of(cloud, f"TEAM#{team}"), items_of(cloud, run_pk)["PACKAGE"]
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["TableName"]
    gone = [*(item for sk, item in champions.items() if sk.startswith("CHAMPION")), package]
    for item in gone:
        dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})
    yield team, champions, package
    for item in gone:
        dynamodb.put_item(TableName=table, Item=item)


def test_the_champions_items_come_back_as_they_were(
    demo: KeptDemo, loser: tuple[str, dict[str, Any], dict[str, Any]]
) -> None:
    cloud, (team, champions, package) = demo.cloud, loser
    assert {"CHAMPION", "CHAMPION#00000001", "CHAMPION#00000002"} <= champions.keys()
    code, shown = typed(cloud, "rebuild", team)
    (seen,) = shown["teams"]
    assert (code, seen["champion"]["status"], seen["written"]) == (exit_codes.OK, "missing", [])
    assert {line["status"] for line in seen["history"]} == {"missing"}
    assert not [sk for sk in items_of(cloud, f"TEAM#{team}") if sk.startswith("CHAMPION")]
    code, shown = typed(cloud, team)
    assert (code, shown["champion"]) == (exit_codes.OK, None)

    code, told = typed(cloud, "rebuild", team, "--yes")
    assert (code, told["teams"][0]["obstacles"]) == (exit_codes.OK, [])
    assert items_of(cloud, f"TEAM#{team}") == champions
    again = items_of(cloud, package["pk"]["S"])["PACKAGE"]
    assert {**again, "reserved_at": None} == {**package, "reserved_at": None}

    code, told = typed(cloud, "rebuild", team, "--yes")
    assert (code, told["teams"][0]["written"]) == (exit_codes.OK, [])
    _, told = typed(cloud, "rebuild")
    assert {one["team"] for one in told["teams"]} >= {run["team"] for run in demo.runs()}

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe import drops
from cli.observe.drops import Drop
from cli.observe.follow import Ended, Follower
from cli.observe.records import Records
from cli.progress import RunProgress

OUTPUTS = {
    "TableName": "training",
    "PredictionTableName": "predictions",
    "RunMachineArn": "arn:aws:states:us-east-1:1:stateMachine:run",
    "TrainingMachineArn": "arn:training",
    "InferenceMachineArn": "arn:inference",
}
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


class FakeStepFunctions:
    """Executions that failed before they could record anything."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}

    def get_paginator(self, _name: str) -> FakeStepFunctions:
        raise AssertionError("no history is needed once describe_execution failed")

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        if executionArn not in self.failed:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
        return {"input": self.failed[executionArn], "error": "Boom", "cause": "no such table"}

    def list_executions(self, stateMachineArn: str, statusFilter: str, maxResults: int) -> dict[str, Any]:  # noqa: N803
        named = [arn for arn in self.failed if arn.startswith(stateMachineArn) and statusFilter == "FAILED"]
        return {"executions": [{"executionArn": arn, "startDate": NOW} for arn in named]}


class FakeCloud(Cloud):
    """moto's tables and hand-made executions."""

    def __init__(self) -> None:
        self.stack = "turbine"
        self.outputs = OUTPUTS
        self.stepfunctions = FakeStepFunctions()

    def client(self, service: str) -> Any:
        return self.stepfunctions if service == "stepfunctions" else boto3.client("dynamodb", "us-east-1")


class Remembering:
    """A view that keeps what it was shown."""

    detail_every_s = 0.0

    def __init__(self) -> None:
        self.shown: list[RunProgress] = []

    def phase(self, text: str) -> None:
        raise AssertionError(text)

    def update(self, runs: Sequence[RunProgress]) -> None:
        self.shown = list(runs)


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", "us-east-1")
        for table in ("training", "predictions"):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "kind", "created_at")
                ],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": "by_kind",
                        "KeySchema": [
                            {"AttributeName": "kind", "KeyType": "HASH"},
                            {"AttributeName": "created_at", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
            )
        yield FakeCloud()


def _put(table: str, pk: str, sk: str, **fields: Any) -> None:
    boto3.resource("dynamodb", "us-east-1").Table(table).put_item(Item={"pk": pk, "sk": sk, **fields})


def _record(run_id: str, *, decision: str | None, status: str | None = "SUCCEEDED") -> None:
    _put("training", f"RUN#{run_id}", "RECORD", kind="run", run_id=run_id, team="vision", created_at="2026")
    if decision:
        _put("training", f"RUN#{run_id}", "DECISION", decision=decision, reason="because")
    if status:
        _put("training", f"RUN#{run_id}", "OUTCOME", status=status)


def _drop(inference: bool = True) -> tuple[Drop, str]:
    manifest = {"team": "vision", "dataset": {"name": "digits"}, "inference": {"uri": "s3://"} if inference else None}
    drop = drops.of_object("data", "manifests/vision/a.json", "version-1", json.dumps(manifest), NOW)
    run_id = drop.runs[0].run_id
    assert run_id is not None
    return drop, run_id


def _follow(cloud: FakeCloud, drop: Drop, view: Remembering | None = None) -> Ended:
    (ended,) = Follower(cloud, view or Remembering()).follow([drop], "round 1", timeout_s=0)
    return ended


def test_a_held_run_ends_with_its_outcome(cloud: FakeCloud) -> None:
    drop, run_id = _drop()
    _record(run_id, decision="hold")
    ended = _follow(cloud, drop)
    assert (ended.run_id, ended.status, ended.verdict, ended.predicted) == (run_id, "SUCCEEDED", "held", False)


def test_a_promoted_run_ends_with_its_predictions(cloud: FakeCloud) -> None:
    drop, run_id = _drop()
    _record(run_id, decision="promote")
    with pytest.raises(CommandError, match="waiting for predictions"):
        _follow(cloud, drop)
    _put("predictions", "TEAM#vision", "INFERENCE#i", run_id=run_id, status="RUNNING", created_at="1")
    with pytest.raises(CommandError, match="predicting"):
        _follow(cloud, drop)
    _put("predictions", "TEAM#vision", "INFERENCE#i", run_id=run_id, status="SUCCEEDED", created_at="1", records=180)
    view = Remembering()
    assert _follow(cloud, drop, view).predicted
    assert (view.shown[0].records, view.shown[0].done) == (180, True)


def test_a_promoted_run_that_asked_for_no_predictions_does_not_wait_for_them(cloud: FakeCloud) -> None:
    drop, run_id = _drop(inference=False)
    _record(run_id, decision="promote")
    assert _follow(cloud, drop).verdict == "promoted"


def test_a_failed_run_ends_without_a_decision(cloud: FakeCloud) -> None:
    drop, run_id = _drop()
    _record(run_id, decision=None, status="FAILED")
    ended = _follow(cloud, drop)
    assert (ended.status, ended.verdict) == ("FAILED", None)


def test_a_refused_manifest_ends_with_its_rejection(cloud: FakeCloud) -> None:
    drop, _ = _drop()
    _put("training", f"REJECTED#{drop.cause_key}", "RECORD", kind="rejection", field="recipe.name", created_at="2026")
    ended = _follow(cloud, drop)
    assert ended.status == "REFUSED"
    assert ended.rejections[0]["field"] == "recipe.name"


def test_a_run_that_is_not_over_is_named_when_time_is_up(cloud: FakeCloud) -> None:
    drop, run_id = _drop()
    _record(run_id, decision=None, status=None)
    with pytest.raises(CommandError, match=run_id):
        _follow(cloud, drop)


def test_a_preparation_that_failed_is_not_waited_for(cloud: FakeCloud) -> None:
    drop, _ = _drop()
    cloud.stepfunctions.failed = {"arn:training:1": '{"version-id": "another"}', "arn:training:2": '"version-1"'}
    with pytest.raises(CommandError, match="Boom: no such table") as raised:
        Follower(cloud, Remembering()).follow([drop], "run", timeout_s=600)
    assert raised.value.place == "arn:training:2"


def test_an_inference_that_failed_before_its_claim_is_not_waited_for(cloud: FakeCloud) -> None:
    drop, run_id = _drop()
    _record(run_id, decision="promote")
    cloud.stepfunctions.failed = {"arn:inference:1": json.dumps({"detail": {"run_id": run_id}})}
    with pytest.raises(CommandError, match="Boom"):
        Follower(cloud, Remembering()).follow([drop], "run", timeout_s=600)


def test_newest_records_come_first_and_of_one_team(cloud: FakeCloud) -> None:
    for number, team in enumerate(("vision", "winery", "vision")):
        _put("training", f"RUN#{number}", "RECORD", kind="run", team=team, created_at=f"2026-11-2{number}")
    records = Records(cloud)
    assert [item["pk"] for item in records.newest("run", 2)] == ["RUN#2", "RUN#1"]
    assert [item["pk"] for item in records.newest("run", 9, "vision")] == ["RUN#2", "RUN#0"]


def test_numbers_come_out_as_json_can_hold_them(cloud: FakeCloud) -> None:
    boto3.client("dynamodb", "us-east-1").put_item(
        TableName="training",
        Item={
            "pk": {"S": "TEAM#vision"},
            "sk": {"S": "CHAMPION"},
            "champion_version": {"N": "3"},
            "nested": {"M": {"delta": {"N": "0.25"}, "list": {"L": [{"N": "1"}]}}},
        },
    )
    champion = Records(cloud).champion("vision")
    assert champion is not None
    assert json.dumps([champion["champion_version"], champion["nested"]]) == '[3, {"delta": 0.25, "list": [1]}]'
    assert Records(cloud).champion("nobody") is None

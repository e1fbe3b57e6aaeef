"""A manifest whose words and data a run has had is found, by a handful of reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.observe import earlier_runs
from cli.observe.earlier_runs import EarlierRun
from tests.unit.turbine.arrange import World, manifest
from turbine.aws.dynamodb import _attributes
from turbine.domain.uri import parse

OUTPUTS = {
    "DataBucketName": "data",
    "ArtifactBucketName": "artifacts",
    "TableName": "training",
    "PredictionTableName": "prediction",
}
KEY = "manifests/vision/m.json"


class Account:
    """The buckets and the table as `prepare_training` leaves them, and how often they are asked."""

    outputs = OUTPUTS

    def __init__(self) -> None:
        self.world = World()
        self.asked: Counter[str] = Counter()
        self.clients: dict[str, Any] = {
            name: boto3.client(name, region_name="us-east-1") for name in ("s3", "dynamodb")
        }
        for bucket in ("data", "artifacts"):
            self.clients["s3"].create_bucket(Bucket=bucket)
        names = ("pk", "sk", "kind", "created_at")
        self.clients["dynamodb"].create_table(
            TableName="training",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=_keys("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_kind",
                    "KeySchema": _keys("kind", "created_at"),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        for client in self.clients.values():
            client.meta.events.register("before-call", lambda model, **_: self.asked.update([model.name]))

    def run(self, status: str | None = "SUCCEEDED", key: str = KEY, **changes: Any) -> str:
        """A run of a manifest, with its outcome."""
        (run,) = self.world.prepare()(self.world.drop(key, manifest(**changes)), "arn:execution")["runs"]
        run_id = str(run["run_id"])
        if status is not None:
            self.world.table.put({"pk": f"RUN#{run_id}", "sk": "OUTCOME", "status": status, "decision": "promoted"})
        self.copy()
        return run_id

    def copy(self) -> None:
        """Bring everything of the fakes into the account."""
        for place in set(self.world.store.written):
            bucket, key = parse(place)
            self.clients["s3"].put_object(Bucket=bucket, Key=key, Body=self.world.store[place])
        for item in self.world.table.items.values():
            attributes = _attributes(item)
            self.clients["dynamodb"].put_item(TableName="training", Item=attributes)
        self.asked.clear()

    def find(self, document: Any, key: str = KEY) -> list[EarlierRun]:
        cloud: Any = SimpleNamespace(client=self.clients.__getitem__, output=OUTPUTS.__getitem__)
        return earlier_runs.find(cloud, document if isinstance(document, str) else json.dumps(document), key)


def _keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = Account()
        made.world.add_team("vision")
        yield made


def test_the_same_words_on_the_same_data_are_found_under_any_name_and_spelling(account: Account) -> None:
    run_id = account.run()
    found = [EarlierRun(run_id, "SUCCEEDED", "promoted")]
    spelt_out = manifest(seed=7, compute={"nodes": "auto"}, inference=None)
    assert account.find(spelt_out, "manifests/vision/another.json") == found
    asked = {"Query": 2, "GetObject": 2, "ListObjectsV2": 1}
    assert account.asked == asked, "the runs, the run; its manifest and its spec; the data"


def test_a_run_under_way_is_found_and_a_failed_one_is_not(account: Account) -> None:
    account.run("FAILED")
    account.run("SUPERSEDED")
    assert account.find(manifest()) == []
    run_id = account.run(None)
    assert account.find(manifest()) == [EarlierRun(run_id, "RUNNING", None)]


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 8},
        {"recipe": {"name": "image_classifier", "hyperparameters": {"epochs": 9}}},
        {"compute": {"nodes": 2}},
    ],
    ids=str,
)
def test_other_words_are_new(account: Account, changes: dict[str, Any]) -> None:
    account.run()
    assert account.find(manifest(**changes)) == []


def test_other_data_are_new_and_the_same_ones_again_are_not(account: Account) -> None:
    run_id = account.run()
    account.world.store["s3://data/datasets/vision/digits/part-2.parquet"] = b"shard two"
    account.copy()
    assert account.find(manifest()) == []
    newer = account.run()
    assert [one.run_id for one in account.find(manifest())] == [newer]
    account.clients["s3"].delete_object(Bucket="data", Key="datasets/vision/digits/part-2.parquet")
    assert [one.run_id for one in account.find(manifest())] == [run_id]


def test_each_entry_of_a_batch_is_looked_for(account: Account) -> None:
    runs = [account.run(), account.run(seed=8)]
    batch = {"schema_version": 1, "runs": [manifest(seed=8), manifest(seed=9), manifest(), manifest()]}
    assert [one.run_id for one in account.find(batch, "manifests/_batch/all.json")] == runs[::-1]


@pytest.mark.parametrize("text", ["{", "[]", '{"team": "vision"}', json.dumps(manifest(team="winery"))])
def test_what_the_cloud_will_refuse_is_not_looked_for(account: Account, text: str) -> None:
    assert account.find(text) == []
    assert not account.asked


def test_never_more_than_a_few_are_compared(account: Account) -> None:
    account.run()
    for seed in range(10, 10 + earlier_runs.COMPARED):
        account.run(seed=seed)
    account.asked.clear()
    account.find(manifest(seed=1))
    assert account.asked == {"Query": 1, "GetObject": earlier_runs.COMPARED}

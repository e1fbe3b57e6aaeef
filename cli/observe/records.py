"""The run records, rejections, champions and prediction claims of the two tables (docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from cli.cloud import Cloud
from turbine.domain.champion import Champion

Item = dict[str, Any]
FINISHED_INFERENCE = ("SUCCEEDED", "FAILED", "SKIPPED")
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True)
class RunItems:
    """All items of one run, each `{}` until it is written."""

    run_id: str
    record: Item = field(default_factory=dict)
    claim: Item = field(default_factory=dict)
    decision: Item = field(default_factory=dict)
    package: Item = field(default_factory=dict)
    outcome: Item = field(default_factory=dict)

    @property
    def team(self) -> str:
        return str(self.record.get("team") or self.run_id.partition("-")[0])

    @property
    def status(self) -> str:
        """`RUNNING` until the outcome is recorded."""
        return str(self.outcome.get("status", "RUNNING"))

    @property
    def verdict(self) -> str | None:
        """`promoted`, `held` or `rejected`."""
        value = self.outcome.get("decision") or self.decision.get("decision")
        return _PAST_TENSE.get(str(value), str(value)) if value else None

    @property
    def failure(self) -> str | None:
        """The error's name, which is often `States.TaskFailed`, and the first line of its cause, which tells more."""
        first_line = next(iter(str(self.outcome.get("cause") or "").splitlines()), "")
        return ": ".join(str(part) for part in (self.outcome.get("error"), first_line) if part) or None


_PAST_TENSE = {"promote": "promoted", "hold": "held", "reject": "rejected"}


class Records:
    """Reads of the training table and the prediction table of one stack."""

    def __init__(self, cloud: Cloud) -> None:
        self._dynamodb = cloud.client("dynamodb")
        self._table = cloud.output("TableName")
        self._prediction_table = cloud.output("PredictionTableName")

    def run(self, run_id: str) -> RunItems:
        """One run with all its items; an unknown run has no record."""
        items = {item["sk"]: item for item in self._query(self._table, f"RUN#{run_id}")}
        names = ("record", "claim", "decision", "package", "outcome")
        return RunItems(run_id, **{name: items.get(name.upper(), {}) for name in names})

    def newest(self, kind: str, limit: int, team: str | None = None) -> list[Item]:
        """The newest records of a kind (`run` or `rejection`), newest first, of one team or of all."""
        of_team = (item for item in self._by_kind(kind) if team is None or item.get("team") == team)
        return list(islice(of_team, limit))

    def recent(self, kind: str, looked_at: int) -> list[Item]:
        """The newest records of a kind, of all teams, newest first; never more are read."""
        return list(islice(self._by_kind(kind), looked_at))

    def latest_version(self, manifest: str) -> str | None:
        """The newest version of a dropped manifest (`bucket/key`) that was accepted."""
        key = {"pk": {"S": f"SEQUENCER#{manifest}"}, "sk": {"S": "LATEST"}}
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return str(_plain(answer["Item"])["version_id"]) if "Item" in answer else None

    def rejections(self, cause_key: str) -> list[Item]:
        """What was refused in the manifest with this cause."""
        return self._query(self._table, f"REJECTED#{cause_key}")

    def champion(self, team: str) -> Item | None:
        """The team's current champion."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"pk": {"S": f"TEAM#{team}"}, "sk": {"S": "CHAMPION"}},
            ConsistentRead=True,
        )
        return _plain(answer["Item"]) if "Item" in answer else None

    def champions(self, team: str) -> list[Champion]:
        """Every champion that the team ever had, oldest first; one that came back stands there again."""
        return [Champion.model_validate(item) for item in self._query(self._table, f"TEAM#{team}", "CHAMPION#")]

    def inferences(self, team: str) -> list[Item]:
        """The team's prediction claims."""
        return self._query(self._prediction_table, f"TEAM#{team}", "INFERENCE#")

    def inference_of(self, team: str, run_id: str) -> Item | None:
        """The newest prediction claim of a run."""
        claims = [item for item in self.inferences(team) if item.get("run_id") == run_id]
        return max(claims, key=lambda item: str(item.get("created_at", "")), default=None)

    def _query(self, table: str, pk: str, sk_prefix: str | None = None) -> list[Item]:
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if sk_prefix is not None:
            condition += " AND begins_with(sk, :sk)"
            values[":sk"] = {"S": sk_prefix}
        return list(
            self._pages(
                TableName=table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
            )
        )

    def _by_kind(self, kind: str) -> Iterator[Item]:
        return self._pages(
            TableName=self._table,
            IndexName="by_kind",
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": kind}},
            ScanIndexForward=False,
        )

    def _pages(self, **arguments: Any) -> Iterator[Item]:
        for page in self._dynamodb.get_paginator("query").paginate(**arguments):
            yield from (_plain(item) for item in page["Items"])


def _plain(item: dict[str, Any]) -> Item:
    """A DynamoDB item as plain Python values that JSON can hold."""
    return {name: _number(_deserialize(value)) for name, value in item.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _number(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_number(inner) for inner in value]
    return value

"""A DynamoDB table with the keys `pk` and `sk`; plain JSON values outside, DynamoDB's inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import TryAgainError
from turbine.ports import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize

ABSENT = "attribute_not_exists(pk)"

# Why DynamoDB cancels a transaction whose conditions may well hold. botocore does not try these again.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)


class DynamoTable:
    """Fulfils `ports.Table` and `ports.RunLister`."""

    def __init__(self, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._name = name
        self._sleep = sleep

    @property
    def _dynamodb(self) -> DynamoDBClient:
        dynamodb: DynamoDBClient = client("dynamodb")
        return dynamodb

    def get(self, pk: str, sk: str) -> Item | None:
        found = self._dynamodb.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
        item = found.get("Item")
        return None if item is None else _item(item)

    def runs_between(self, since: str, until: str) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            IndexName="by_kind",
            KeyConditionExpression="kind = :kind AND created_at BETWEEN :since AND :until",
            ExpressionAttributeValues={":kind": {"S": "run"}, ":since": {"S": since}, ":until": {"S": until}},
        )
        for page in pages:
            yield from map(_item, page["Items"])

    def insert(self, item: Item) -> bool:
        return self._conditional_put(item, ConditionExpression=ABSENT)

    def put(self, item: Item) -> None:
        self._dynamodb.put_item(TableName=self._name, Item=_attributes(item))

    def put_newer(self, item: Item, attribute: str) -> bool:
        return self._conditional_put(
            item,
            ConditionExpression=f"{ABSENT} OR #attribute < :value",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":value": _typed(item[attribute])},
        )

    def update(self, pk: str, sk: str, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
        changed, named, valued = _equations("c", changes)
        wanted, more_named, more_valued = _equations("e", expected)
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key=_key(pk, sk),
                UpdateExpression="SET " + ", ".join(changed),
                ConditionExpression=" AND ".join(["attribute_exists(pk)", *wanted]),
                ExpressionAttributeNames={**named, **more_named},
                ExpressionAttributeValues={**valued, **more_valued},
            )
        except ClientError as error:
            return _lost(error, "ConditionalCheckFailedException")
        return True

    def swap(self, item: Item, expected: Mapping[str, Any] | None, also: Item) -> bool:
        replace: PutTypeDef = {
            "TableName": self._name,
            "Item": _attributes(item),
            "ConditionExpression": ABSENT,
        }
        insert = replace.copy()
        insert["Item"] = _attributes(also)
        if expected is not None:
            wanted, named, valued = _equations("e", expected)
            replace["ConditionExpression"] = " AND ".join(wanted)
            replace["ExpressionAttributeNames"] = named
            replace["ExpressionAttributeValues"] = valued
        return self._transact([{"Put": replace}, {"Put": insert}])

    def _transact(self, writes: list[TransactWriteItemTypeDef]) -> bool:
        """Write all or, where a condition does not hold, none; False then.

        A conflict with a concurrent transaction is no answer, so it is asked again a few times.
        Raises: TryAgainError.
        """
        for pause_s in (*PAUSES_S, None):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
                return True
            except ClientError as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    return False
                if not reasons & BUSY:
                    raise
                if pause_s is None:
                    raise TryAgainError(f"Table {self._name} is busy with other transactions: {error}") from error
            self._sleep(pause_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _conditional_put(self, item: Item, **condition: Any) -> bool:
        try:
            self._dynamodb.put_item(TableName=self._name, Item=_attributes(item), **condition)
        except ClientError as error:
            return _lost(error, "ConditionalCheckFailedException")
        return True


def _item(attributes: Mapping[str, Any]) -> Item:
    return {name: _plain(_deserialize(value)) for name, value in attributes.items()}


def _lost(error: ClientError, code: str) -> bool:
    """False when a condition did not hold; any other error goes on."""
    if error.response["Error"]["Code"] == code:
        return False
    raise error


def _equations(prefix: str, values: Mapping[str, Any]) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """`#p0 = :p0` for each attribute, with the names and values they stand for."""
    equations = [f"#{prefix}{place} = :{prefix}{place}" for place in range(len(values))]
    named = {f"#{prefix}{place}": name for place, name in enumerate(values)}
    valued = {f":{prefix}{place}": _typed(value) for place, value in enumerate(values.values())}
    return equations, named, valued


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _attributes(item: Item) -> dict[str, Any]:
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: Any) -> Any:
    return _serialize(_decimal(value))


def _decimal(value: Any) -> Any:
    """DynamoDB holds decimals: the shortest text of a double gives the same double back."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {name: _decimal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_decimal(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value

"""A DynamoDB table with the keys `pk` and `sk`; plain JSON values outside, DynamoDB's inside."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.ports import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize

ABSENT = "attribute_not_exists(pk)"


class DynamoTable:
    """Fulfils `ports.Table`."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def _dynamodb(self) -> DynamoDBClient:
        dynamodb: DynamoDBClient = client("dynamodb")
        return dynamodb

    def get(self, pk: str, sk: str) -> Item | None:
        found = self._dynamodb.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
        item = found.get("Item")
        return None if item is None else {name: _plain(_deserialize(value)) for name, value in item.items()}

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
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": replace}, {"Put": insert}])
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            # A conflict with a concurrent transaction is no answer: let the machine ask again.
            if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                return _lost(error, "TransactionCanceledException")
            raise
        return True

    def _conditional_put(self, item: Item, **condition: Any) -> bool:
        try:
            self._dynamodb.put_item(TableName=self._name, Item=_attributes(item), **condition)
        except ClientError as error:
            return _lost(error, "ConditionalCheckFailedException")
        return True


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

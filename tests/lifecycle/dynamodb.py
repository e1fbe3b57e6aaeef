"""The machines' own calls to DynamoDB, on the fake table: as much of its expressions as they use."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tests.fakes import FakeTable
from tests.lifecycle.interpreter import TaskError

_READER, _WRITER = TypeDeserializer(), TypeSerializer()


def get_item(table: FakeTable, given: Mapping[str, Any]) -> dict[str, Any]:
    """GetItem, consistent or refused: a machine decides by it."""
    assert given["ConsistentRead"] is True
    item = table.get(*_key(given["Key"]))
    return {} if item is None else {"Item": {name: _WRITER.serialize(_decimals(v)) for name, v in item.items()}}


def put_item(table: FakeTable, given: Mapping[str, Any]) -> dict[str, Any]:
    """PutItem. Raises: TaskError."""
    item = _plain(given["Item"])
    _check(given, table.get(item["pk"], item["sk"]))
    table.put(item)
    return {}


def update_item(table: FakeTable, given: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateItem that SETs values. Raises: TaskError."""
    pk, sk = _key(given["Key"])
    stored = table.get(pk, sk)
    _check(given, stored)
    action, _, assignments = given["UpdateExpression"].partition(" ")
    assert action == "SET"
    changes = {}
    for assignment in assignments.split(", "):
        name, _, value = assignment.partition(" = ")
        changes[_name(given, name)] = _value(given, value)
    table.put({"pk": pk, "sk": sk, **(stored or {}), **changes})
    return {}


def _check(given: Mapping[str, Any], stored: Mapping[str, Any] | None) -> None:
    condition = given.get("ConditionExpression")
    if condition is not None and not any(_holds(given, part, stored) for part in condition.split(" OR ")):
        raise TaskError("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")


def _holds(given: Mapping[str, Any], condition: str, stored: Mapping[str, Any] | None) -> bool:
    if condition == "attribute_not_exists(pk)":
        return stored is None
    if " AND " in condition:
        return all(_holds(given, part, stored) for part in condition.split(" AND "))
    name, is_comparison, value = condition.partition(" = ")
    assert is_comparison, f"{condition} is not understood here"
    return stored is not None and stored.get(_name(given, name)) == _value(given, value)


def _name(given: Mapping[str, Any], name: str) -> str:
    return str(given["ExpressionAttributeNames"][name]) if name.startswith("#") else name


def _value(given: Mapping[str, Any], name: str) -> Any:
    return _number(_READER.deserialize(given["ExpressionAttributeValues"][name]))


def _key(key: Mapping[str, Any]) -> tuple[str, str]:
    plain = _plain(key)
    return plain["pk"], plain["sk"]


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(_READER.deserialize(value)) for name, value in item.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _decimals(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, dict):
        return {name: _decimals(item) for name, item in value.items()}
    return [_decimals(item) for item in value] if isinstance(value, list) else value

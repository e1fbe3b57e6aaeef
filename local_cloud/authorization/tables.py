"""Which attribute of a DynamoDB table is its partition key."""

from __future__ import annotations

from moto.dynamodb.models import dynamodb_backends


def partition_key(name: str, account: str, region: str) -> str | None:
    """The name of the attribute; None for a table that is not there. `name` may be an ARN."""
    table = dynamodb_backends[account][region].tables.get(name.rpartition("/")[2])
    return table.hash_key_attr if table is not None else None

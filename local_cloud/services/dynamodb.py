"""DynamoDB under threads: moto checks a condition and writes in two steps; another thread fits in between.

One lock a backend (an account's tables in a Region) makes each operation happen at once, which is what
conditional writes and transactions promise.
"""

from __future__ import annotations

import copy
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from local_cloud.durability import commits
from local_cloud.replacements import Replacement

_READS = ("get_item", "query", "scan")
_WRITES = ("put_item", "update_item", "delete_item", "create_table", "update_table", "delete_table")

_locks: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


def _lock_of(backend: Any) -> Any:
    with _locks_guard:
        return _locks.setdefault(backend, threading.RLock())


def _one_at_a_time(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _lock_of(self):
            return original(self, *args, **kwargs)

    return operation


def _whole(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let no commit of another request's come in between: it would write an item with half of its attributes."""
    one_at_a_time = _one_at_a_time(original)

    @functools.wraps(original)
    def operation(*args: Any, **kwargs: Any) -> Any:
        with commits.together():
            return one_at_a_time(*args, **kwargs)

    return operation


def _undone_by_item(original: Callable[..., None]) -> Callable[..., None]:
    """A transaction that fails gives back the items it has touched, instead of copies of whole tables."""

    @functools.wraps(original)
    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        # No commit of another request's may come in between: it would write half of the transaction.
        with commits.together(), _lock_of(self):
            before = [(table, key, copy.deepcopy(_stored(table, key))) for table, key in _touched(self, transact_items)]
            try:
                original(self, transact_items)
            except BaseException:
                for table, key, item in before:
                    _give_back(table, key, item)
                raise

    return transact_write_items


def _touched(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[tuple[Any, tuple[Any, Any]]]:
    """The tables and keys of a transaction; what is malformed is left to moto to refuse."""
    for item in transact_items:
        for operation in item.values():
            table = backend.tables.get(operation.get("TableName"))
            attributes = operation.get("Item") or operation.get("Key") or {}
            if table is not None and table.hash_key_attr in attributes:
                names = (table.hash_key_attr, table.range_key_attr)
                hash_key, range_key = (DynamoType(attributes[name]) if name in attributes else None for name in names)
                yield table, (hash_key, range_key)


def _stored(table: Any, key: tuple[Any, Any]) -> Any:
    there = dict.get(table.items, key[0])
    return there.get(key[1]) if there is not None and table.range_key_attr else there


def _give_back(table: Any, key: tuple[Any, Any], item: Any) -> None:
    hash_key, range_key = key
    if table.range_key_attr is None:
        if item is None:
            table.items.pop(hash_key, None)
        else:
            table.items[hash_key] = item
    elif item is None:
        if hash_key in table.items:
            table.items[hash_key].pop(range_key, None)
    else:
        table.items[hash_key][range_key] = item


class _CopyingItemsOnly:
    """`copy` as moto's operations have it: the table that a transaction may change is not copied."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)


def _capacity_only_if_asked(original: Callable[..., Any]) -> Callable[..., Any]:
    def update_item(self: Any) -> Any:
        answer = original(self)
        if self.body.get("ReturnConsumedCapacity", "NONE") == "NONE":
            answer.result.pop("ConsumedCapacity", None)
        return answer

    return update_item


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.dynamodb.models:DynamoDBBackend.transact_write_items",
        build=_undone_by_item,
        why="copies whole tables for each transaction",
    ),
    Replacement(
        target="moto.dynamodb.models:copy",
        build=lambda _: _CopyingItemsOnly,
        why="as above",
    ),
    Replacement(
        target="moto.dynamodb.responses:DynamoHandler.update_item",
        build=_capacity_only_if_asked,
        why="answers a capacity that nobody asked for, which ends up in the output of a Task",
    ),
    *(
        Replacement(
            target=f"moto.dynamodb.models:DynamoDBBackend.{operation}",
            build=build,
            why="two conditional writes at once could both succeed, and a failed transaction undid others'",
        )
        for operations, build in ((_READS, _one_at_a_time), (_WRITES, _whole))
        for operation in operations
    ),
]

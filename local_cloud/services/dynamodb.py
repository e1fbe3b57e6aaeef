"""DynamoDB under threads: moto checks a condition and writes in two steps; another thread fits in between.

One lock a backend (an account's tables in a Region) makes each operation happen at once, which is what
conditional writes and transactions promise.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

from local_cloud.replacements import Replacement

_OPERATIONS = (
    "put_item",
    "update_item",
    "delete_item",
    "transact_write_items",
    "get_item",
    "query",
    "scan",
    "create_table",
    "update_table",
    "delete_table",
)

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


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"moto.dynamodb.models:DynamoDBBackend.{operation}",
        build=_one_at_a_time,
        why="two conditional writes at once could both succeed, and a failed transaction undid others'",
    )
    for operation in _OPERATIONS
]

"""A transaction is written whole."""

from __future__ import annotations

import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend

from local_cloud.durability import commits
from local_cloud.services import dynamodb


def test_no_commit_comes_into_a_transaction() -> None:
    (replacement,) = [r for r in dynamodb.REPLACEMENTS if r.target.endswith("transact_write_items")]
    has_it: list[bool] = []

    def commit() -> None:
        lock: Any = commits.together()  # which every commit takes
        has_it.append(lock.acquire(timeout=0.2))

    def half_done(*_: Any) -> None:
        other = threading.Thread(target=commit)
        other.start()
        other.join()

    replacement.build(half_done)(DynamoDBBackend("us-east-1", "123456789012"), [])
    assert has_it == [False]

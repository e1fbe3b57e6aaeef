"""What tells that an operation is under way, and what its calls were answered, come and go in one commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from local_cloud import intents
from local_cloud.cloudformation import operations
from local_cloud.cloudformation.resources.base import StackContext
from local_cloud.cloudformation.stacks import Pending, Stack, StackStore
from local_cloud.durability import commits, pickling
from local_cloud.durability.references import References
from local_cloud.durability.store import Store
from local_cloud.durability.tracked import changes

CONTEXT = StackContext("s", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "123456789012", "us-east-1")
PENDING = Pending(token="t")
WHOSE = f"{intents.STACK}{PENDING.token}"
ANSWER = intents.Told("200 OK", [], b"made")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store in use, with stacks of this test only."""
    changes.take()
    used, stacks = Store(tmp_path / "state.db", {}), StackStore()
    monkeypatch.setattr(operations, "STORE", stacks)
    monkeypatch.setattr(commits, "_store", used)
    monkeypatch.setattr(commits, "_written", {})
    monkeypatch.setattr(commits, "_extras", {"cloudformation": stacks.kept})
    monkeypatch.setattr(commits, "_references", References())
    yield used
    changes.take()


def found(store: Store) -> tuple[bool, bool]:
    """Whether a cloud that starts now finds the operation, and whether it finds what that was answered."""
    body = store.cell(commits.EXTRAS, "cloudformation")
    stacks = pickling.Unpickler(body, lambda reference: reference).load()[0] if body else {}
    return any(stack.pending for stack in stacks.values()), store.count(intents.space_of(WHOSE)) > 0


def test_an_operation_is_never_found_without_what_its_calls_were_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud dies where an operation would commit, and another thread, which serves a queue, has just done so."""
    left: list[tuple[bool, bool]] = []

    def another_commits(_: Iterable[str] | None = ()) -> None:
        commits.commit({"sqs"})
        left.append(found(store))
        intents.remember(f"{WHOSE}#s/Queue.delete.DeleteQueue1", ANSWER)
        commits.commit({"sqs"})
        left.append(found(store))

    monkeypatch.setattr(commits, "keep", another_commits)
    stack = Stack(CONTEXT, "CREATE_COMPLETE")
    operations.STORE.add(stack)
    operations.in_background(stack, PENDING)
    assert left[:3] == [(True, False), (True, True), (False, False)]

"""What tells that an operation is under way, and what its calls were answered, come and go in one commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud import intents
from local_cloud.cloudformation import operations
from local_cloud.cloudformation.resources.base import StackContext
from local_cloud.cloudformation.stacks import Pending, Stack, StackStore
from local_cloud.durability import commits, pickling
from local_cloud.durability.references import References
from local_cloud.durability.store import Store
from local_cloud.durability.tracked import changes
from local_cloud.services import cloudformation

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


class Sweeping(StackStore):
    """Another thread that tries to commit whenever a stack or a change set is there, or an operation on it begins."""

    def __init__(self) -> None:
        super().__init__()
        self.could_commit: list[bool] = []

    def add(self, stack: Stack) -> None:
        super().add(stack)
        self._try()

    def begin(self, stack: Stack, pending: Pending) -> None:
        self._try()
        super().begin(stack, pending)

    def _try(self) -> None:
        lock: Any = commits.together()  # which every commit takes

        def try_it() -> None:
            self.could_commit.append(lock.acquire(blocking=False))
            if self.could_commit[-1]:
                lock.release()

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()


def asked(**given: str) -> Any:
    """A request, as the operations know it."""
    region, account = CONTEXT.region, CONTEXT.account
    return SimpleNamespace(
        current_account=account, region=region, _get_param=lambda name, otherwise=None: given.get(name, otherwise)
    )


@pytest.mark.parametrize(("operation", "steps"), [(cloudformation.create_stack, 2), (cloudformation.delete_stack, 1)])
def test_an_operation_is_accepted_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch, operation: Callable[[Any], Any], steps: int
) -> None:
    """A stack that is being created, and nothing that creates it, would be so for ever."""
    stacks = Sweeping()
    for module in (operations, cloudformation):
        monkeypatch.setattr(module, "STORE", stacks)
    monkeypatch.setattr(commits, "_extras", {"cloudformation": stacks.kept})
    if operation is cloudformation.delete_stack:
        StackStore.add(stacks, Stack(CONTEXT, "CREATE_COMPLETE"))
    operation(asked(StackName=CONTEXT.name, TemplateBody='{"Resources": {"Nothing": {"Type": "AWS::SQS::Queue"}}}'))
    assert stacks.could_commit == [False] * steps

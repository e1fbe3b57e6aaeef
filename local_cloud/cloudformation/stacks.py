"""What a stack is, and where stacks are kept."""

from __future__ import annotations

import datetime
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_cloud.cloudformation.resources.base import Created, Desired, StackContext


def now() -> datetime.datetime:
    """The time, UTC."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Prepared:
    """A template that may be deployed: read, transformed, with values for its parameters.

    `source` is the text as submitted, `given` the parameters' texts, `values` what they mean.
    """

    source: str
    template: Mapping[str, Any]
    given: Mapping[str, str]
    values: Mapping[str, Any]


@dataclass
class StackResource:
    """One resource that exists."""

    desired: Desired
    created: Created
    status: str
    reason: str = ""
    keep_on_delete: bool = False
    keep_on_replace: bool = False
    changed_at: datetime.datetime = field(default_factory=now)


@dataclass
class Event:
    """One line of a stack's history."""

    logical_id: str
    physical_id: str
    type_name: str
    status: str
    reason: str
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: datetime.datetime = field(default_factory=now)


@dataclass(frozen=True)
class Pending:
    """An operation that is under way: to deploy `prepared`, or without it to delete the stack.

    What it makes gets its names from the `token`, and its calls are known by it: done again after a crash, it makes
    the same.
    """

    prepared: Prepared | None = None
    tags: Mapping[str, str] | None = None
    delete_on_failure: bool = False
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Stack:
    """One stack. Only one operation at a time changes it."""

    context: StackContext
    status: str
    prepared: Prepared | None = None
    reason: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    parent_id: str | None = None
    root_id: str | None = None
    disable_rollback: bool = False
    termination_protection: bool = False
    created_at: datetime.datetime = field(default_factory=now)
    updated_at: datetime.datetime | None = None
    deleted_at: datetime.datetime | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    pending: Pending | None = None
    noted: deque[Event] = field(default_factory=deque)
    """Lines that an operation which is done again has in the history already."""

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def set_status(self, status: str, reason: str = "") -> None:
        """Move on, and note it in the history."""
        self.status, self.reason = status, reason
        self.note(self.context.name, self.context.stack_id, "AWS::CloudFormation::Stack", status, reason)

    def note(self, logical_id: str, physical_id: str, type_name: str, status: str, reason: str = "") -> None:
        """Add a line to the history, unless it is there from before a crash."""
        said = self.noted.popleft() if self.noted else None
        if said is not None and (said.logical_id, said.status) == (logical_id, status):
            return
        self.noted.clear()  # it takes another way now
        self.events.append(Event(logical_id, physical_id, type_name, status, reason))

    def exports(self) -> dict[str, str]:
        """Exported output values by export name."""
        return {
            output["ExportName"]: output["OutputValue"] for output in self.outputs.values() if "ExportName" in output
        }


_BROUGHT_BACK = ("status", "reason", "prepared", "tags", "outputs", "updated_at", "deleted_at")


@dataclass(frozen=True)
class Before:
    """A stack as an operation found it, to which it goes back when the operation is done again after a crash."""

    values: Mapping[str, Any]
    resources: Mapping[str, StackResource]
    events: int

    @classmethod
    def of(cls, stack: Stack) -> Before:
        """A copy: an operation changes resources in place."""
        resources = {name: replace(item) for name, item in stack.resources.items()}
        return cls({name: getattr(stack, name) for name in _BROUGHT_BACK}, resources, len(stack.events))

    def bring_back(self, stack: Stack) -> None:
        """The history stays: what was noted since is not noted twice."""
        for name, value in self.values.items():
            setattr(stack, name, value)
        stack.resources = {name: replace(item) for name, item in self.resources.items()}
        stack.noted = deque(stack.events[self.events :])


@dataclass
class ChangeSet:
    """A planned operation on a stack."""

    name: str
    change_set_id: str
    stack: Stack
    kind: str
    prepared: Prepared
    changes: list[dict[str, Any]]
    status: str
    execution_status: str
    reason: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    created_at: datetime.datetime = field(default_factory=now)


class StackStore:
    """Every stack and change set of this cloud, deleted ones too."""

    def __init__(self) -> None:
        self._stacks: dict[str, Stack] = {}
        self._change_sets: dict[str, ChangeSet] = {}
        self._before: dict[str, dict[str, Before]] = {}
        self._lock = threading.RLock()

    def add(self, stack: Stack) -> None:
        """Keep a new stack. Raises: KeyError when a living stack has its name."""
        with self._lock:
            if self.find(stack.context.account, stack.context.region, stack.context.name) is not None:
                raise KeyError(stack.context.name)
            self._stacks[stack.context.stack_id] = stack

    def find(self, account: str, region: str, name_or_id: str) -> Stack | None:
        """A stack by id, or a living one by name."""
        with self._lock:
            if name_or_id in self._stacks:
                return self._stacks[name_or_id]
            for stack in self.all(account, region):
                if stack.context.name == name_or_id and stack.status != "DELETE_COMPLETE":
                    return stack
        return None

    def all(self, account: str, region: str) -> list[Stack]:
        """Every stack of an account and Region, the newest first."""
        with self._lock:
            found = [
                stack
                for stack in self._stacks.values()
                if (stack.context.account, stack.context.region) == (account, region)
            ]
        return found[::-1]

    def add_change_set(self, change_set: ChangeSet) -> None:
        """Keep a change set."""
        with self._lock:
            self._change_sets[change_set.change_set_id] = change_set

    def change_sets(self, stack: Stack) -> list[ChangeSet]:
        """The change sets of a stack, the newest last."""
        with self._lock:
            return [change_set for change_set in self._change_sets.values() if change_set.stack is stack]

    def find_change_set(self, name_or_id: str, stack: Stack | None) -> ChangeSet | None:
        """A change set by id, or the newest of a stack by name."""
        with self._lock:
            if name_or_id in self._change_sets:
                return self._change_sets[name_or_id]
            own = self.change_sets(stack) if stack is not None else []
        return next((found for found in reversed(own) if found.name == name_or_id), None)

    def drop_change_set(self, change_set: ChangeSet) -> None:
        """Forget a change set."""
        with self._lock:
            self._change_sets.pop(change_set.change_set_id, None)

    def begin(self, stack: Stack, pending: Pending) -> None:
        """An operation begins on a stack and those in it."""
        with self._lock:
            stack.pending = pending
            self._before[stack.context.stack_id] = {one.context.stack_id: Before.of(one) for one in self._family(stack)}

    def begin_again(self, stack: Stack) -> None:
        """What an operation had done is as if it were not; stacks that it made are made again.

        But the stack's status stays, for those who wait for it to change.
        """
        with self._lock:
            status, reason = stack.status, stack.reason
            before = self._before.get(stack.context.stack_id, {})
            for one in self._family(stack):
                if one.context.stack_id in before:
                    before[one.context.stack_id].bring_back(one)
                else:
                    del self._stacks[one.context.stack_id]
            stack.status, stack.reason = status, reason

    def end(self, stack: Stack) -> None:
        """An operation is over."""
        with self._lock:
            stack.pending = None
            self._before.pop(stack.context.stack_id, None)

    def _family(self, stack: Stack) -> list[Stack]:
        own = stack.context.stack_id
        return [one for one in self._stacks.values() if own in (one.context.stack_id, one.root_id)]

    def everything(self) -> list[Stack]:
        """Every stack of every account."""
        with self._lock:
            return list(self._stacks.values())

    def kept(self) -> tuple[dict[str, Any], ...]:
        """What is written of it."""
        with self._lock:
            return dict(self._stacks), dict(self._change_sets), dict(self._before)

    def restore(self, kept: tuple[dict[str, Any], ...]) -> None:
        """What was written, read again."""
        with self._lock:
            self._stacks, self._change_sets, self._before = (dict(part) for part in kept)

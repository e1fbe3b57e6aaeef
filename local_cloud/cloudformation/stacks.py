"""What a stack is, and where stacks are kept."""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
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

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def set_status(self, status: str, reason: str = "") -> None:
        """Move on, and note it in the history."""
        self.status, self.reason = status, reason
        self.note(self.context.name, self.context.stack_id, "AWS::CloudFormation::Stack", status, reason)

    def note(self, logical_id: str, physical_id: str, type_name: str, status: str, reason: str = "") -> None:
        """Add a line to the history."""
        self.events.append(Event(logical_id, physical_id, type_name, status, reason))

    def exports(self) -> dict[str, str]:
        """Exported output values by export name."""
        return {
            output["ExportName"]: output["OutputValue"] for output in self.outputs.values() if "ExportName" in output
        }


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

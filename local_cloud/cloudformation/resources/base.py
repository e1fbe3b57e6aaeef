"""What every resource type does: create, update, delete, each through a public API of this cloud."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_cloud.aws_clients import client
from local_cloud.cloudformation.errors import ResourceError, UnsupportedPropertyError
from local_cloud.cloudformation.shapes import to_request

_SUFFIX_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class StackContext:
    """The stack that a resource belongs to."""

    name: str
    stack_id: str
    account: str
    region: str
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Created:
    """What a resource is from outside: its `Ref`, and what `Fn::GetAtt` finds."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Desired:
    """One resource as the template wants it, all intrinsics resolved. `token` is its stack operation's."""

    logical_id: str
    type_name: str
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]
    stack: StackContext
    token: str

    def client(self, service: str) -> Any:
        """The client of a service in the stack's account and Region."""
        return client(service, self.stack.region, self.stack.account)

    def name(self, longest: int, *, lower: bool = False) -> str:
        """A name of its own for a resource that the template gave none: in one operation always the same."""
        digest = hashlib.sha256(f"{self.token}.{self.logical_id}".encode()).digest()
        suffix = "".join(_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in digest[:12])
        stem = f"{self.stack.name}-{self.logical_id}"[: longest - len(suffix) - 1].rstrip("-")
        name = f"{stem}-{suffix}"
        return name.lower() if lower else name

    def request(self, service: str, operation: str, **overrides: Any) -> dict[str, Any]:
        """All properties as parameters of an operation; overrides replace them, None leaves one out."""
        merged = {**self.properties, **overrides}
        given = {name: value for name, value in merged.items() if value is not None}
        return to_request(service, operation, given, self.type_name)

    def only(self, *names: str) -> None:
        """Refuse properties that are not among `names`. Raises: UnsupportedPropertyError."""
        for name in self.properties:
            if name not in names:
                raise UnsupportedPropertyError(self.type_name, name)

    def tags(self) -> dict[str, str]:
        """Tags as a map, however the type writes them."""
        given = self.properties.get("Tags") or {}
        if isinstance(given, list):
            return {tag["Key"]: str(tag["Value"]) for tag in given}
        return {key: str(value) for key, value in given.items()}


class Resource:
    """One resource type. Without `update` of its own, a changed resource is made anew and the old one deleted."""

    type_name: str
    replaces_on_update = True

    def replaces(self, desired: Desired, before: Mapping[str, Any]) -> bool:
        """Whether these changed properties need a new resource."""
        del desired, before
        return self.replaces_on_update

    def create(self, desired: Desired) -> Created:
        """Make the resource. Raises: ResourceError, ClientError, ParamValidationError."""
        raise NotImplementedError

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        """Bring an existing resource to `desired`; `before` are the properties it has now."""
        raise NotImplementedError

    def delete(self, desired: Desired, old: Created) -> None:
        """Remove the resource; `desired` is what it was made from. One that is gone is no error."""
        raise NotImplementedError


def refuse_changes(desired: Desired, before: Mapping[str, Any], *names: str) -> None:
    """Raises: ResourceError when a property changed that only a replacement can change."""
    for name in names:
        if before.get(name) != desired.properties.get(name):
            raise ResourceError(
                f"{desired.type_name}: changing {name} needs a replacement of {desired.logical_id}, "
                "which is not emulated for resources that hold data"
            )

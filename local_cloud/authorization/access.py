"""One permission that a call needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EVERYTHING = "*"
"""The resource of an action that knows none: only a statement on `*` allows it."""


@dataclass(frozen=True)
class Access:
    """An IAM action on a resource, and the condition keys (in lower case) that the call gives a value to."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

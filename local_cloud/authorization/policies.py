"""Policies as statements, and what they say of one request. Pure: nothing here knows where policies are kept.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_cloud.authorization.conditions import Context, filled, fulfilled, like, like_arn

_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}


class MalformedPolicyError(ValueError):
    """A policy that IAM would not have taken."""


@dataclass(frozen=True)
class Statement:
    """One statement. `principals` are pairs of kind and name (`("AWS", "*")`), only in resource and trust policies."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, Any] = field(hash=False)
    principals: tuple[tuple[str, str], ...] | None = None
    is_not_action: bool = False
    is_not_resource: bool = False
    is_not_principal: bool = False

    def applies(self, action: str, resource: str, context: Context, principals: Iterable[tuple[str, str]] = ()) -> bool:
        """Whether the statement is about this request. Raises: NotEmulatedConditionError."""
        return (
            self._is_about_principal(set(principals))
            and self._is_about_action(action)
            and self._is_about_resource(resource, context)
            and fulfilled(self.condition, context)
        )

    def _is_about_principal(self, asking: set[tuple[str, str]]) -> bool:
        if self.principals is None:
            return True
        return any(one in asking for one in self.principals) is not self.is_not_principal

    def _is_about_action(self, action: str) -> bool:
        found = any(like(pattern.lower(), action.lower()) for pattern in self.actions)
        return found is not self.is_not_action

    def _is_about_resource(self, resource: str, context: Context) -> bool:
        if not self.resources:  # a trust policy has none: it lies at its resource
            return True
        patterns = [filled(pattern, context) for pattern in self.resources]
        found = any(pattern is not None and like_arn(pattern, resource) for pattern in patterns)
        return found is not self.is_not_resource


def decisive(
    statements: Sequence[Statement],
    action: str,
    resource: str,
    context: Context,
    principals: Iterable[tuple[str, str]] = (),
) -> Statement | None:
    """The statement that decides: the first that denies, else the first that allows; None when none is about it."""
    asking = tuple(principals)
    found = [one for one in statements if one.applies(action, resource, context, asking)]
    return next((one for one in found if not one.allows), found[0] if found else None)


def others(statements: Iterable[Statement], left_out: Statement | None) -> tuple[Statement, ...]:
    """All but one of a policy's statements: that very one, not one that says the same."""
    return tuple(one for one in statements if one is not left_out)


@functools.lru_cache(maxsize=2_048)
def parse(document: str) -> tuple[Statement, ...]:
    """A policy document's statements. Raises: MalformedPolicyError."""
    try:
        given = json.loads(document)
        return tuple(_statement(one) for one in _listed(given["Statement"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedPolicyError(f"no policy document: {error}") from error


def _statement(given: dict[str, Any]) -> Statement:
    if unknown := given.keys() - _ELEMENTS:
        raise MalformedPolicyError(f"a statement has no {', '.join(sorted(unknown))}")
    if given["Effect"] not in ("Allow", "Deny"):
        raise MalformedPolicyError(f"Effect is Allow or Deny, not {given['Effect']}")
    principal = given.get("Principal", given.get("NotPrincipal"))
    return Statement(
        sid=str(given.get("Sid", "")),
        allows=given["Effect"] == "Allow",
        actions=tuple(_listed(given["NotAction"] if "NotAction" in given else given["Action"])),
        resources=tuple(_listed(given.get("NotResource", given.get("Resource", [])))),
        condition=dict(given.get("Condition") or {}),
        principals=None if principal is None else tuple(_principals(principal)),
        is_not_action="NotAction" in given,
        is_not_resource="NotResource" in given,
        is_not_principal="NotPrincipal" in given,
    )


def _principals(given: Any) -> Iterable[tuple[str, str]]:
    if given == "*":
        return [("AWS", "*")]
    return [(kind, str(name)) for kind, names in given.items() for name in _listed(names)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def written(document: Any) -> str:
    """A document that is kept as an object, as text."""
    return json.dumps(document, sort_keys=True)

"""Whether a principal may do something: his own policies, those of the resource, and what narrows both.

Within an account, one of both is enough; across accounts it takes both. A service of AWS has no policies of its own:
the resource's must name it. A denial anywhere is final. The keys of an account itself may do everything.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from local_cloud.authorization import ledger, principals, resource_policies
from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.authorization.conditions import Context, NotEmulatedConditionError
from local_cloud.authorization.policies import MalformedPolicyError, Statement, decisive, others
from local_cloud.authorization.principals import Account, Principal
from local_cloud.authorization.sessions import ServiceSession
from local_cloud.durability.tracked import reading


class DeniedError(Exception):
    """An access that is not allowed, in AWS's words."""


def require(principal: Principal, access: Access, about: Context | None = None) -> None:
    """Let an access pass, and note by which statement. `about`: condition keys of the request at large.

    Raises: DeniedError.
    """
    if isinstance(principal, Account):
        return
    with reading(), _named(principal, access):
        context = {**_CONSTANT, **(about or {}), **principals.context(principal), **access.context}
        by = _allowed(principal, access, context)
        if ledger.knows_need(principal, access, by):
            return
        is_needed = _is_denied(principal, access, context, without=by)
    ledger.note(principal, access, by, is_needed)


_CONSTANT: Context = {
    # Loopback stands for the encrypted line that AWS's own endpoints have.
    "aws:securetransport": ["true"],
}


@contextmanager
def _named(principal: Principal, access: Access) -> Iterator[None]:
    """What cannot be evaluated is denied, with the reason."""
    try:
        yield
    except (NotEmulatedConditionError, MalformedPolicyError, LookupError) as error:
        raise DeniedError(f"{_told(principal, access)} ({error})") from error


def _is_denied(principal: Principal, access: Access, context: Context, without: Statement) -> bool:
    """Whether an access would be denied if a statement were not there."""
    try:
        _allowed(principal, access, context, without)
    except DeniedError:
        return True
    return False


def _allowed(principal: Principal, access: Access, context: Context, without: Statement | None = None) -> Statement:
    """The statement that allows it, `without` left out. Raises: DeniedError."""
    own, theirs = principals.names(principal), principals.account_names(principal)
    identity = [
        decisive(others(one, without), access.action, access.resource, context)
        for one in principals.identity_policies(principal)
    ]
    at_resource = others(resource_policies.of(access.resource), without)
    resource = decisive(at_resource, access.action, access.resource, context, own)
    left_to_account = decisive(at_resource, access.action, access.resource, context, theirs)
    for kind, found in (("identity", identity), ("resource", [resource, left_to_account])):
        if any(one is not None and not one.allows for one in found):
            raise DeniedError(f"{_told(principal, access)} with an explicit deny in {_a(kind)}-based policy")
    for limit in principals.limits(principal):
        narrowed = decisive(limit, access.action, access.resource, context)
        if narrowed is None or not narrowed.allows:
            raise DeniedError(
                f"{_told(principal, access)} because no permissions boundary or session policy allows the "
                f"{access.action} action"
            )
    by_identity = next((one for one in identity if one is not None), None)
    return _joined(principal, access, by_identity, resource, left_to_account)


def _joined(
    principal: Principal,
    access: Access,
    by_identity: Statement | None,
    by_resource: Statement | None,
    by_account: Statement | None,
) -> Statement:
    """What both sides' permissions amount to; none of the statements denies. Raises: DeniedError."""
    owner = resource_policies.account_of(access.resource)
    is_elsewhere = owner is not None and owner != principal.account
    if isinstance(principal, ServiceSession):
        missing = None if by_resource else "resource"
    elif is_elsewhere:
        missing = "resource" if not (by_resource or by_account) else None if by_identity else "identity"
    else:
        missing = None if by_identity or by_resource else "identity"
    found = by_identity or by_resource
    if missing or found is None:
        told = missing or "identity"
        raise DeniedError(
            f"{_told(principal, access)} because no {told}-based policy allows the {access.action} action"
        )
    return found


def _told(principal: Principal, access: Access) -> str:
    """Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    on = "" if access.resource == EVERYTHING else f" on resource: {access.resource}"
    who = principal.arn if not isinstance(principal, ServiceSession) else f"{principal.arn} for {principal.source_arn}"
    return f"User: {who} is not authorized to perform: {access.action}{on}"


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "identity" else f"a {kind}"

"""Whose key signed a request, and which policies that gives him: the account itself, a user, a role, or a service.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_cloud import settings
from local_cloud.accounts import account_of, is_lent
from local_cloud.authorization import policies, sessions
from local_cloud.authorization.conditions import Context
from local_cloud.authorization.policies import Statement
from local_cloud.authorization.sessions import RoleSession, ServiceSession

PARTITION = "aws"


@dataclass(frozen=True)
class Account:
    """The keys of an account itself: all-powerful here, in other accounts too."""

    account: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:root"


@dataclass(frozen=True)
class User:
    """An IAM user with keys of his own."""

    account: str
    name: str
    arn: str


@dataclass(frozen=True)
class AssumedRole:
    """A role that somebody took on through STS. `policy` is the session's own, which only narrows."""

    session: RoleSession
    policy: str | None

    @property
    def account(self) -> str:
        return self.session.account

    @property
    def arn(self) -> str:
        return self.session.arn


Principal = Account | User | AssumedRole | RoleSession | ServiceSession


def of_key(access_key_id: str, token: str | None) -> Principal:
    """Whose a key is, whose signature was found right."""
    account = account_of(access_key_id)
    if account is not None and is_lent(access_key_id):
        return sessions.session_of(settings.current().root_key, access_key_id, token or "")
    if account is not None:
        return Account(account)
    return _of_iam(access_key_id)


def identity_policies(principal: Principal) -> list[tuple[Statement, ...]]:
    """What a user's or a role's own policies say, one list: each that allows is enough.

    Raises: LookupError naming a role that is not there.
    """
    owner = _owner(principal)
    if owner is None:
        return []
    documents = [*owner.policies.values(), *map(_document, owner.managed_policies.values())]
    if isinstance(principal, User):
        for group in _backend(principal.account).get_groups_for_user(principal.name):
            documents += [*group.policies.values(), *map(_document, group.managed_policies.values())]
    return [policies.parse(_text(document)) for document in documents]


def limits(principal: Principal) -> list[tuple[Statement, ...]]:
    """What only narrows: a permissions boundary, a session's policy. Each must allow too."""
    owner = _owner(principal)
    found = []
    boundary = getattr(owner, "permissions_boundary_arn", None) or getattr(owner, "permissions_boundary", None)
    if isinstance(boundary, str):
        managed = _backend(principal.account).managed_policies[boundary]
        found.append(policies.parse(_document(managed)))
    if isinstance(principal, AssumedRole) and principal.policy:
        found.append(policies.parse(principal.policy))
    return found


def names(principal: Principal) -> list[tuple[str, str]]:
    """Under which a resource policy may name this principal and no other of its account."""
    if isinstance(principal, ServiceSession):
        return [("Service", principal.service), ("AWS", "*")]
    own = [("AWS", "*"), ("AWS", principal.arn)]
    session = _session(principal)
    return [*own, ("AWS", session.role_arn)] if session else own


def account_names(principal: Principal) -> list[tuple[str, str]]:
    """Under which a resource policy may leave the decision to the principal's account."""
    return [("AWS", principal.account), ("AWS", f"arn:{PARTITION}:iam::{principal.account}:root")]


def context(principal: Principal) -> Context:
    """The condition keys that tell who asks. Raises: LookupError naming a role that is not there.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    if isinstance(principal, ServiceSession):
        told = {"aws:sourceaccount": [principal.account], "aws:sourcearn": [principal.source_arn]}
        return {**told, "aws:principalisawsservice": ["true"], "aws:principalservicename": [principal.service]}
    session = _session(principal)
    known = {
        "aws:principalarn": [session.role_arn if session else principal.arn],
        "aws:principalaccount": [principal.account],
        "aws:principalisawsservice": ["false"],
        **{f"aws:principaltag/{key.lower()}": [value] for key, value in _tags(principal).items()},
    }
    return known | ({"aws:username": [principal.name]} if isinstance(principal, User) else {})


def _session(principal: Principal) -> RoleSession | None:
    if isinstance(principal, AssumedRole):
        return principal.session
    return principal if isinstance(principal, RoleSession) else None


def _owner(principal: Principal) -> Any:
    """moto's user or role; None for who has no policies. Raises: LookupError."""
    session = _session(principal)
    if session is not None:
        return role(session.role_arn)
    return _backend(principal.account).get_user(principal.name) if isinstance(principal, User) else None


def _tags(principal: Principal) -> dict[str, str]:
    """The tags of a user or a role; those of a session are not emulated."""
    if isinstance(principal, User):
        tagged: dict[str, str] = _backend(principal.account).tagger.get_tag_dict_for_resource(principal.arn)
        return tagged
    owner = _owner(principal)
    return {} if owner is None else {tag["Key"]: tag["Value"] for tag in owner.tags or ()}


def role(role_arn: str) -> Any:
    """moto's role. Raises: LookupError."""
    try:
        return _backend(role_arn.split(":")[4]).get_role_by_arn(role_arn)
    except (NotFoundException, IndexError) as error:
        raise LookupError(f"there is no role {role_arn}") from error


def _of_iam(access_key_id: str) -> Principal:
    """Raises: LookupError: the signature's gate knows the key, so that it is gone since."""
    for account, partitions in list(iam_backends.items()):
        key = partitions[PARTITION].access_keys.get(access_key_id)
        if key is not None and key.user_name is not None:
            user = partitions[PARTITION].get_user(key.user_name)
            return User(account, user.name, user.arn)
        if key is not None:
            taken = sts_backends[account][PARTITION].get_assumed_role_from_access_key(access_key_id)
            if taken is not None:
                return AssumedRole(RoleSession(taken.role_arn, taken.session_name), taken.policy or None)
    raise LookupError(f"nobody has the key {access_key_id}")


def _backend(account: str) -> Any:
    return iam_backends[account][PARTITION]


def _document(managed: Any) -> str:
    """A managed policy's document in force."""
    return _text(next(version.document for version in managed.versions if version.is_default))


def _text(document: Any) -> str:
    return document if isinstance(document, str) else policies.written(document)


def role_arn_of(principal: Principal) -> str:
    """Whose policies count: a session's role, else the principal himself."""
    session = _session(principal)
    return session.role_arn if session else principal.arn

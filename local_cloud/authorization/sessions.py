"""Temporary keys that this cloud lends to what it runs: to a role, or to one of AWS's own services.

A lent key is not kept anywhere. Its session token says whose it is, sealed with the state directory's key, so that it
is good for as long as that directory, also after a restart. Only a session that this cloud sealed is believed.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_use-resources.html
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import json
import re
from dataclasses import asdict, dataclass

from local_cloud.accounts import AccessKey, derived, lent_key_id

_ROLE = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):role/(?:[^:]*/)?(?P<name>[\w+=,.@-]+)")
_NOT_IN_NAMES = re.compile(r"[^\w+=,.@-]")


class ForgedTokenError(ValueError):
    """A session token that this cloud did not seal."""


@dataclass(frozen=True)
class RoleSession:
    """A role as somebody took it on; `name` is the session's."""

    role_arn: str
    name: str

    @property
    def account(self) -> str:
        return _parts(self.role_arn)["account"]

    @property
    def arn(self) -> str:
        """What AWS calls the session in its messages and in GetCallerIdentity."""
        role = _parts(self.role_arn)
        return f"arn:{role['partition']}:sts::{role['account']}:assumed-role/{role['name']}/{self.name}"


@dataclass(frozen=True)
class ServiceSession:
    """A service of AWS at work for something in an account: `source_arn` is the rule, bucket or alarm."""

    service: str
    account: str
    source_arn: str

    @property
    def arn(self) -> str:
        return self.service


Session = RoleSession | ServiceSession


def is_role(arn: str) -> bool:
    """Whether a text is the ARN of a role."""
    return _ROLE.fullmatch(arn) is not None


def role_session(role_arn: str, name: str) -> RoleSession:
    """A session of a role under a name that IAM takes."""
    return RoleSession(role_arn, _NOT_IN_NAMES.sub("-", name)[:64] or "session")


@functools.lru_cache(maxsize=2_048)
def key_of(root_key: bytes, session: Session, account: str) -> AccessKey:
    """The key that is lent to a session, the same for the same root key. `account` is whose the calls are about."""
    kind = "role" if isinstance(session, RoleSession) else "service"
    told = json.dumps([account, kind, asdict(session)], sort_keys=True)
    body = base64.urlsafe_b64encode(told.encode()).decode()
    token = f"{body}.{derived(root_key, 'lent', body)}"
    return AccessKey(lent_key_id(account), derived(root_key, "lent-secret", token), token)


def session_of(root_key: bytes, access_key_id: str, token: str) -> Session:
    """Whose a lent key is. Raises: ForgedTokenError."""
    body, _, seal = token.partition(".")
    if not hmac.compare_digest(derived(root_key, "lent", body).encode(), seal.encode()):
        raise ForgedTokenError("the session token was not made by this cloud")
    try:
        account, kind, given = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error) as error:
        raise ForgedTokenError("the session token was not made by this cloud") from error
    session: Session = RoleSession(**given) if kind == "role" else ServiceSession(**given)
    if lent_key_id(account) != access_key_id:
        raise ForgedTokenError("the session token is of another access key")
    return session


def _parts(role_arn: str) -> dict[str, str]:
    """Raises: ValueError for what is no role's ARN."""
    found = _ROLE.fullmatch(role_arn)
    if found is None:
        raise ValueError(f"{role_arn} is not the ARN of a role")
    return found.groupdict()

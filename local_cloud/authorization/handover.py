"""How a service of AWS takes a role on to work with it: the role must trust the service, and its keys are lent.

Outside strict mode the trust is not looked at, and a role need not exist.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

from dataclasses import dataclass

from local_cloud import settings
from local_cloud.accounts import AccessKey
from local_cloud.authorization import evaluation, ledger, policies, principals, sessions
from local_cloud.authorization.access import Access
from local_cloud.authorization.conditions import NotEmulatedConditionError
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.sessions import RoleSession, ServiceSession, Session
from local_cloud.durability.tracked import reading


@dataclass(frozen=True)
class Taker:
    """A service that takes roles on, for the resource `source_arn` in `account`."""

    service: str
    account: str
    source_arn: str

    @property
    def session(self) -> ServiceSession:
        """The service without any role: resource policies may name it."""
        return ServiceSession(self.service, self.account, self.source_arn)


def take(role_arn: str, name: str, taker: Taker) -> Session | None:
    """The role as the service takes it on, under a session's name; None if that is no role, outside strict mode.

    Raises: DeniedError in strict mode when the role is not there or does not trust the service.
    """
    if not sessions.is_role(role_arn):
        if settings.current().strict:
            raise DeniedError(f"{taker.service} cannot assume {role_arn or 'a role that is not given'}: it is no role")
        return None
    if settings.current().strict:
        require_trust(role_arn, taker)
    return sessions.role_session(role_arn, name)


def key(role_arn: str, name: str, taker: Taker) -> AccessKey:
    """What signs for a role that the service takes on. Raises: DeniedError, as `take`."""
    session = take(role_arn, name, taker)
    cloud = settings.current()
    return cloud.lent_key(session) if session else cloud.access_key(taker.account)


def require_trust(role_arn: str, taker: Taker) -> None:
    """Raises: DeniedError unless the role trusts the service to take it on for this resource."""
    context = {"aws:sourceaccount": [taker.account], "aws:sourcearn": [taker.source_arn]}
    asking = [("Service", taker.service), ("AWS", "*")]
    access = Access("sts:AssumeRole", role_arn, context)
    why = ""
    try:
        with reading():
            document = principals.role(role_arn).assume_role_policy_document
            statements = policies.parse(document)
            found = policies.decisive(statements, access.action, role_arn, context, asking)
        if found is not None and found.allows:
            rest = policies.others(statements, found)
            other = policies.decisive(rest, access.action, role_arn, context, asking)
            ledger.note(taker.session, access, found, is_needed=other is None)
            return
    except (LookupError, NotEmulatedConditionError, policies.MalformedPolicyError) as error:
        why = f": {error}"
    message = f"{taker.service} is not authorized to assume the role {role_arn} for {taker.source_arn}{why}"
    ledger.note_denied(taker.session, access, message)
    raise DeniedError(message)


def require(role_arn: str, name: str, access: Access) -> None:
    """What a service does in a role's name without a request: writes its log, pulls its image.

    Raises: DeniedError in strict mode.
    """
    if not settings.current().strict or not sessions.is_role(role_arn):
        return
    session: RoleSession = sessions.role_session(role_arn, name)
    try:
        evaluation.require(session, access)
    except DeniedError as denied:
        ledger.note_denied(session, access, str(denied))
        raise


def may(role_arn: str, name: str, access: Access) -> bool:
    """Whether `require` lets it pass."""
    try:
        require(role_arn, name, access)
    except DeniedError:
        return False
    return True

"""The secret behind an access key id: of this cloud's accounts, of what it lends keys to, of IAM users, and of roles
that STS let assume.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_use-resources.html
"""

from __future__ import annotations

import datetime

from moto.iam.models import AccessKey as MotoAccessKey
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_cloud import settings
from local_cloud.accounts import account_of, is_lent
from local_cloud.authorization import sessions
from local_cloud.signatures.canonical import same
from local_cloud.signatures.refusals import Kind, Refused


def secret_of(access_key_id: str, token: str | None) -> str:
    """The secret of an access key id that comes with this session token, or without one.

    Raises: Refused if there is no such key, it is not active, or the token is not its own or has expired.
    """
    if is_lent(access_key_id):
        return _secret_of_lent(access_key_id, token)
    account = account_of(access_key_id)
    if account is not None:
        key = settings.current().access_key(account)
        if token is not None:
            _require_same(key.session_token, token)
        return key.secret_access_key
    return _secret_of_iam(access_key_id, token)


def _secret_of_lent(access_key_id: str, token: str | None) -> str:
    root_key = settings.current().root_key
    try:
        session = sessions.session_of(root_key, access_key_id, token or "")
        return sessions.key_of(root_key, session, str(account_of(access_key_id))).secret_access_key
    except sessions.ForgedTokenError as error:
        raise Refused(Kind.BAD_TOKEN, str(error)) from error


def _secret_of_iam(access_key_id: str, token: str | None) -> str:
    found = _found_in_iam(access_key_id)
    if found is None or found[2].status != "Active":
        raise Refused(Kind.UNKNOWN_KEY, f"this cloud knows no access key {access_key_id[:128]!r}")
    account, partition, key = found
    if key.user_name is None:
        _require_live_session(account, partition, access_key_id, token)
    elif token is not None:
        raise Refused(Kind.BAD_TOKEN, "the access key is a user's and has no session token: unset AWS_SESSION_TOKEN")
    return str(key.secret_access_key)


def _found_in_iam(access_key_id: str) -> tuple[str, str, MotoAccessKey] | None:
    for account, partitions in list(iam_backends.items()):
        for partition, backend in list(partitions.items()):
            if access_key_id in backend.access_keys:
                return account, partition, backend.access_keys[access_key_id]
    return None


def _require_live_session(account: str, partition: str, access_key_id: str, token: str | None) -> None:
    session = sts_backends[account][partition].get_assumed_role_from_access_key(access_key_id)
    if session is None:
        raise Refused(Kind.UNKNOWN_KEY, f"no role was assumed with the access key {access_key_id!r}")
    _require_same(session.session_token, token or "")
    if session.expiration.replace(tzinfo=datetime.UTC) < datetime.datetime.now(datetime.UTC):
        raise Refused(Kind.EXPIRED_TOKEN, "the session token has expired: assume the role again")


def _require_same(expected: str, token: str) -> None:
    if not same(expected, token):
        raise Refused(
            Kind.BAD_TOKEN,
            "the session token is not that of the access key: unset AWS_SESSION_TOKEN if you set no role",
        )

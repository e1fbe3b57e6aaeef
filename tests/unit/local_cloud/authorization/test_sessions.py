"""Lent keys are whose their token says, and nobody else can make one."""

from __future__ import annotations

import base64
import json

import pytest

from local_cloud.accounts import access_key, account_of, is_lent
from local_cloud.authorization import sessions
from local_cloud.authorization.sessions import ForgedTokenError, ServiceSession

ROOT, OTHER_ROOT = b"r" * 32, b"o" * 32
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/reader"


def test_a_session_comes_back_from_its_key() -> None:
    for session in (
        sessions.role_session(ROLE, "one two"),
        ServiceSession("events.amazonaws.com", ACCOUNT, "arn:aws:events:us-east-1:123456789012:rule/r"),
    ):
        key = sessions.key_of(ROOT, session, ACCOUNT)
        assert sessions.session_of(ROOT, key.access_key_id, key.session_token) == session
        assert is_lent(key.access_key_id)
        assert account_of(key.access_key_id) == ACCOUNT
        assert len(key.access_key_id) == 20


def test_a_sessions_name_is_one_that_iam_takes() -> None:
    session = sessions.role_session(ROLE, "one two/" + "x" * 100)
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/one-two-{'x' * 56}"


def test_a_token_of_another_directory_or_account_or_content_is_refused() -> None:
    session = sessions.role_session(ROLE, "one")
    key = sessions.key_of(ROOT, session, ACCOUNT)
    body, _, seal = key.session_token.partition(".")
    told = json.loads(base64.urlsafe_b64decode(body))
    told[2]["role_arn"] = ROLE.replace("reader", "admin")
    changed = base64.urlsafe_b64encode(json.dumps(told, sort_keys=True).encode()).decode()
    for root, key_id, token in (
        (OTHER_ROOT, key.access_key_id, key.session_token),
        (ROOT, "LOCALROL210987654321", key.session_token),
        (ROOT, key.access_key_id, f"{changed}.{seal}"),
        (ROOT, key.access_key_id, ""),
        # What functions know of their account seals nothing.
        (ROOT, key.access_key_id, f"{ACCOUNT}.{access_key(ROOT, ACCOUNT).session_token}"),
    ):
        with pytest.raises(ForgedTokenError):
            sessions.session_of(root, key_id, token)


def test_each_session_has_its_own_secret() -> None:
    keys = {
        sessions.key_of(ROOT, sessions.role_session(ROLE, name), account).secret_access_key
        for name in ("one", "two")
        for account in (ACCOUNT, "210987654321")
    }
    assert len(keys) == 4


@pytest.mark.parametrize("arn", ["", "arn:test", "role", "arn:aws:iam::123456789012:user/u", ROLE + "\n"])
def test_what_is_no_role_is_told(arn: str) -> None:
    assert not sessions.is_role(arn)

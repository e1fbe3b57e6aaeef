"""Which secret stands behind an access key id."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_cloud import settings
from local_cloud.signatures.keys import secret_of
from local_cloud.signatures.refusals import Kind, Refused

ACCOUNT = "111122223333"


@pytest.fixture(autouse=True)
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(tmp_path, tmp_path, 5000))
    yield
    iam_backends.pop(ACCOUNT, None)
    sts_backends.pop(ACCOUNT, None)


def refused(key_id: str, token: str | None) -> Kind:
    with pytest.raises(Refused) as raised:
        secret_of(key_id, token)
    return raised.value.kind


def session() -> Any:
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    backend = sts_backends[ACCOUNT]["aws"]
    return backend.assume_role("us-east-1", "session", role, "", 900, "")


def test_the_accounts_own_key() -> None:
    key = settings.current().access_key(ACCOUNT)
    assert secret_of(key.access_key_id, None) == secret_of(key.access_key_id, key.session_token)
    assert secret_of(key.access_key_id, None) == key.secret_access_key
    other = settings.current().access_key("999988887777")
    assert refused(key.access_key_id, other.session_token) is Kind.BAD_TOKEN


def test_keys_that_nobody_made() -> None:
    for key_id in ("", "AKIAIOSFODNN7EXAMPLE", "LOCALKEY1", "LOCALKEY1111222233334", "\udcff"):
        assert refused(key_id, None) is Kind.UNKNOWN_KEY


def test_the_key_of_a_user_until_it_is_deleted() -> None:
    backend = iam_backends[ACCOUNT]["aws"]
    backend.create_user("us-east-1", "someone")
    key = backend.create_access_key("someone")
    assert secret_of(key.access_key_id, None) == key.secret_access_key
    assert refused(key.access_key_id, "a token") is Kind.BAD_TOKEN
    backend.delete_access_key(key.access_key_id, "someone")
    assert refused(key.access_key_id, None) is Kind.UNKNOWN_KEY


def test_the_key_of_a_session_until_it_ends() -> None:
    lent = session()
    assert secret_of(lent.access_key_id, lent.session_token) == lent.secret_access_key
    assert refused(lent.access_key_id, None) is Kind.BAD_TOKEN
    assert refused(lent.access_key_id, session().session_token) is Kind.BAD_TOKEN
    lent.expiration -= datetime.timedelta(seconds=901)
    assert refused(lent.access_key_id, lent.session_token) is Kind.EXPIRED_TOKEN

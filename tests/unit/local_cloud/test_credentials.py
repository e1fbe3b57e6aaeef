"""The key of a state directory: random, kept, and for its owner only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from local_cloud import credentials
from local_cloud.accounts import access_key
from local_cloud.credentials import CredentialsError, load_or_make


def test_it_is_made_once_and_differs_between_directories(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = load_or_make(tmp_path)
    assert load_or_make(tmp_path) == credentials.read(tmp_path) == first
    assert load_or_make(tmp_path / "other") != first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [credentials.FILE]


def test_only_the_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_make(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / credentials.FILE).stat().st_mode) == 0o600


def test_one_that_others_could_read_is_closed_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_or_make(tmp_path)
    (tmp_path / credentials.FILE).chmod(0o644)
    load_or_make(tmp_path)
    assert stat.S_IMODE((tmp_path / credentials.FILE).stat().st_mode) == 0o600
    assert "could be read by other users" in caplog.text


@pytest.mark.parametrize("text", ["", "{}", '{"root_key": "xyz"}', '{"root_key": 5}', '{"root_key": "aa"}', "[]"])
def test_one_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / credentials.FILE).write_text(text)
    (tmp_path / credentials.FILE).chmod(0o600)
    with pytest.raises(CredentialsError, match="remove it"):
        load_or_make(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    load_or_make(tmp_path / "elsewhere")
    (tmp_path / credentials.FILE).symlink_to(tmp_path / "elsewhere" / credentials.FILE)
    with pytest.raises(CredentialsError, match="remove it"):
        load_or_make(tmp_path)


def test_every_account_and_purpose_has_its_own_secret() -> None:
    keys = [access_key(root, account) for root in (b"a" * 32, b"b" * 32) for account in ("1" * 12, "2" * 12)]
    secrets = [secret for key in keys for secret in (key.secret_access_key, key.session_token)]
    assert len(set(secrets)) == 8
    assert {len(secret) for secret in secrets} == {40}
    assert all(secret not in repr(keys) for secret in secrets)

"""The keys of other accounts of a cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import exit_codes
from cli.embedded.accounts import credentials_of
from cli.embedded.state import RunningCloud
from cli.errors import CommandError
from local_cloud import credentials
from local_cloud.accounts import access_key


def cloud_in(state_dir: Path) -> RunningCloud:
    return RunningCloud(state_dir, 1, 2, "http://127.0.0.1:2", "123456789012", "us-east-1", "own", "secret")


def test_the_clouds_own_keys_and_those_of_another_account(tmp_path: Path) -> None:
    cloud, root = cloud_in(tmp_path), credentials.load_or_make(tmp_path)
    assert credentials_of(cloud, None) == credentials_of(cloud, "123456789012") == cloud.credentials
    other, made = credentials_of(cloud, "210987654321"), access_key(root, "210987654321")
    assert (other.access_key_id, other.secret_access_key) == (made.access_key_id, made.secret_access_key)


@pytest.mark.parametrize(("account", "code"), [("1", exit_codes.REFUSED), ("210987654321", exit_codes.NO_CLOUD)])
def test_what_is_no_account_and_keys_that_are_not_there_are_told(tmp_path: Path, account: str, code: int) -> None:
    with pytest.raises(CommandError) as raised:
        credentials_of(cloud_in(tmp_path), account)
    assert raised.value.exit_code == code

"""The keys of the accounts of an embedded cloud: any number of accounts live side by side in one."""

from __future__ import annotations

import re

from cli import exit_codes
from cli.cloud import ExplicitCredentials
from cli.embedded.state import RunningCloud
from cli.errors import CommandError
from local_cloud import credentials
from local_cloud.accounts import access_key


def credentials_of(cloud: RunningCloud, account_id: str | None) -> ExplicitCredentials:
    """What signs requests for an account of a cloud, by default for the cloud's own.

    Raises: CommandError for what is no account number, or when the keys cannot be read.
    """
    if account_id is None or account_id == cloud.account_id:
        return cloud.credentials
    if re.fullmatch(r"\d{12}", account_id) is None:
        raise CommandError(
            f"{account_id!r} is no account number: it has twelve digits",
            place="--account",
            next_step="any twelve digits do: an account is there as soon as it is used",
            exit_code=exit_codes.REFUSED,
        )
    try:
        key = access_key(credentials.read(cloud.state_dir), account_id)
    except (credentials.CredentialsError, OSError) as error:
        raise CommandError(
            f"the keys cannot be read: {error}",
            place=str(cloud.state_dir / credentials.FILE),
            next_step=f"`turbine local doctor --state-dir {cloud.state_dir}`",
            exit_code=exit_codes.NO_CLOUD,
        ) from error
    return ExplicitCredentials(cloud.endpoint, cloud.region, key.access_key_id, key.secret_access_key)

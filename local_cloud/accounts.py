"""Accounts of the embedded cloud are told apart by the access key id, which carries the account's number."""

from __future__ import annotations

import re

_KEY = re.compile(r"LOCALKEY(\d{12})")


def access_key_id(account_id: str) -> str:
    """The access key id that signs requests for `account_id`: twenty characters, as AWS's are."""
    return f"LOCALKEY{account_id}"


def account_of(key_id: str) -> str | None:
    """The account an access key id speaks for; None for keys this cloud did not make up."""
    match = _KEY.fullmatch(key_id)
    return match[1] if match else None

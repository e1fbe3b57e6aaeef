"""Accounts of the embedded cloud: told apart by the access key id, proven by a secret that only its owner can read.

The id names the account and keeps nothing secret; the secret of every account comes from the one random key of the
state directory (`local_cloud.credentials`), so that any number of accounts needs no list.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from dataclasses import dataclass, field

_KEY = re.compile(r"LOCAL(KEY|ROL)(\d{12})")


@dataclass(frozen=True)
class AccessKey:
    """What signs requests for one account. `session_token` is for processes that AWS would give temporary keys."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


def access_key_id(account_id: str) -> str:
    """The access key id that signs requests for `account_id`: twenty characters, as AWS's are."""
    return f"LOCALKEY{account_id}"


def lent_key_id(account_id: str) -> str:
    """The access key id of every key that is lent to a role or a service of an account: its token says whose it is."""
    return f"LOCALROL{account_id}"


def account_of(key_id: str) -> str | None:
    """The account an access key id speaks for; None for keys this cloud did not make up."""
    match = _KEY.fullmatch(key_id)
    return match[2] if match else None


def is_lent(key_id: str) -> bool:
    """Whether an access key id is that of a lent key."""
    return key_id.startswith("LOCALROL") and account_of(key_id) is not None


@functools.lru_cache(maxsize=256)
def access_key(root_key: bytes, account_id: str) -> AccessKey:
    """The access key of an account, the same for the same root key."""
    return AccessKey(
        access_key_id(account_id), derived(root_key, "secret", account_id), derived(root_key, "session", account_id)
    )


def derived(root_key: bytes, purpose: str, whose: str) -> str:
    """Forty characters, as AWS's secrets have; none that a shell would quote. `whose`: an account or a token."""
    digest = hmac.new(root_key, f"{purpose}:{whose}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:30]).decode()

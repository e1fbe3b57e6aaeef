"""Requests land in the account that their access key id names."""

from __future__ import annotations

from collections.abc import Callable

from local_cloud.accounts import account_of
from local_cloud.replacements import Replacement


def _by_access_key(original: Callable[[str], str]) -> Callable[[str], str]:
    def get_account_id_from(access_key: str) -> str:
        return account_of(access_key) or original(access_key)

    return get_account_id_from


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.iam.models:get_account_id_from",
        build=_by_access_key,
        why="moto knows only accounts whose IAM users it made; several accounts must live side by side",
    ),
]

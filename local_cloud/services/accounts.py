"""Requests land in the account that their access key id names; no page of another origin may read an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask

from local_cloud import settings
from local_cloud.accounts import account_of, is_lent
from local_cloud.authorization import sessions
from local_cloud.replacements import Replacement


def _by_access_key(original: Callable[[str], str]) -> Callable[[str], str]:
    def get_account_id_from(access_key: str) -> str:
        return account_of(access_key) or original(access_key)

    return get_account_id_from


def _caller_identity(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        if not is_lent(access_key_id):
            found: tuple[str, str, str] = original(self, access_key_id, region)
            return found
        token = flask.request.headers.get("X-Amz-Security-Token", "")
        session = sessions.session_of(settings.current().root_key, access_key_id, token)
        return f"AROALOCAL:{session.arn.rpartition('/')[2]}", session.arn, session.account

    return get_caller_identity


def _no_cors(_: bool) -> bool:
    """moto would tell every page in a browser that it may read every answer."""
    return True


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.iam.models:get_account_id_from",
        build=_by_access_key,
        why="moto knows only accounts whose IAM users it made; several accounts must live side by side",
    ),
    Replacement(
        target="moto.sts.models:STSBackend.get_caller_identity",
        build=_caller_identity,
        why="moto knows only roles that STS let assume, not those that this cloud lends keys to",
    ),
    Replacement(
        target="moto.moto_server.werkzeug_app:DISABLE_GLOBAL_CORS",
        build=_no_cors,
        why="moto allows pages of every origin to read its answers",
    ),
]

"""Who is let in: AWS clients of this machine; not web pages, not under another name, nobody to moto's own API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.gatekeeper import guarded


def ask(**environ: str) -> tuple[str, str]:
    """Status and body of a request through the gate."""
    said: list[str] = []

    def application(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"served"]

    body = guarded(application)(
        {"HTTP_HOST": "127.0.0.1:1", "PATH_INFO": "/", "REQUEST_METHOD": "GET", **environ},
        lambda status, _: said.append(status),
    )
    return said[0], b"".join(body).decode()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4566", "localhost", "localhost:4566", "[::1]:4566", "bucket.localhost:1", "a.b.localhost"],
)
def test_this_machine_is_served(host: str) -> None:
    assert ask(HTTP_HOST=host) == ("200 OK", "served")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "127.0.0.1@evil.com",
        "evillocalhost",
        "localhost.",
        "0.0.0.0",
        "127.0.0.1,evil.com",
        "[::2]",
        "169.254.169.254",
        "127.1",
    ],
)
def test_another_host_is_refused_by_name(host: str) -> None:
    status, body = ask(HTTP_HOST=host)
    assert status == "403 Forbidden"
    assert repr(host) in json.loads(body)["message"]


@pytest.mark.parametrize(
    ("header", "value", "named"),
    [
        ("HTTP_ORIGIN", "http://127.0.0.1:1", "Origin"),
        ("HTTP_ORIGIN", "null", "Origin"),
        ("HTTP_SEC_FETCH_SITE", "cross-site", "Sec-Fetch"),
        ("HTTP_SEC_FETCH_SITE", "same-origin", "Sec-Fetch"),
        ("HTTP_SEC_FETCH_SITE", "none", "Sec-Fetch"),
        ("HTTP_SEC_FETCH_MODE", "no-cors", "Sec-Fetch"),
        ("HTTP_X_MOTO_ACCOUNT_ID", "210987654321", "x-moto-account-id"),
        ("PATH_INFO", "/moto-api/reset", "moto-api"),
        ("PATH_INFO", "/moto-api/", "moto-api"),
        ("PATH_INFO", "/moto-api", "moto-api"),
    ],
)
def test_web_pages_and_motos_own_api_are_refused(header: str, value: str, named: str) -> None:
    status, body = ask(**{header: value})
    assert status == "403 Forbidden"
    assert named in json.loads(body)["message"]


def test_a_presigned_url_may_be_typed_into_the_address_bar() -> None:
    typed = {"HTTP_SEC_FETCH_SITE": "none", "HTTP_SEC_FETCH_MODE": "navigate"}
    assert ask(**typed)[0] == "200 OK"
    assert ask(**typed, REQUEST_METHOD="POST")[0] == "403 Forbidden"

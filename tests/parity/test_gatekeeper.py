"""The gate stands before the running cloud."""

from __future__ import annotations

import http.client
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Host": "evil.example.com"}),
        ("/", {"Origin": "https://evil.example.com"}),
        ("/moto-api/reset", {}),
        ("/moto-api/", {}),
    ],
)
def test_what_no_aws_client_sends_is_refused(cloud: dict[str, Any], path: str, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud["port"], timeout=10)
    connection.request("POST", path, body=b"x", headers=headers)
    assert connection.getresponse().status == 403
    connection.close()


def test_the_secret_is_not_one_that_everybody_knows(cloud: dict[str, Any]) -> None:
    assert len(cloud["secret_access_key"]) >= 30

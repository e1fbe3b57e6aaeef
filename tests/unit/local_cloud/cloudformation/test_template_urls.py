"""The address of a template in S3: an s3:// URI is no URL, its key is neither unquoted nor cut."""

from __future__ import annotations

import io
from typing import Any

import pytest

from local_cloud.cloudformation import operations


class Buckets:
    """Answers with what was asked for."""

    def get_object(self, **asked: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(f"{asked['Bucket']} {asked['Key']}".encode())}


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("s3://b/a#1?%20.yaml", "b a#1?%20.yaml"),
        ("https://s3.amazonaws.com/b/a%20b.yaml", "b a b.yaml"),
        ("https://b.s3.eu-central-1.amazonaws.com/a.yaml", "b a.yaml"),
    ],
)
def test_the_object_that_is_read(monkeypatch: pytest.MonkeyPatch, url: str, read: str) -> None:
    monkeypatch.setattr(operations, "client", lambda *_: Buckets())
    assert operations.read_template(url, "123456789012", "us-east-1") == read

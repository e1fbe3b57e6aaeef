"""`s3://` URIs, taken apart once."""

from __future__ import annotations

from typing import NamedTuple


class S3Uri(NamedTuple):
    """A bucket and a key (or prefix) in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> S3Uri:
        """The object `name` below this prefix."""
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}")


def parse(uri: str) -> S3Uri:
    """Split an `s3://bucket/key` URI.

    Raises: ValueError for another scheme, no bucket, no key, or a key that climbs (`..`, `//`).
    """
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket or not key:
        raise ValueError(f"{uri!r} is not an s3://BUCKET/KEY URI")
    if key.startswith("/") or "//" in key or any(part in {".", ".."} for part in key.split("/")):
        raise ValueError(f"{uri!r} has an empty or relative path segment")
    return S3Uri(bucket, key)

"""What a request says of its own signature, in its Authorization header or in its query (a presigned URL).

Refused: two signatures at once, algorithms other than AWS4-HMAC-SHA256 (S3's older presigned URLs aside, which boto3
still makes by default), and headers that change a request's meaning without being signed.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from local_cloud.signatures.refusals import Kind, Refused

ALGORITHM = "AWS4-HMAC-SHA256"
S3_SERVICES = frozenset({"s3", "s3-object-lambda", "s3-outposts"})
_FIELD = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,\s]+)\s*")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
_LONGEST_EXPIRY_S = 604_800
_MEANS_NOTHING_UNSIGNED = frozenset({"HTTP_X_AMZ_CONTENT_SHA256", "HTTP_X_AMZ_DATE", "HTTP_X_AMZ_SECURITY_TOKEN"})
"""Headers that a presigned URL need not sign: what they say, its query says."""


@dataclass(frozen=True)
class Claim:
    """A Signature Version 4 as the request gives it. `expires_s` is a presigned URL's; `token` a temporary key's."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    expires_s: int | None

    @property
    def is_s3(self) -> bool:
        return self.service in S3_SERVICES


@dataclass(frozen=True)
class OldClaim:
    """S3's Signature Version 2 of a presigned URL; `expires` in seconds since the epoch, as text."""

    access_key_id: str
    signature: str
    expires: str
    token: str | None


def read(environ: Mapping[str, Any]) -> Claim | OldClaim:
    """What a request claims.

    Raises: Refused if it is not signed, or not in a way that this cloud verifies.
    """
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    is_presigned = "X-Amz-Signature" in query or "X-Amz-Algorithm" in query
    is_old = "AWSAccessKeyId" in query and "Signature" in query
    header = environ.get("HTTP_AUTHORIZATION")
    if (header is not None) + is_presigned + is_old > 1:
        raise Refused(Kind.INCOMPLETE, "only one signature is allowed: in Authorization or in the query")
    if header is not None:
        return _of_header(header, environ)
    if is_presigned:
        return _of_query(query, environ)
    if is_old:
        return OldClaim(
            query["AWSAccessKeyId"], query["Signature"], query.get("Expires", ""), query.get("x-amz-security-token")
        )
    raise Refused(Kind.MISSING, "the request is not signed")


def _of_header(header: str, environ: Mapping[str, Any]) -> Claim:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused(Kind.INCOMPLETE, f"the signature algorithm {algorithm[:40]!r} is not emulated, only {ALGORITHM}")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        match = _FIELD.fullmatch(part)
        if match is None or match[1] in fields:
            raise Refused(Kind.INCOMPLETE, "the Authorization header is malformed")
        fields[match[1]] = match[2]
    if len(fields) != 3:
        raise Refused(Kind.INCOMPLETE, "the Authorization header needs Credential, SignedHeaders and Signature")
    return _claim(
        fields["Credential"],
        fields["SignedHeaders"],
        fields["Signature"],
        environ.get("HTTP_X_AMZ_DATE", ""),
        environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
        None,
        environ,
    )


def _of_query(query: Mapping[str, str], environ: Mapping[str, Any]) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise Refused(Kind.INCOMPLETE, f"X-Amz-Algorithm must be {ALGORITHM}")
    expires = query.get("X-Amz-Expires", "")
    if not expires.isascii() or not expires.isdigit() or not 1 <= int(expires) <= _LONGEST_EXPIRY_S:
        raise Refused(Kind.INCOMPLETE, f"X-Amz-Expires must be from 1 to {_LONGEST_EXPIRY_S}")
    return _claim(
        query.get("X-Amz-Credential", ""),
        query.get("X-Amz-SignedHeaders", ""),
        query.get("X-Amz-Signature", ""),
        query.get("X-Amz-Date", ""),
        query.get("X-Amz-Security-Token"),
        int(expires),
        environ,
    )


def _claim(
    credential: str,
    signed: str,
    signature: str,
    timestamp: str,
    token: str | None,
    expires_s: int | None,
    environ: Mapping[str, Any],
) -> Claim:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not all(scope):
        raise Refused(Kind.INCOMPLETE, "Credential must be KEY/DATE/REGION/SERVICE/aws4_request")
    if _SIGNATURE.fullmatch(signature) is None:
        raise Refused(Kind.INCOMPLETE, "Signature must be 64 hexadecimal digits")
    if _TIMESTAMP.fullmatch(timestamp) is None or not timestamp.startswith(scope[1]):
        raise Refused(Kind.INCOMPLETE, "X-Amz-Date must be there, and of the day that Credential names")
    headers = tuple(signed.lower().split(";"))
    _require_signed(headers, environ, is_presigned=expires_s is not None)
    return Claim(scope[0], scope[1], scope[2], scope[3], headers, signature, timestamp, token, expires_s)


def _require_signed(headers: tuple[str, ...], environ: Mapping[str, Any], *, is_presigned: bool) -> None:
    """Raises: Refused if the host or an `x-amz-…` header, each of which changes what is asked, is not signed."""
    if "host" not in headers:
        raise Refused(Kind.UNSIGNED_HEADERS, "the Host header must be signed")
    signed = {f"HTTP_{name.upper().replace('-', '_')}" for name in headers}
    for name in environ:
        if name.startswith("HTTP_X_AMZ_") and name not in signed:
            if is_presigned and name in _MEANS_NOTHING_UNSIGNED:
                continue
            header = name.removeprefix("HTTP_").replace("_", "-").lower()
            raise Refused(Kind.UNSIGNED_HEADERS, f"the header {header} must be signed")

"""What a request's signature must be, by botocore's own canonical form, and whether it is.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, SigV4Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from local_cloud.signatures.claims import Claim, OldClaim
from local_cloud.signatures.refusals import Kind, Refused

_UNRESERVED = "-_.~"
_NOBODY = Credentials("", "")
"""botocore's signers want one; the secret is used here."""


class _Headers(dict[str, str]):
    """The signed headers, as botocore asks for them."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


@dataclass
class _Request:
    """What botocore's signers look at in a request."""

    method: str
    url: str
    signed: _Headers
    headers: Mapping[str, str]
    context: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)


class _Signer(SigV4Auth):
    """Most services: the path is normalised and encoded once more. The claim says which headers are signed."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.signed


class _S3Signer(S3SigV4Auth):
    """S3: the path is what it is."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.signed


def matches(claim: Claim, secret: str, environ: Mapping[str, Any], payload_hash: str) -> bool:
    """Whether the claimed signature is the one that the secret makes of this request."""
    signer = _signer(claim.region, claim.service, claim.is_s3)
    key = signing_key(secret, claim.date, claim.region, claim.service)
    signed = _Headers((name, _header(environ, name)) for name in claim.signed_headers)
    for target in _targets(environ, without_signature=claim.expires_s is not None):
        request = _Request(
            environ["REQUEST_METHOD"],
            f"http://host{target}",
            signed,
            {"X-Amz-Content-SHA256": payload_hash},
            {"timestamp": claim.timestamp},
        )
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if same(sign(key, text), claim.signature):
            return True
    return False


def old_matches(claim: OldClaim, secret: str, environ: Mapping[str, Any], bucket_path: str) -> bool:
    """Whether S3's Signature Version 2 of a presigned URL is right. `bucket_path`: "/bucket" if the host names it."""
    split = urlsplit(f"http://host{environ['RAW_URI']}")
    text = _OldSigner(claim.expires).canonical_string(
        environ["REQUEST_METHOD"], split, _old_headers(environ), auth_path=f"{bucket_path}{split.path}"
    )
    made = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return same(made, claim.signature)


class _OldSigner(HmacV1QueryAuth):
    """Signs the expiry that the URL has instead of one that begins now."""

    def __init__(self, expires: str) -> None:
        self._date = expires

    def _get_date(self) -> str:
        return self._date


def _old_headers(environ: Mapping[str, Any]) -> Any:
    """Headers that count, and those that the presigning client moved into the query."""
    headers = HTTPHeaders()
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        if name.lower().startswith("x-amz-") or name.lower() in ("content-type", "content-md5"):
            headers[name.lower()] = value
    for name in environ:
        if name.startswith("HTTP_X_AMZ_") or name in ("CONTENT_TYPE", "HTTP_CONTENT_MD5"):
            header = name.removeprefix("HTTP_").replace("_", "-").lower()
            del headers[header]
            headers[header] = _header(environ, header)
    return headers


@functools.lru_cache(maxsize=512)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, Region and service; worked out once, since it takes four rounds."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The hexadecimal signature of a string to sign."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def same(made: str, given: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(made.encode(), given.encode(errors="surrogateescape"))


@functools.lru_cache(maxsize=512)
def _signer(region: str, service: str, is_s3: bool) -> Any:
    return (_S3Signer if is_s3 else _Signer)(_NOBODY, service, region)


def _header(environ: Mapping[str, Any], name: str) -> str:
    """A header as it was sent. WSGI shows its bytes as Latin-1; clients sign text as UTF-8.

    Raises: Refused if the header is not there.
    """
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")
    if value is None:
        raise Refused(Kind.MISMATCH, f"the signed header {name} is not in the request")
    try:
        return str(value).encode("latin-1").decode()
    except UnicodeError:
        return str(value)


def _targets(environ: Mapping[str, Any], *, without_signature: bool) -> Iterator[str]:
    """The request's target as it was sent, then as AWS's rules encode it: some clients sign what they do not send."""
    split = urlsplit(f"http://host{environ['RAW_URI']}")
    query = split.query
    if without_signature:
        query = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    sent = _target(split.path, query)
    yield sent
    again = _encoded(split, query)
    if again != sent:
        yield again


def _encoded(split: SplitResult, query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    written = [
        "=".join(quote(part.encode(errors="surrogateescape"), safe=_UNRESERVED) for part in pair) for pair in pairs
    ]
    return _target(quote(unquote_to_bytes(split.path), safe=f"/{_UNRESERVED}"), "&".join(written))


def _target(path: str, query: str) -> str:
    return f"{path or '/'}?{query}" if query else path or "/"

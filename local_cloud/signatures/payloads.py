"""The body of a request against what was signed of it: its hash, or a chain of signatures through its chunks.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from local_cloud.signatures.canonical import same, sign, signing_key
from local_cloud.signatures.claims import Claim
from local_cloud.signatures.refusals import Kind, Refused

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
LARGEST_UNVERIFIED_BYTES = 128 * 1024 * 1024
"""Of a body that must be read before its request can be verified: more than any service but S3 takes."""
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_LONGEST_LINE = 1024


def read(environ: dict[str, Any], largest_bytes: int | None = None) -> bytes:
    """The whole body; what reads `environ` next gets it again.

    Raises: Refused if it is larger, or shorter than it says.
    """
    is_chunked = bool(environ.get("wsgi.input_terminated"))
    length = 0 if is_chunked else _length(environ)
    if largest_bytes is not None and length > largest_bytes:
        raise Refused(Kind.TOO_LARGE, f"the body is larger than {largest_bytes} bytes")
    wanted = length if not is_chunked else -1 if largest_bytes is None else largest_bytes + 1
    body: bytes = environ["wsgi.input"].read(wanted)
    if largest_bytes is not None and len(body) > largest_bytes:
        raise Refused(Kind.TOO_LARGE, f"the body is larger than {largest_bytes} bytes")
    if not is_chunked and len(body) != length:
        raise Refused(Kind.WRONG_PAYLOAD, "the body is shorter than Content-Length")
    environ["wsgi.input"] = io.BytesIO(body)
    # All of it is here: whoever reads it next need not count.
    environ["wsgi.input_terminated"] = True
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def require_hash(environ: dict[str, Any], signed_hash: str) -> None:
    """Raises: Refused if the body has another SHA-256."""
    if not same(hashlib.sha256(read(environ)).hexdigest(), signed_hash):
        raise Refused(Kind.WRONG_PAYLOAD, "x-amz-content-sha256 is not the hash of the body")


def require_chunks(environ: dict[str, Any], claim: Claim, secret: str) -> None:
    """Raises: Refused if a chunk's or the trailer's signature does not follow from the one before."""
    key = signing_key(secret, claim.date, claim.region, claim.service)
    scope = f"{claim.timestamp}\n{claim.date}/{claim.region}/{claim.service}/aws4_request"
    body = io.BytesIO(read(environ))
    previous = claim.signature
    for chunk, signature in _chunks(body):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{_EMPTY_HASH}\n{hashlib.sha256(chunk).hexdigest()}"
        if not same(sign(key, text), signature):
            raise Refused(Kind.MISMATCH, "the signature of a chunk does not match")
        previous = signature
    if environ["HTTP_X_AMZ_CONTENT_SHA256"] == STREAMING_TRAILER:
        _require_trailer(body, key, scope, previous)


def _require_trailer(body: io.BytesIO, key: bytes, scope: str, previous: str) -> None:
    lines = [line.strip().decode("latin-1") for line in body if line.strip()]
    signature = next((line.partition(":")[2] for line in lines if line.startswith("x-amz-trailer-signature:")), "")
    trailer = "".join(f"{line}\n" for line in lines if not line.startswith("x-amz-trailer-signature:"))
    text = f"AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{hashlib.sha256(trailer.encode()).hexdigest()}"
    if not same(sign(key, text), signature):
        raise Refused(Kind.MISMATCH, "the signature of the trailer does not match")


def _chunks(body: io.BytesIO) -> Iterator[tuple[bytes, str]]:
    """Each chunk with its signature, the empty last one included."""
    while True:
        size, _, extension = body.readline(_LONGEST_LINE).strip().decode("latin-1").partition(";")
        name, _, signature = extension.partition("=")
        try:
            length = int(size, 16)
        except ValueError:
            length = -1
        if length < 0 or name != "chunk-signature":
            raise Refused(Kind.WRONG_PAYLOAD, "the body is not made of signed chunks")
        chunk = body.read(length)
        if len(chunk) != length:
            raise Refused(Kind.WRONG_PAYLOAD, "the last chunk is cut off")
        yield chunk, signature
        if length == 0:
            return
        if body.read(2) != b"\r\n":
            raise Refused(Kind.WRONG_PAYLOAD, "a chunk does not end where it says")


def _length(environ: dict[str, Any]) -> int:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit():
        raise Refused(Kind.WRONG_PAYLOAD, "Content-Length is no number")
    return int(length)

"""What the gate lets through and what it refuses, request by request."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_cloud import settings
from local_cloud.protocols import Protocol
from local_cloud.signatures import canonical
from local_cloud.signatures.gate import signed, verify
from local_cloud.signatures.refusals import Kind, Refused, code_of


@pytest.fixture(autouse=True)
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.CloudSettings:
    made = settings.CloudSettings(tmp_path, tmp_path, 5000)
    monkeypatch.setattr(settings, "_current", made)
    return made


def credentials(token: str | None = None) -> Credentials:
    key = settings.current().access_key()
    return Credentials(key.access_key_id, key.secret_access_key, token)


def request(
    service: str = "dynamodb",
    method: str = "POST",
    target: str = "/",
    body: bytes = b"{}",
    *,
    token: str | None = None,
    payload: str | None = None,
    **headers: str,
) -> dict[str, Any]:
    """The WSGI environment of a request that botocore signed."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    made = AWSRequest(method, settings.current().endpoint + target, given, body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer: Any = kind(credentials(token), service, "us-east-1")
    if payload is not None:
        signer.payload = lambda _: payload
    signer.add_auth(made)
    return environ_of(method, target, body, dict(made.headers))


def environ_of(method: str, target: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "127.0.0.1:5000",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def refused(environ: dict[str, Any]) -> Kind:
    with pytest.raises(Refused) as raised:
        verify(environ)
    return raised.value.kind


def at(monkeypatch: pytest.MonkeyPatch, when: datetime.datetime) -> None:
    """The client's clock shows `when`."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: when)


def test_a_signed_request_is_let_through_and_its_body_is_still_there() -> None:
    environ = request(body=b'{"a": 1}', X_Amz_Target="T.Op", Content_Type="application/x-amz-json-1.0")
    verify(environ)
    assert environ["wsgi.input"].read() == b'{"a": 1}'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUEST_METHOD", "PUT"),
        ("RAW_URI", "/other"),
        ("RAW_URI", "/?a=b"),
        ("HTTP_X_AMZ_TARGET", "T.Other"),
        ("HTTP_HOST", "localhost:5000"),
        ("wsgi.input", io.BytesIO(b"[]")),
    ],
)
def test_whatever_is_changed_after_signing_is_found(name: str, value: Any) -> None:
    assert refused({**request(X_Amz_Target="T.Op"), name: value}) is Kind.MISMATCH


@pytest.mark.parametrize(("minutes", "kind"), [(-16, Kind.SKEWED), (16, Kind.SKEWED), (-14, None), (14, None)])
def test_a_clock_may_be_wrong_by_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch, minutes: int, kind: Kind | None
) -> None:
    at(monkeypatch, datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes))
    environ = request()
    assert kind is None or refused(environ) is kind
    if kind is None:
        verify(environ)


def test_a_header_that_counts_must_be_signed() -> None:
    assert refused({**request(), "HTTP_X_AMZ_TARGET": "T.Op"}) is Kind.UNSIGNED_HEADERS
    assert refused({**request("s3", "PUT", "/b/k"), "HTTP_X_AMZ_COPY_SOURCE": "b/k2"}) is Kind.UNSIGNED_HEADERS
    environ = request()
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace("host;", "")
    assert refused(environ) is Kind.UNSIGNED_HEADERS


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", Kind.INCOMPLETE),
        ("AWS key:signature", Kind.INCOMPLETE),
        ("Bearer x", Kind.INCOMPLETE),
        ("AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0", Kind.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=a", Kind.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=" + "0" * 64, Kind.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=a, Credential=b, Signature=" + "0" * 64, Kind.INCOMPLETE),
        (None, Kind.MISSING),
    ],
)
def test_what_is_no_signature_is_named(header: str | None, kind: Kind) -> None:
    environ = request()
    if header is None:
        del environ["HTTP_AUTHORIZATION"]
    else:
        environ["HTTP_AUTHORIZATION"] = header
    assert refused(environ) is kind


def test_two_signatures_at_once_are_refused() -> None:
    assert refused({**request(), "QUERY_STRING": "X-Amz-Signature=0"}) is Kind.INCOMPLETE
    assert refused({**request(), "QUERY_STRING": "AWSAccessKeyId=a&Signature=b"}) is Kind.INCOMPLETE


def test_a_session_token_must_be_the_keys_own() -> None:
    verify(request(token=settings.current().access_key().session_token))
    assert refused(request(token="local")) is Kind.BAD_TOKEN


def test_a_day_that_is_not_the_signatures_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = request()
    day = environ["HTTP_X_AMZ_DATE"][:8]
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace(f"/{day}/", "/20200101/")
    assert refused(environ) is Kind.INCOMPLETE


def test_s3_wants_the_bodys_hash_and_checks_it() -> None:
    environ = request("s3", "PUT", "/bucket/key", b"body")
    verify(dict(environ))
    assert refused({**environ, "wsgi.input": io.BytesIO(b"else")}) is Kind.WRONG_PAYLOAD
    assert environ["HTTP_X_AMZ_CONTENT_SHA256"] == hashlib.sha256(b"body").hexdigest()
    assert refused({**environ, "HTTP_X_AMZ_CONTENT_SHA256": "\xff"}) is Kind.MISMATCH
    assert refused({**environ, "wsgi.input": io.BytesIO(b"bo")}) is Kind.WRONG_PAYLOAD
    del environ["HTTP_X_AMZ_CONTENT_SHA256"]
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"].replace("x-amz-content-sha256;", "")
    assert refused(environ) is Kind.NO_PAYLOAD_HASH


def test_only_s3_may_leave_its_body_unsigned() -> None:
    verify(request("s3", "PUT", "/bucket/key", b"body", payload="UNSIGNED-PAYLOAD"))
    verify(request("s3", "PUT", "/bucket/key", b"body", payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
    assert refused(request(X_Amz_Content_SHA256="UNSIGNED-PAYLOAD")) is Kind.WRONG_PAYLOAD


def test_a_body_that_must_be_read_first_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_cloud.signatures.payloads.LARGEST_UNVERIFIED_BYTES", 10)
    assert refused(request(body=b"x" * 11)) is Kind.TOO_LARGE
    assert refused({**request(body=b"x" * 11), "wsgi.input_terminated": True}) is Kind.TOO_LARGE
    verify(request(body=b"x" * 10))


def streamed(chunks: list[bytes], trailer: str = "") -> dict[str, Any]:
    """A body of signed chunks, made by the rules of AWS's page on streaming signatures."""
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
    environ = request("s3", "PUT", "/bucket/key", b"", payload=kind, Content_Encoding="aws-chunked")
    stamp, previous = environ["HTTP_X_AMZ_DATE"], environ["HTTP_AUTHORIZATION"].rpartition("=")[2]
    key = canonical.signing_key(credentials().secret_key, stamp[:8], "us-east-1", "s3")
    scope = f"{stamp}\n{stamp[:8]}/us-east-1/s3/aws4_request"
    body = b""
    for chunk in [*chunks, b""]:
        hashes = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(chunk).hexdigest()}"
        previous = canonical.sign(key, f"AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{hashes}")
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    if trailer:
        digest = hashlib.sha256((trailer + "\n").encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{digest}"
        body += f"{trailer}\r\nx-amz-trailer-signature:{canonical.sign(key, text)}\r\n\r\n".encode()
    else:
        body += b"\r\n"
    return {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def changed(environ: dict[str, Any], old: bytes, new: bytes) -> dict[str, Any]:
    body = environ["wsgi.input"].getvalue()
    assert old in body
    body = body.replace(old, new)
    return {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def test_every_chunk_of_a_streamed_body_is_verified() -> None:
    environ = streamed([b"first" * 100, b"second" * 100])
    verify(dict(environ))
    assert refused(changed(environ, b"second", b"sEcond")) is Kind.MISMATCH
    assert refused(changed(environ, b"258;chunk", b"257;chunk")) is Kind.MISMATCH
    assert refused(changed(environ, b"258;chunk", b"259;chunk")) is Kind.MISMATCH
    assert refused(changed(environ, b"chunk-signature", b"chunk-sig")) is Kind.WRONG_PAYLOAD
    assert refused(changed(environ, b"chunk-signature=", b"chunk-signature=\xff")) is Kind.MISMATCH
    assert refused(changed(environ, b"258;", b"-58;")) is Kind.WRONG_PAYLOAD


def test_a_signed_trailer_is_verified() -> None:
    environ = streamed([b"only"], trailer="x-amz-checksum-crc32:AAAAAA==")
    verify(dict(environ))
    assert refused(changed(environ, b"AAAAAA==", b"BBBBBB==")) is Kind.MISMATCH
    assert refused(changed(environ, b"x-amz-trailer-signature:", b"x-other:")) is Kind.MISMATCH


def test_a_client_that_signs_what_it_does_not_send_is_understood() -> None:
    """Some encode only what they sign: a space as %20 in the signature, as + or + as itself on the wire."""
    sent = request("s3", "GET", "/bucket/a%2Bb%20c?prefix=x%20y", b"")
    verify({**sent, "RAW_URI": "/bucket/a+b%20c?prefix=x+y", "QUERY_STRING": "prefix=x+y"})


def test_the_refusal_speaks_as_the_service_does() -> None:
    said: list[Any] = []
    environ = request(X_Amz_Target="DynamoDB_20120810.ListTables") | {"HTTP_X_AMZ_DATE": "20200101T000000Z"}
    body = signed(lambda *_: pytest.fail("was served"))(environ, lambda status, headers: said.append((status, headers)))
    answer = json.loads(b"".join(body))
    assert said[0][0] == "400 Bad Request"
    assert answer["__type"] == "IncompleteSignatureException"
    assert 'eval "$(turbine local env)"' in answer["message"]


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("kind", list(Kind))
def test_every_reason_has_a_code_in_every_protocol(protocol: Protocol, kind: Kind) -> None:
    code, status = code_of(kind, protocol)
    assert code.isalnum()
    assert 400 <= status < 500

"""How the asked service speaks, and errors in that protocol: by it an SDK finds the code and the message.

Source: https://smithy.io/2.0/aws/protocols/index.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

_REST_JSON_PATH = re.compile(r"/(v\d+|\d{4}-\d{2}-\d{2})/")
"""Lambda's and Batch's paths: no bucket has such a name."""

Reply = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


class Protocol(Enum):
    """How a service speaks."""

    S3 = auto()
    QUERY = auto()
    EC2 = auto()
    JSON = auto()
    REST_JSON = auto()
    CBOR = auto()


def service_of(environ: Mapping[str, Any]) -> str:
    """The signing name of the asked service, as the Authorization header or a presigned URL has it; "" without one."""
    in_header = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0]
    in_query = environ.get("QUERY_STRING", "").partition("X-Amz-Credential=")[2].partition("&")[0]
    scope = (in_header or unquote(in_query)).split("/")
    return scope[3] if len(scope) == 5 else ""


def protocol_of(environ: Mapping[str, Any]) -> Protocol:
    """The protocol a request speaks; S3's where nothing tells."""
    service = service_of(environ)
    content_type = environ.get("CONTENT_TYPE", "")
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return Protocol.CBOR
    if "HTTP_X_AMZ_TARGET" in environ:
        return Protocol.JSON
    if service in ("ec2", "s3"):
        return Protocol.EC2 if service == "ec2" else Protocol.S3
    if content_type.startswith("application/x-www-form-urlencoded") or "Action=" in environ.get("QUERY_STRING", ""):
        return Protocol.QUERY
    if service or "json" in content_type or _REST_JSON_PATH.match(environ.get("PATH_INFO", "")):
        return Protocol.REST_JSON
    return Protocol.S3


def error_reply(environ: Mapping[str, Any], code: str, status: int, message: str) -> Reply:
    """An error as the asked service would send it."""
    content_type, body = _body(protocol_of(environ), code, message)
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", code),
        # The request's body may not have been read: what is left of it must not be taken for the next request.
        ("Connection", "close"),
    ]
    return f"{status} {HTTPStatus(status).phrase}", headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else body


def _body(protocol: Protocol, code: str, message: str) -> tuple[str, bytes]:
    request_id, told = uuid.uuid4(), f"<Code>{code}</Code><Message>{html.escape(message, quote=False)}</Message>"
    if protocol is Protocol.S3:
        return "application/xml", _xml(f"<Error>{told}<RequestId>{request_id}</RequestId></Error>")
    if protocol is Protocol.QUERY:
        error = f"<Error><Type>Sender</Type>{told}</Error><RequestId>{request_id}</RequestId>"
        return "text/xml", _xml(f"<ErrorResponse>{error}</ErrorResponse>")
    if protocol is Protocol.EC2:
        error = f"<Errors><Error>{told}</Error></Errors><RequestID>{request_id}</RequestID>"
        return "text/xml", _xml(f"<Response>{error}</Response>")
    if protocol is Protocol.CBOR:
        return "application/cbor", _cbor_map({"__type": code, "message": message})
    return "application/json", json.dumps({"__type": code, "message": message}).encode()


def _xml(element: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element}'.encode()


def _cbor_map(texts: Mapping[str, str]) -> bytes:
    """Source: RFC 8949, major types 5 (map) and 3 (text), each length in two bytes."""
    encoded = b"\xb9" + len(texts).to_bytes(2, "big")
    for text in (part for pair in texts.items() for part in pair):
        data = text.encode()[:0xFFFF]
        encoded += b"\x79" + len(data).to_bytes(2, "big") + data
    return encoded

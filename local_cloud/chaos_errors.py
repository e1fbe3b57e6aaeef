"""Throttling and failures in each service's own words: code, HTTP status and protocol, so that SDKs retry as on AWS."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_THROTTLING: dict[str, tuple[str, int]] = {
    "s3": ("SlowDown", 503),
    "dynamodb": ("ThrottlingException", 400),
    "lambda": ("TooManyRequestsException", 429),
    "batch": ("TooManyRequestsException", 429),
    "scheduler": ("ThrottlingException", 429),
    "sqs": ("RequestThrottled", 403),
    "sns": ("Throttled", 429),
    "monitoring": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "cloudformation": ("Throttling", 400),
    "ec2": ("RequestLimitExceeded", 503),
}
"""By the name that requests are signed for; all others answer ThrottlingException and 400."""

_FAILURES: dict[str, str] = {
    "s3": "InternalError",
    "dynamodb": "InternalServerError",
    "lambda": "ServiceException",
    "batch": "ServerException",
    "ecs": "ServerException",
    "ecr": "ServerException",
    "events": "InternalException",
    "scheduler": "InternalServerException",
    "sns": "InternalError",
    "ec2": "InternalError",
    "monitoring": "InternalServiceError",
    "logs": "InternalServerException",
    "ssm": "InternalServerError",
    "secretsmanager": "InternalServiceError",
    "kms": "KMSInternalException",
}
_REST_XML = ("s3", "route53", "cloudfront")
_EXPLANATIONS = {
    400: "Rate exceeded",
    403: "Request throttled",
    429: "Rate exceeded",
    503: "Please reduce your request rate.",
}


@dataclass(frozen=True)
class Reply:
    """A WSGI answer."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def can_answer(service: str, environ: dict[str, Any]) -> bool:
    """Whether this module speaks the protocol of a request."""
    return "cbor" not in (environ.get("CONTENT_TYPE") or "") or service in _REST_XML


def reply(service: str, environ: dict[str, Any], failure: int | None) -> Reply:
    """The service's throttling error, or its failure with the status 500 or 503."""
    if failure is None:
        code, status = _THROTTLING.get(service, ("ThrottlingException", 400))
        message = _EXPLANATIONS[status]
    else:
        code = _FAILURES.get(service, "InternalFailure") if failure == 500 else "ServiceUnavailable"
        status, message = failure, "We encountered an internal error. Please try again."
    return _serialized(service, environ, status, code, message)


def _serialized(service: str, environ: dict[str, Any], status: int, code: str, message: str) -> Reply:
    content_type = environ.get("CONTENT_TYPE") or ""
    request_id = secrets.token_hex(8).upper()
    headers = [("x-amzn-RequestId", request_id), ("Connection", "close")]
    if service in _REST_XML:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
        return _finished(status, "application/xml", headers, body)
    if content_type.startswith("application/x-amz-json"):
        return _finished(status, content_type, headers, json.dumps({"__type": code, "message": message}))
    if content_type.startswith("application/x-www-form-urlencoded"):
        return _finished(status, "text/xml", headers, _query_error(service, status, code, message, request_id))
    headers.append(("x-amzn-ErrorType", code))
    return _finished(status, "application/json", headers, json.dumps({"message": message}))


def _query_error(service: str, status: int, code: str, message: str, request_id: str) -> str:
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    side = "Sender" if status < 500 else "Receiver"
    error = f"<Error><Type>{side}</Type>{error}</Error>"
    return f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"


def _finished(status: int, content_type: str, headers: list[tuple[str, str]], body: str) -> Reply:
    encoded = ('<?xml version="1.0" encoding="UTF-8"?>\n' + body if body.startswith("<") else body).encode()
    described = HTTPStatus(status)
    all_headers = [("Content-Type", content_type), ("Content-Length", str(len(encoded))), *headers]
    return Reply(f"{status} {described.phrase}", all_headers, encoded)

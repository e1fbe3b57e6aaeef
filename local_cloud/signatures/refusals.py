"""Says no as the asked service does: AWS's code and status for each reason, in the protocol of the request.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from local_cloud.protocols import Protocol, Reply, error_reply, protocol_of

HINT = 'Use the keys of this embedded cloud: eval "$(turbine local env)"'


class Kind(Enum):
    """Why a request is refused."""

    MISSING = auto()
    INCOMPLETE = auto()
    UNKNOWN_KEY = auto()
    BAD_TOKEN = auto()
    EXPIRED_TOKEN = auto()
    MISMATCH = auto()
    SKEWED = auto()
    EXPIRED_URL = auto()
    UNSIGNED_HEADERS = auto()
    NO_PAYLOAD_HASH = auto()
    WRONG_PAYLOAD = auto()
    TOO_LARGE = auto()


class Refused(Exception):  # noqa: N818  not a failure: the answer to a request
    """A request that is not served."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_S3_CODES = {
    Kind.MISSING: ("AccessDenied", 403),
    Kind.INCOMPLETE: ("AuthorizationHeaderMalformed", 400),
    Kind.UNKNOWN_KEY: ("InvalidAccessKeyId", 403),
    Kind.BAD_TOKEN: ("InvalidToken", 400),
    Kind.EXPIRED_TOKEN: ("ExpiredToken", 400),
    Kind.MISMATCH: ("SignatureDoesNotMatch", 403),
    Kind.SKEWED: ("RequestTimeTooSkewed", 403),
    Kind.EXPIRED_URL: ("AccessDenied", 403),
    Kind.UNSIGNED_HEADERS: ("AccessDenied", 403),
    Kind.NO_PAYLOAD_HASH: ("InvalidRequest", 400),
    Kind.WRONG_PAYLOAD: ("XAmzContentSHA256Mismatch", 400),
    Kind.TOO_LARGE: ("EntityTooLarge", 400),
}
_QUERY_CODES = {
    Kind.MISSING: ("MissingAuthenticationToken", 403),
    Kind.INCOMPLETE: ("IncompleteSignature", 400),
    Kind.UNKNOWN_KEY: ("InvalidClientTokenId", 403),
    Kind.BAD_TOKEN: ("InvalidClientTokenId", 403),
    Kind.EXPIRED_TOKEN: ("ExpiredToken", 403),
    Kind.TOO_LARGE: ("RequestEntityTooLarge", 413),
}
_JSON_CODES = {
    Kind.MISSING: ("MissingAuthenticationTokenException", 403),
    Kind.INCOMPLETE: ("IncompleteSignatureException", 403),
    Kind.UNKNOWN_KEY: ("UnrecognizedClientException", 403),
    Kind.BAD_TOKEN: ("UnrecognizedClientException", 403),
    Kind.EXPIRED_TOKEN: ("ExpiredTokenException", 403),
    Kind.TOO_LARGE: ("RequestEntityTooLargeException", 413),
}


def code_of(kind: Kind, protocol: Protocol) -> tuple[str, int]:
    """AWS's error code and HTTP status. Where a protocol has no word for the reason, its signature does not match."""
    if protocol is Protocol.S3:
        return _S3_CODES[kind]
    if protocol is Protocol.QUERY:
        return _QUERY_CODES.get(kind, ("SignatureDoesNotMatch", 403))
    if protocol is Protocol.EC2:
        return _QUERY_CODES[kind] if kind in (Kind.MISSING, Kind.TOO_LARGE) else ("AuthFailure", 401)
    code, status = _JSON_CODES.get(kind, ("InvalidSignatureException", 403))
    # The services that dispatch by X-Amz-Target answer 400 to all that their callers do wrong.
    return code, 400 if protocol is Protocol.JSON and status == 403 else status


def answer(refused: Refused, environ: Mapping[str, Any]) -> Reply:
    """The refusal, with what to do."""
    code, status = code_of(refused.kind, protocol_of(environ))
    return error_reply(environ, code, status, f"{refused}. {HINT}")

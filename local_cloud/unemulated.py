"""Refuses by name what nothing here emulates, and tells a failure of the emulation as the service's own failure.

What is emulated stands in `local_cloud.coverage`; nothing else reaches moto, which would answer with a page of HTML,
take an operation of S3 for another one, or pretend that something runs.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_cloud import coverage
from local_cloud.gatekeeper import WsgiApplication
from local_cloud.operation_names import asked, operation_of
from local_cloud.protocols import Protocol, Reply, error_reply, protocol_of

_LOG = logging.getLogger(__name__)
_CODES = {Protocol.S3: "NotImplemented", Protocol.QUERY: "InvalidAction", Protocol.EC2: "InvalidAction"}
_OTHER_CODE = "UnknownOperationException"


def named(application: WsgiApplication) -> WsgiApplication:
    """`application`, asked only for what has a verdict; refusals and failures are told in the request's protocol."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said: list[tuple[Any, ...]] = []
        reason = coverage.refusal(*asked(environ))
        if reason is not None:
            return _send(_refusal(environ, reason), start_response)
        try:
            body = application(environ, lambda *words: said.append(words))
        except NotImplementedError as error:
            return _send(_refusal(environ, str(error)), start_response)
        except Exception as error:  # noqa: BLE001  named in the answer and in the log
            _LOG.exception("%s", operation_of(environ))
            return _send(_failure(environ, error), start_response)
        start_response(*said[-1])
        return body

    return answer


def _refusal(environ: Mapping[str, Any], reason: str) -> Reply:
    code = _CODES.get(protocol_of(environ), _OTHER_CODE)
    told = f"{operation_of(environ)} is not emulated"
    return error_reply(environ, code, 501, f"{told}: {reason}" if reason else told)


def _failure(environ: Mapping[str, Any], error: Exception) -> Reply:
    code = "InternalError" if protocol_of(environ) is Protocol.S3 else "InternalFailure"
    told = f"{operation_of(environ)} failed in the embedded cloud: {type(error).__name__}: {error}"
    return error_reply(environ, code, 500, f"{told}. Its log has the traceback")


def _send(reply: Reply, start_response: Callable[..., Any]) -> list[bytes]:
    status, headers, body = reply
    start_response(status, headers)
    return [body]

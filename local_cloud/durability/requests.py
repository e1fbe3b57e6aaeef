"""Requests that may change something are answered once what they changed is written.

Which ones only read is told by the method or by the operation's name. Whatever is not known to read is taken to
change something: a needless commit costs a millisecond, a missing one an answered call.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import parse_qs

from local_cloud import intents
from local_cloud.durability import commits
from local_cloud.durability.tracked import changes, has_made, only_reads
from local_cloud.eventbridge import delivery
from local_cloud.gatekeeper import WsgiApplication
from local_cloud.protocols import Protocol, error_reply, protocol_of

_LOG = logging.getLogger(__name__)
_READS = re.compile(
    r"(Get|List|Describe|BatchGet|Head|Query|Scan|Search|Lookup|Filter|Test|Validate|Estimate|Check|Select|Preview)[A-Z]"
)
_BRIEF = frozenset(
    {
        *("SendMessage", "SendMessageBatch", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
        *("TransactWriteItems", "StartExecution", "CreateTransformJob", "CreateModel", "AddTags", "PutEvents"),
        *("CreateModelPackage", "UpdateModelPackage", "CreateLogStream"),
    }
)
_SUBMIT_JOB = "/v1/submitjob"
_WAKES_BATCH = re.compile(r"/v1/(update|delete)[a-z]+")
"""Of what stacks call: the scheduler of jobs may wait for a commit. These may be made twice."""
_WRITES_ALL_THE_SAME = frozenset({"GetQueryResults"})
_REST_READS = re.compile(r"/v1/(describe|list)[a-z]+")  # AWS Batch: POST for everything
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_FOLDERS = {
    "lambda": "awslambda",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "email": "ses",
    "tagging": "resourcegroupstaggingapi",
}
"""moto's names for services that sign under another one."""


def durable(application: WsgiApplication) -> WsgiApplication:
    """`application`, whose answers wait for the commit."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reads = is_reading(environ)
        only_reads(reads)
        try:
            if reads:
                answered = application(environ, start_response)
                if has_made():
                    commits.keep()
                return answered
            return _kept(application, environ, start_response)
        finally:
            only_reads(False)

    return answer


def _kept(application: WsgiApplication, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The answer, once what it tells is written; the same answer to the same intent, without doing it again."""
    intent, services = intents.of_request(environ), services_of(environ)
    try:
        commits.require_writable()
        told = intents.answered(intent) if intent else None
    except commits.CannotKeepError as error:
        told = _refused(environ, error)
    if told is None:
        # What it causes begins once it is written.
        with changes.serving(services or ()), commits.answering(), delivery.held(), _whole(intent, environ):
            told = _done(application, environ, intent, services)
    start_response(told.status, told.headers)
    return [told.body]


def _done(
    application: WsgiApplication, environ: dict[str, Any], intent: str | None, services: set[str] | None
) -> intents.Told:
    """Do it and write it. Where it cannot be written the caller is told of a failure, and may call again.

    What it did is there for all to see, and is written when there is room again; so what it causes is, too.
    """
    told = intents.answered(intent) if intent else None  # again: whoever had the lock may have answered meanwhile
    if told is not None:
        return told
    told = _collected(application, environ)
    if intent:
        intents.remember(intent, told)
    try:
        commits.commit(services)
    except commits.CannotKeepError as error:
        return _refused(environ, error)
    return told


def _whole(intent: str | None, environ: dict[str, Any]) -> AbstractContextManager[Any]:
    """Let no other commit come between what a call with an intent changes and the answer that says so.

    Only calls that wait for nobody who commits: a function's, or one that stops something, could wait for ever.
    """
    return commits.together() if intent and _is_brief(intent, environ) else nullcontext()


def _is_brief(intent: str, environ: dict[str, Any]) -> bool:
    path = environ.get("PATH_INFO", "")
    if intent.startswith(intents.STACK):
        return _WAKES_BATCH.fullmatch(path) is None
    return (
        _operation(environ) in _BRIEF
        or path == _SUBMIT_JOB
        or environ.get("HTTP_X_AMZ_INVOCATION_TYPE") == "Event"
        or services_of(environ) == {"s3"}
    )


def _collected(application: WsgiApplication, environ: dict[str, Any]) -> intents.Told:
    begun: list[Any] = []
    body = b"".join(application(environ, lambda *head: begun.append(head)))
    return intents.Told(begun[-1][0], list(begun[-1][1]), body)


def is_reading(environ: dict[str, Any]) -> bool:
    """Whether the request changes nothing."""
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    if method in ("GET", "HEAD", "OPTIONS"):
        return True
    operation = _operation(environ)
    if operation:
        return _READS.match(operation) is not None and operation not in _WRITES_ALL_THE_SAME
    return method == "POST" and _REST_READS.fullmatch(path) is not None


def services_of(environ: dict[str, Any]) -> set[str] | None:
    """Whose backends a request may have changed; None when it does not say, or when it may be any."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None or scope[1] == "cloudformation":
        return None
    name = scope[1]
    folder = _FOLDERS.get(name, name)
    if not _is_folder(folder):
        return None
    return {name, folder}


@functools.cache
def _is_folder(name: str) -> bool:
    return importlib.util.find_spec(f"moto.{name}") is not None


def _operation(environ: dict[str, Any]) -> str:
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = _peek(environ)
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    return ""


def _peek(environ: dict[str, Any]) -> bytes:
    """The body of a small form, left in place to be read again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _refused(environ: dict[str, Any], error: commits.CannotKeepError) -> intents.Told:
    _LOG.error("a request is refused: %s", error)
    code = "InternalError" if protocol_of(environ) is Protocol.S3 else "InternalFailure"
    return intents.Told(*error_reply(environ, code, 500, str(error)))

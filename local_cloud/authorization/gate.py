"""Strict mode: a request is served if the policies of whoever signed it allow it, else denied as the service would.

Off, every verified request is served: a key is then proof of who asks, not of what he may do.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from local_cloud import settings
from local_cloud.accounts import account_of
from local_cloud.authorization import calls, evaluation, ledger, permissions, principals, s3_permissions
from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.authorization.conditions import Context
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.principals import Account
from local_cloud.gatekeeper import WsgiApplication
from local_cloud.protocols import Protocol, Reply, error_reply, protocol_of
from local_cloud.signatures.gate import SIGNER

STRICT_VARIABLE = "TURBINE_LOCAL_STRICT"
_OWN_PATHS = "/_local"
_CODES = {
    Protocol.S3: ("AccessDenied", 403),
    Protocol.QUERY: ("AccessDenied", 403),
    Protocol.EC2: ("UnauthorizedOperation", 403),
    Protocol.REST_JSON: ("AccessDeniedException", 403),
}
_OTHER_CODE = ("AccessDeniedException", 400)


def authorized(application: WsgiApplication) -> WsgiApplication:
    """`application`, asked only for what the signer may do."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not settings.current().strict:
            return application(environ, start_response)
        try:
            require(environ)
        except DeniedError as denied:
            status, headers, body = _reply(environ, str(denied))
            start_response(status, headers)
            return [body]
        if _reads_object(environ):
            return _without_hints(application, environ, start_response)
        return application(environ, start_response)

    return answer


def _reads_object(environ: dict[str, Any]) -> bool:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or protocol_of(environ) is not Protocol.S3:
        return False
    return s3_permissions.names_object(calls.read(environ, ""))


def _without_hints(
    application: WsgiApplication, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """S3 tells who may list a bucket that an object is missing; all others hear that they may not.

    A request for an object has no prefix: a condition on one does not hold for it (R: AWS does not say).
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html ("Permissions")
    """
    said: list[tuple[Any, ...]] = []
    body = application(environ, lambda *head: said.append(head))
    if said and str(said[-1][0]).startswith("404"):
        principal = principals.of_key(*environ[SIGNER])
        bucket, _ = s3_permissions.place(calls.read(environ, principal.account))
        try:
            evaluation.require(principal, Access("s3:ListBucket", s3_permissions.arn(bucket)))
        except DeniedError as denied:
            ledger.note_denied(principal, Access("s3:ListBucket", s3_permissions.arn(bucket)), str(denied))
            said = [_reply(environ, str(denied))[:2]]
            body = [_reply(environ, str(denied))[2]]
    start_response(*said[-1])
    return body


def require(environ: dict[str, Any]) -> None:
    """Raises: DeniedError unless the signer may do all that the request needs."""
    principal = principals.of_key(*environ[SIGNER])
    if isinstance(principal, Account):
        return
    if environ.get("PATH_INFO", "").startswith(_OWN_PATHS):
        needed = [Access(f"local:{environ['REQUEST_METHOD']}", EVERYTHING)]
        about: Context = {}
    else:
        call = calls.read(environ, account_of(environ[SIGNER][0]) or principal.account)
        needed = permissions.needed(call)
        about = {"aws:requestedregion": [call.region], "aws:sourceip": [environ.get("REMOTE_ADDR") or "127.0.0.1"]}
    for access in needed:
        try:
            evaluation.require(principal, access, about)
        except DeniedError as denied:
            ledger.note_denied(principal, access, str(denied))
            raise


def _reply(environ: dict[str, Any], message: str) -> Reply:
    code, status = _CODES.get(protocol_of(environ), _OTHER_CODE)
    return error_reply(environ, code, status, message)

"""Who may speak to the embedded cloud: clients of this machine that are not web pages, and nobody to moto's own API.

A page in a browser reaches a loopback port too. It is known by the `Origin` or `Sec-Fetch-…` that browsers add, and,
when a name of the attacker's resolves to 127.0.0.1 (DNS rebinding), by the `Host` it asked for. One thing is left to
browsers: the address bar, where somebody opens a presigned URL. moto's own API resets and reconfigures everything, and
its header for choosing an account is no part of what is signed; no AWS client uses either.

Source: https://fetch.spec.whatwg.org/#origin-header and https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_HOST = re.compile(r"(127\.0\.0\.1|\[::1\]|([a-z0-9_-]+(\.[a-z0-9_-]+)*\.)?localhost)(:\d+)?", re.IGNORECASE)
"""Also `<bucket>.localhost`: SDKs address a bucket by it, and browsers resolve it to this machine only."""
_OWN_PATHS = "/moto-api"
"""Where moto's dispatcher sends requests to its own API and dashboard: every path that begins so."""
_OWN_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"


def refusal(environ: dict[str, Any]) -> str | None:
    """Why a request is refused; None if it is let through."""
    host = environ.get("HTTP_HOST") or ""
    if _HOST.fullmatch(host) is None:
        return f"the Host {host!r} is not this machine: use 127.0.0.1 or localhost"
    if "HTTP_ORIGIN" in environ:
        return "requests with an Origin come from web pages, which may not use this cloud"
    if _is_of_a_page(environ):
        return "requests with Sec-Fetch headers come from web pages, which may not use this cloud"
    if environ.get("PATH_INFO", "").startswith(_OWN_PATHS):
        return f"{_OWN_PATHS} is not served: no AWS service has it"
    if _OWN_HEADER in environ:
        return "x-moto-account-id is not served: the access key names the account"
    return None


def _is_of_a_page(environ: dict[str, Any]) -> bool:
    """Whether a browser asks for something but what a person typed into its address bar."""
    if not any(name.startswith("HTTP_SEC_FETCH_") for name in environ):
        return False
    typed = environ.get("HTTP_SEC_FETCH_SITE") == "none" and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
    return not (typed and environ.get("REQUEST_METHOD") in ("GET", "HEAD"))


def guarded(application: WsgiApplication) -> WsgiApplication:
    """`application`, asked only what is not refused; the rest is answered 403 with the reason."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reason = refusal(environ)
        if reason is None:
            return application(environ, start_response)
        body = json.dumps({"__type": "AccessDeniedException", "message": reason}).encode()
        # The request's body was not read: what is left of it must not be taken for the next request.
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        start_response("403 Forbidden", headers)
        return [body]

    return answer

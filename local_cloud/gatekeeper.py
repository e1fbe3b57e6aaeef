"""Who may speak to the embedded cloud: clients of this machine that are not web pages, and nobody to moto's own API.

A page in a browser reaches a loopback port too. It is known by the `Origin` or `Sec-Fetch-Site` that browsers add,
and, when a name of the attacker's resolves to 127.0.0.1 (DNS rebinding), by the `Host` it asked for. moto's own API
resets and reconfigures everything; no AWS client calls it.

Source: https://fetch.spec.whatwg.org/#origin-header and https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_HOST = re.compile(r"(127\.0\.0\.1|([a-z0-9_-]+(\.[a-z0-9_-]+)*\.)?localhost)(:\d+)?", re.IGNORECASE)
"""Also `<bucket>.localhost`: SDKs address a bucket by it, and browsers resolve it to this machine only."""
_OWN_PATHS = "/moto-api"
"""Where moto's dispatcher sends requests to its own API and dashboard: every path that begins so."""


def refusal(environ: dict[str, Any]) -> str | None:
    """Why a request is refused; None if it is let through."""
    host = environ.get("HTTP_HOST") or ""
    if _HOST.fullmatch(host) is None:
        return f"the Host {host!r} is not this machine: use 127.0.0.1 or localhost"
    if "HTTP_ORIGIN" in environ:
        return "requests with an Origin come from web pages, which may not use this cloud"
    if environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return "requests with a Sec-Fetch-Site come from web pages, which may not use this cloud"
    if environ.get("PATH_INFO", "").startswith(_OWN_PATHS):
        return f"{_OWN_PATHS} is not served: no AWS service has it"
    return None


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

"""The hosts of a running embedded cloud's jobs, from another process: which there are, and how to take one away.

`Access` is what `cloud.json`, or `turbine local env`, says. On AWS the market reclaims a Spot Instance (or Fault
Injection Service does, when asked), and hardware fails by itself.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_cloud.batch.instances import NOTICE_S

_TIMEOUT_S = 10.0
# Else HTTP_PROXY of whoever calls would carry what is for this machine elsewhere.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Access:
    """Where a cloud is, and the key that its requests must be signed with."""

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


class HostError(RuntimeError):
    """A host cannot be taken away: it is gone, or is not on Spot."""


def running(access: Access) -> list[dict[str, Any]]:
    """Each host with `instanceId`, `isSpot`, `jobId`, `jobName`, `attempt`, `nodeIndex` and `endsAt` (or None)."""
    return list(_call(access, "/_local/batch/hosts", b"")["hosts"])


def reclaim(access: Access, instance_id: str, notice_s: float = NOTICE_S) -> dict[str, Any]:
    """Announce a Spot interruption in the host's metadata, and shut the host down after `notice_s`.

    Raises: HostError.
    """
    return _end(access, instance_id, "reclaim", {"notice_s": notice_s})


def terminate(access: Access, instance_id: str) -> dict[str, Any]:
    """Shut a host down now: SIGTERM, and SIGKILL 15 s later. Raises: HostError."""
    return _end(access, instance_id, "terminate", {})


def lose(access: Access, instance_id: str) -> dict[str, Any]:
    """Take a host away without a word: SIGKILL to all of its processes. Raises: HostError."""
    return _end(access, instance_id, "lose", {})


def _end(access: Access, instance_id: str, ending: str, body: dict[str, Any]) -> dict[str, Any]:
    return _call(access, f"/_local/batch/hosts/{instance_id}/{ending}", json.dumps(body).encode())


def _call(access: Access, path: str, body: bytes) -> dict[str, Any]:
    method = "POST" if body else "GET"
    url = access.endpoint + path
    signed = AWSRequest(method, url, {"Content-Type": "application/json"}, body or None)
    SigV4Auth(Credentials(access.access_key_id, access.secret_access_key), "turbine", "local").add_auth(signed)
    request = urllib.request.Request(url, body or None, dict(signed.headers), method=method)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as error:
        with error:
            raise HostError(json.load(error)["message"]) from error

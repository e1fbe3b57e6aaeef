"""What only this cloud has: taking away the hosts of jobs, which on AWS the market or the hardware does.

`GET /_local/batch/hosts` lists the hosts that jobs run on now; `POST /_local/batch/hosts/<instance id>/<ending>` takes
one away: `reclaim` (JSON body `{"notice_s": 120}`, Spot only), `terminate` or `lose`. No bucket has a name with `_`,
so the paths are nobody else's; the gatekeeper stands before them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from local_cloud.batch import instances
from local_cloud.batch.instances import Instance, NotSpotError
from local_cloud.gatekeeper import WsgiApplication

ROOT = "/_local"
_HOSTS = f"{ROOT}/batch/hosts"
_LARGEST_BODY = 10_000
_LONGEST_NOTICE_S = 3_600.0

Answer = tuple[HTTPStatus, dict[str, Any]]


def administered(application: WsgiApplication) -> WsgiApplication:
    """`application`, with this cloud's own paths answered before it."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != ROOT and not path.startswith(f"{ROOT}/"):
            return application(environ, start_response)
        status, shown = _reply(environ["REQUEST_METHOD"], path, environ)
        body = json.dumps(shown).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return answer


def _reply(method: str, path: str, environ: dict[str, Any]) -> Answer:
    if path == _HOSTS and method == "GET":
        return HTTPStatus.OK, {"hosts": [_shown(instance) for instance in instances.live()]}
    instance_id, _, ending = path.removeprefix(f"{_HOSTS}/").partition("/")
    instance = instances.find(instance_id)
    if method != "POST" or ending not in ("reclaim", "terminate", "lose"):
        return HTTPStatus.NOT_FOUND, {"message": f"{method} {path} is nothing here; GET {_HOSTS} lists the hosts"}
    if instance is None:
        return HTTPStatus.NOT_FOUND, {"message": f"no job runs on {instance_id}; GET {_HOSTS} lists the hosts"}
    try:
        if ending == "reclaim":
            instance.reclaim(_notice_s(environ))
        else:
            (instance.is_going if ending == "terminate" else instance.is_lost).set()
    except ValueError as error:
        status = HTTPStatus.CONFLICT if isinstance(error, NotSpotError) else HTTPStatus.BAD_REQUEST
        return status, {"message": str(error)}
    return HTTPStatus.OK, _shown(instance)


def _notice_s(environ: dict[str, Any]) -> float:
    """Raises: ValueError for anything but a number of seconds up to an hour."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LARGEST_BODY:
        raise ValueError("the body is too large")
    body = json.loads(environ["wsgi.input"].read(length) or b"{}")
    notice_s = body.get("notice_s", instances.NOTICE_S) if isinstance(body, dict) else None
    if isinstance(notice_s, bool) or not isinstance(notice_s, int | float) or not math.isfinite(notice_s):
        raise ValueError('the body must be {"notice_s": <seconds>}')
    if not 0 <= notice_s <= _LONGEST_NOTICE_S:
        raise ValueError(f"notice_s must be between 0 and {_LONGEST_NOTICE_S:.0f}")
    return float(notice_s)


def _shown(instance: Instance) -> dict[str, Any]:
    return {
        "instanceId": instance.instance_id,
        "isSpot": instance.is_spot,
        **instance.runs,
        "endsAt": instance.ends_at.isoformat() if instance.ends_at else None,
    }

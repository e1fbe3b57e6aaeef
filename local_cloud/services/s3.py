"""S3: conditional writes that hold under threads, and the events that EventBridge shows of objects."""

from __future__ import annotations

import functools
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from local_cloud.replacements import Replacement
from local_cloud.services import events

_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
_KEY_LOCKS = tuple(threading.RLock() for _ in range(64))
_sequence_lock = threading.Lock()
_last_sequence = 0


def _one_writer_a_key(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let one request at a time check and write an object; others wait, and then see it."""

    @functools.wraps(original)
    def operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _KEY_LOCKS[hash((self.bucket_name, self.parse_key_name())) % len(_KEY_LOCKS)]:
            return original(self, *args, **kwargs)

    return operation


def _send_event_bridge_message(_: Callable[..., None]) -> Callable[..., None]:
    def send(account_id: str, bucket: FakeBucket, event_name: str, key: Any) -> None:
        name = str(getattr(event_name, "value", event_name)).removeprefix("s3:")
        described = _describe(name, bucket, key)
        if described is None:
            return
        detail_type, reason = described
        events.emit("aws.s3", detail_type, reason, [bucket.arn], account_id, bucket.region_name)

    return send


def _describe(name: str, bucket: FakeBucket, key: Any) -> tuple[str, dict[str, Any]] | None:
    """Detail type and detail of an object's event; None for what this cloud sends no event for.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    shown: dict[str, Any] = {"key": key.name}
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": shown,
        "request-id": secrets.token_hex(8).upper(),
        "requester": bucket.account_id,
        "source-ip-address": "127.0.0.1",
    }
    if name in _REASONS:
        shown |= {"size": key.size, "etag": key.etag.strip('"')}
        detail["reason"] = _REASONS[name]
        detail_type = "Object Created"
    elif name.startswith("ObjectRemoved:"):
        detail["reason"] = "DeleteObject"
        detail["deletion-type"] = "Permanently Deleted"  # moto tells nothing when it sets a delete marker
        detail_type = "Object Deleted"
    else:
        return None
    if bucket.is_versioned:
        shown["version-id"] = key.version_id
    shown["sequencer"] = _next_sequencer()
    return detail_type, detail


def _next_sequencer() -> str:
    """Sixteen or more hexadecimal digits that grow with every event, as S3's do for one key."""
    global _last_sequence
    with _sequence_lock:
        _last_sequence = max(_last_sequence + 1, time.time_ns())
        return f"{_last_sequence:018X}"


def _get_permission(_: Callable[..., Any]) -> Callable[..., PermissionResult]:
    def permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(bucket.policy)
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        holding = [statement for statement in statements if _condition_holds(statement.get("Condition", {}))]
        if not holding:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps(document | {"Statement": holding})).is_action_permitted(action, resource)

    return permission


def _condition_holds(condition: dict[str, dict[str, Any]]) -> bool:
    """Whether a bucket policy's condition holds for a request here.

    A request over loopback leaves no machine: it counts as one over TLS. Raises: NotImplementedError for any other
    condition, because a statement must neither be applied nor left out unread.
    """
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            if (operator, key.lower()) != ("Bool", "aws:securetransport"):
                raise NotImplementedError(f"S3 bucket policy: the condition {operator} {key} is not emulated here")
            if str(wanted).lower() != "true":
                return False
    return True


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.s3.models:FakeBucket.get_permission",
        build=_get_permission,
        why="moto applies a bucket policy's statements without looking at their conditions",
    ),
    *(
        Replacement(
            target=f"moto.s3.responses:S3Response.{operation}",
            build=_one_writer_a_key,
            why="two writers with If-None-Match could both succeed, and one of two versions got lost",
        )
        for operation in ("put_object", "copy_object", "_key_response_post", "delete_object")
    ),
    Replacement(
        target="moto.s3.notifications:_send_event_bridge_message",
        build=_send_event_bridge_message,
        why="moto's event has a constant sequencer, eTag for etag, no PutObject reason, and hides its errors",
    ),
]

"""S3: conditional writes that hold under threads, and the events that EventBridge shows of objects."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3 import notifications
from moto.s3.models import FakeBucket, S3Backend

from local_cloud.accounts import account_of
from local_cloud.durability import commits
from local_cloud.eventbridge import delivery, object_events
from local_cloud.eventbridge.object_events import Caller, Change
from local_cloud.eventbridge.outbox import Pending
from local_cloud.replacements import Replacement
from local_cloud.services import events

_MARKER_CREATED = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
_REMOVED = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT
_WRITES = (
    *("put_object", "copy_object", "delete_object", "_key_response_post", "_bucket_response_post"),
    *("put_object_tagging", "delete_object_tagging", "put_object_acl"),
)
"""Of moto's S3Response: what changes an object and tells of it. The posts complete an upload, and delete many."""
_SUBRESOURCES = {"s3:ObjectTagging:": "tagging", "s3:ObjectAcl:": "acl"}
_KEY_ID = re.compile(r"Credential=([^/,\s]+)/")
_muted = threading.local()
"""`names`: beginnings of what moto tells in this thread now and must not, because it is told here, or is not true."""


def _whole(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let one request at a time check and write objects, and no commit come in between.

    Else a crash could leave an object of which nobody is ever told. The body has been read before.
    """

    @functools.wraps(original)
    def operation(*args: Any, **kwargs: Any) -> Any:
        with commits.together():
            return original(*args, **kwargs)

    return operation


def _send_event(_: Callable[..., None]) -> Callable[..., None]:
    def send_event(account_id: str, event_name: str, bucket: Any, key: Any) -> None:
        name = str(getattr(event_name, "value", event_name))
        if bucket.notification_configuration is None or name.startswith(getattr(_muted, "names", ())):
            return
        if not _is_asked_for(name):
            return
        change = Change.of(name.removeprefix("s3:"), bucket, key)
        caller = _caller(account_id)
        configuration = bucket.notification_configuration
        for one in [*configuration.cloud_function, *configuration.queue, *configuration.topic]:
            if one.matches(name, key.name):
                _notify(one, change, caller, bucket)
        described = object_events.event_detail(change, caller)
        if configuration.event_bridge is not None and described is not None:
            events.emit("aws.s3", *described, [bucket.arn], account_id, bucket.region_name)

    return send_event


def _is_asked_for(name: str) -> bool:
    """Whether a request is about the tags or the ACL that it changes: those that come with a put are no change."""
    resource = next((one for prefix, one in _SUBRESOURCES.items() if name.startswith(prefix)), None)
    return resource is None or not flask.has_request_context() or resource in flask.request.args


def _caller(account_id: str) -> Caller:
    """Who sent the request that this thread works on."""
    if not flask.has_request_context():
        return Caller(account_id, "127.0.0.1")
    match = _KEY_ID.search(flask.request.headers.get("Authorization", ""))
    return Caller((account_of(match[1]) if match else None) or account_id, flask.request.remote_addr or "127.0.0.1")


def _notify(notification: Any, change: Change, caller: Caller, bucket: FakeBucket) -> None:
    """Tell a queue, topic or function that the bucket's configuration names."""
    region, owner, now = bucket.region_name, bucket.account_id, delivery.now()
    delivery.deliver(
        Pending(
            source_arn=bucket.arn,
            target={"Arn": notification.arn},
            payload=json.dumps(object_events.record(change, caller, region, notification.id, owner)),
            account=owner,
            region=region,
            event_id=change.request_id,
            accepted_at=now,
            due_at=now,
            subject="Amazon S3 Notification" if ":sns:" in notification.arn else None,
        )
    )


def _delete_object(original: Callable[..., Any]) -> Callable[..., Any]:
    """Tell of delete markers, and of every version that goes: moto tells of the last one only."""

    def delete_object(
        self: S3Backend, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> Any:
        bucket = self.get_bucket(bucket_name)
        if not bucket.is_versioned:
            return original(self, bucket_name, key_name, version_id, bypass)
        before = _versions(bucket, key_name)
        with _mute("s3:ObjectRemoved:"):
            answer = original(self, bucket_name, key_name, version_id, bypass)
        after = _versions(bucket, key_name)
        for one in after.keys() - before.keys():
            notifications.send_event(self.account_id, _MARKER_CREATED, bucket, after[one])
        for one in before.keys() - after.keys():
            notifications.send_event(self.account_id, _REMOVED, bucket, before[one])
        return answer

    return delete_object


def _complete_multipart_upload(original: Callable[..., Any]) -> Callable[..., Any]:
    """A completed upload is told as that only; moto makes the object with a put, which it tells of too."""

    def complete_multipart_upload(self: S3Backend, *args: Any, **kwargs: Any) -> Any:
        with _mute("s3:ObjectCreated:Put", "s3:ObjectTagging:"):
            return original(self, *args, **kwargs)

    return complete_multipart_upload


@contextlib.contextmanager
def _mute(*names: str) -> Iterator[None]:
    _muted.names = names
    try:
        yield
    finally:
        _muted.names = ()


def _versions(bucket: FakeBucket, key_name: str) -> dict[str, Any]:
    return {str(one.version_id): one for one in bucket.keys.getlist(key_name, [])}


def _get_permission(_: Callable[..., Any]) -> Callable[..., PermissionResult]:
    def permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(bucket.policy)
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        holding = [
            statement
            for statement in statements
            if _concerns_people(statement) and _condition_holds(statement.get("Condition", {}))
        ]
        if not holding:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps(document | {"Statement": holding})).is_action_permitted(action, resource)

    return permission


def _concerns_people(statement: dict[str, Any]) -> bool:
    """Whether a statement is about accounts and roles: no service of AWS reads a bucket here by its own name."""
    principal = statement.get("Principal", "*")
    return not isinstance(principal, dict) or bool(principal.keys() - {"Service"})


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


def _encrypted_by_default(original: Callable[..., Any]) -> Callable[..., Any]:
    """Since 2023 S3 encrypts every object whose bucket says nothing with keys of its own.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
    """

    def change(self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, bucket_name, *args, **kwargs)
        bucket = self.get_bucket(bucket_name)
        if not bucket.encryption:
            bucket.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}
        return answer

    return change


REPLACEMENTS: list[Replacement] = [
    *(
        Replacement(
            target=f"moto.s3.models:S3Backend.{operation}",
            build=_encrypted_by_default,
            why="a bucket without settings has no encryption, and answers lack ServerSideEncryption",
        )
        for operation in ("create_bucket", "delete_bucket_encryption")
    ),
    Replacement(
        target="moto.s3.models:FakeBucket.get_permission",
        build=_get_permission,
        why="moto applies a bucket policy's statements without looking at their conditions",
    ),
    *(
        Replacement(
            target=f"moto.s3.responses:S3Response.{operation}",
            build=_whole,
            why="two writers with If-None-Match could both succeed, and one of two versions got lost; a commit of "
            "another's could write an object without its event",
        )
        for operation in _WRITES
    ),
    Replacement(
        target="moto.s3.notifications:send_event",
        build=_send_event,
        why="moto's event has a constant sequencer, eTag for etag, no PutObject reason; it sends in the caller's "
        "thread, once, and hides its errors",
    ),
    Replacement(
        target="moto.s3.models:S3Backend.complete_multipart_upload",
        build=_complete_multipart_upload,
        why="moto tells of a completed upload twice, once as a put",
    ),
    Replacement(
        target="moto.s3.models:S3Backend.delete_object",
        build=_delete_object,
        why="moto tells nothing of a delete marker, and of a version only when it was the last one",
    ),
]

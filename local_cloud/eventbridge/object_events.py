"""What S3 tells of an object: as an event on the bus, and as a record for a queue, a topic or a function.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import datetime
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

_CREATED = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
_DELETED = {
    "ObjectRemoved:Delete": "Permanently Deleted",
    "ObjectRemoved:DeleteMarkerCreated": "Delete Marker Created",
}
_CHANGED = {
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl:Put": "Object ACL Updated",
}
"""Detail types of changes that leave the data as it is: these events have neither reason nor sequencer nor size."""
_EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
_lock = threading.Lock()
_last_sequence = 0


@dataclass(frozen=True)
class Caller:
    """Who asked S3 for a change, and from where."""

    account: str
    address: str


@dataclass(frozen=True)
class Change:
    """One change of one object. `name` is S3's, without `s3:`; `version_id` is None in a bucket without versions."""

    name: str
    bucket: str
    key: str
    size: int | None
    etag: str | None
    version_id: str | None
    sequencer: str
    request_id: str

    @classmethod
    def of(cls, name: str, bucket: Any, key: Any) -> Change:
        """What moto's bucket and key say."""
        is_object = hasattr(key, "etag")
        is_created = name in _CREATED
        return cls(
            name=name,
            bucket=bucket.name,
            key=key.name,
            size=key.size if is_created else None,
            etag=key.etag.strip('"') if is_object else _EMPTY_ETAG,
            version_id=key.version_id if bucket.is_versioned else None,
            sequencer=next_sequencer(),
            request_id=secrets.token_hex(8).upper(),
        )


def event_detail(change: Change, caller: Caller) -> tuple[str, dict[str, Any]] | None:
    """Detail type and detail for EventBridge; None for a change that this cloud sends no event of."""
    shown = {"key": change.key, "size": change.size, "etag": change.etag, "version-id": change.version_id}
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": change.bucket},
        "object": {name: value for name, value in shown.items() if value is not None},
        "request-id": change.request_id,
        "requester": caller.account,
        "source-ip-address": caller.address,
    }
    if kind := _CHANGED.get(change.name):
        return kind, detail
    detail["object"]["sequencer"] = change.sequencer
    if reason := _CREATED.get(change.name):
        return "Object Created", detail | {"reason": reason}
    if deletion := _DELETED.get(change.name):
        return "Object Deleted", detail | {"reason": "DeleteObject", "deletion-type": deletion}
    return None


def record(change: Change, caller: Caller, region: str, configuration_id: str, owner: str) -> dict[str, Any]:
    """What a queue, topic or function gets: the key is encoded here, unlike in an event."""
    is_created = change.name in _CREATED
    shown = {
        "key": quote_plus(change.key, safe="/"),
        "size": change.size,
        "eTag": change.etag if is_created else None,
        "versionId": change.version_id,
        "sequencer": change.sequencer,
    }
    now = datetime.datetime.now(datetime.UTC)
    one = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": change.name,
        "userIdentity": {"principalId": f"AWS:{caller.account}"},
        "requestParameters": {"sourceIPAddress": caller.address},
        "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": secrets.token_urlsafe(48)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": owner},
                "arn": f"arn:aws:s3:::{change.bucket}",
            },
            "object": {name: value for name, value in shown.items() if value is not None},
        },
    }
    return {"Records": [one]}


def next_sequencer() -> str:
    """Hexadecimal digits that grow with every change of a key.

    They are not always as many, as on AWS: to compare two, fill up the shorter with zeros on the right.
    """
    global _last_sequence
    with _lock:
        _last_sequence = max(_last_sequence + 1, time.time_ns())
        tail = f"{_last_sequence % 256:02X}" if _last_sequence % 3 == 0 else ""
        return f"{_last_sequence:018X}{tail}"

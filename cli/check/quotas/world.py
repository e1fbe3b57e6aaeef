"""The ports of the use cases, in memory: the product's own code runs against them, and what it writes is measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli.check.quotas import longest
from turbine.domain.errors import ObjectMissingError
from turbine.domain.job_end import Job
from turbine.domain.metrics import Point
from turbine.domain.registry import Approval, Package, PackageRequest
from turbine.domain.rejection import ManifestFaultyError, fault
from turbine.domain.uri import S3Uri
from turbine.ports import Execution, Item, MetricQuery, ObjectInfo, TrackedFile

NOW = datetime(2026, 11, 23, 20, 0, 0, 123000, tzinfo=UTC)
VERSION_ID = "v" * 1024
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html"""
REFUSED = "refused"
"""Below a prefix with this name the store refuses data with the longest texts that a refusal can have."""
_RUNNING = Execution("RUNNING", {}, 0, None, None)
_LIVE = Job("j" * 36, "RUNNING")
_ANY_TEXT = longest.WORST * 10_000


class Store:
    """Buckets. Every key that is written is kept."""

    def __init__(self) -> None:
        self._bodies: dict[S3Uri, bytes] = {}

    @property
    def places(self) -> list[S3Uri]:
        return list(self._bodies)

    def read(self, place: S3Uri, version_id: str | None = None) -> bytes:  # noqa: ARG002  versions do not matter here
        if place not in self._bodies:
            raise ObjectMissingError(f"{place} is not there")
        return self._bodies[place]

    def stream(self, place: S3Uri, version_id: str | None = None) -> Iterator[bytes]:
        yield self.read(place, version_id)

    def head(self, place: S3Uri, version_id: str | None = None) -> ObjectInfo:
        body = self.read(place, version_id)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return ObjectInfo(place.key, len(body), etag, version_id or VERSION_ID)

    def objects(self, place: S3Uri) -> Iterator[ObjectInfo]:
        yield from self.current_versions(place)

    def current_versions(self, place: S3Uri) -> Iterator[ObjectInfo]:
        if f"/{REFUSED}/" in place.key:
            raise ManifestFaultyError([fault(_ANY_TEXT, _ANY_TEXT, _ANY_TEXT)] * 100)
        for found in sorted(self._bodies):
            if found.bucket == place.bucket and found.key.startswith(place.key):
                yield self.head(found)

    def put(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> None:  # noqa: ARG002
        self._bodies[place] = body

    def put_if_absent(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> bool:
        if place in self._bodies:
            return False
        self.put(place, body, content_type)
        return True

    def copy(self, source: S3Uri, target: S3Uri, version_id: str | None = None) -> None:
        self.put(target, self.read(source, version_id))


class Table:
    """A table. Conditions hold as DynamoDB's do."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    def get(self, pk: str, sk: str) -> Item | None:
        found = self.items.get((pk, sk))
        return None if found is None else dict(found)

    def insert(self, item: Item) -> bool:
        return self._put(item, (item["pk"], item["sk"]) not in self.items)

    def put(self, item: Item) -> None:
        self._put(item, True)

    def put_newer(self, item: Item, attribute: str) -> bool:
        known = self.items.get((item["pk"], item["sk"]))
        return self._put(item, known is None or known[attribute] < item[attribute])

    def update(self, pk: str, sk: str, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
        known = self.items.get((pk, sk))
        if known is None or any(known.get(name) != value for name, value in expected.items()):
            return False
        known.update(changes)
        return True

    def swap(self, item: Item, expected: Mapping[str, Any] | None, also: Item) -> bool:  # noqa: ARG002  nobody races
        return self._put(item, True) and self._put(also, True)

    def _put(self, item: Item, holds: bool) -> bool:
        if holds:
            self.items[item["pk"], item["sk"]] = dict(item)
        return holds


class Packages:
    """The model registry, with no package yet."""

    def __init__(self) -> None:
        self.requests: list[PackageRequest] = []

    def find(self, group: str, run_id: str, since: datetime) -> Package | None:  # noqa: ARG002  there is none
        return None

    def create(self, request: PackageRequest) -> Package:
        self.requests.append(request)
        version, region = longest.MODEL_VERSION, longest.region()
        arn = f"arn:aws:sagemaker:{region}:{longest.ACCOUNT}:model-package/{request.group}/{version}"
        return Package(arn, version)

    def revise(self, arn: str, approval: Approval, metadata: Mapping[str, str]) -> None:
        """Nothing new: a revision has less than the package."""


@dataclass
class World:
    """Every port at once, and what was told through them."""

    store: Store = field(default_factory=Store)
    table: Table = field(default_factory=Table)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    notices: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    queries: list[Sequence[MetricQuery]] = field(default_factory=list)
    registry: Packages = field(default_factory=Packages)
    models: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)
    execution: Execution = _RUNNING
    job: Job = _LIVE
    log: tuple[str, ...] = ()

    def clock(self) -> datetime:
        return NOW

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        self.events.append((detail_type, json.loads(json.dumps(detail))))

    def notify(self, subject: str, message: Mapping[str, Any]) -> None:
        self.notices.append((subject, message))

    def read(self, queries: Sequence[MetricQuery]) -> list[Point | None]:
        self.queries.append(queries)
        return [Point(value=-1.2345678901234567e-300, timestamp=NOW) for _ in queries]

    def find(self, job_id: str) -> Job:  # noqa: ARG002  there is one
        return self.job

    def ensure_model(self, name: str, image: str, model_data_uri: str, environment: Mapping[str, str]) -> None:
        self.models.append((name, image, model_data_uri, environment))

    def describe(self, execution_arn: str) -> Execution:  # noqa: ARG002  there is one
        return self.execution

    def live(self, name: str) -> list[str]:  # noqa: ARG002  there is one
        return [self.job.job_id] if self.job.status == "RUNNING" else []

    def terminate(self, job_id: str, reason: str) -> None:
        """Nothing to be measured."""

    def tail(self, job_id: str, lines: int) -> list[str]:  # noqa: ARG002  there is one
        return list(self.log[-lines:])

    def newest_job(self, name_prefix: str) -> str | None:  # noqa: ARG002  there is one
        return self.job.job_id

    def track(self, source: S3Uri, remote: S3Uri) -> TrackedFile:
        body = self.store.read(source)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.store.put(remote / f"files/md5/{md5[:2]}/{md5[2:]}", body)
        return TrackedFile(source.key.rpartition("/")[2], md5, len(body), b"outs")

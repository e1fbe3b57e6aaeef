"""Everything the ports promise, in memory: what the use cases are tested with."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from turbine.domain.errors import (
    EventRefusedError,
    ExecutionMissingError,
    LogsUnavailableError,
    ObjectForbiddenError,
    ObjectMissingError,
)
from turbine.domain.job_end import End, Job, end_of
from turbine.domain.metrics import Point, floor_to
from turbine.domain.registry import Approval, ApprovedPackage, Package, PackageRequest
from turbine.domain.uri import S3Uri, parse
from turbine.ports import Execution, Item, MetricQuery, ObjectInfo, TrackedFile


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    moment: datetime = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, by: timedelta) -> None:
        self.moment += by


class FakeStore:
    """Versioned buckets; `forbidden` holds URIs that may not be read."""

    def __init__(self) -> None:
        self._versions: dict[S3Uri, list[tuple[str, bytes | None]]] = {}
        self._numbers = itertools.count(1)
        self._lock = Lock()
        self.forbidden: set[str] = set()
        self.copies: list[tuple[str, str]] = []
        self.written: list[str] = []

    def __setitem__(self, uri: str, body: bytes) -> None:
        self._write(parse(uri), body)

    def __getitem__(self, uri: str) -> bytes:
        return self.read(parse(uri))

    def __contains__(self, uri: str) -> bool:
        return self._current(parse(uri)) is not None

    def delete(self, uri: str) -> None:
        """Put a delete marker on top."""
        self._versions[parse(uri)].append((f"v{next(self._numbers)}", None))

    def delete_version(self, uri: str, version_id: str) -> None:
        """Remove one version for good."""
        place = parse(uri)
        self._versions[place] = [entry for entry in self._versions[place] if entry[0] != version_id]

    def version_of(self, uri: str) -> str:
        return self._versions[parse(uri)][-1][0]

    def read(self, place: S3Uri, version_id: str | None = None) -> bytes:
        if str(place) in self.forbidden:
            raise ObjectForbiddenError(f"{place} may not be accessed")
        versions = dict(self._versions.get(place, []))
        body = self._current(place) if version_id is None else versions.get(version_id)
        if body is None:
            raise ObjectMissingError(f"{place} is not there")
        return body

    def stream(self, place: S3Uri, version_id: str | None = None) -> Iterator[bytes]:
        body = self.read(place, version_id)
        yield from (body[start : start + 7] for start in range(0, len(body), 7))

    def head(self, place: S3Uri, version_id: str | None = None) -> ObjectInfo:
        body = self.read(place, version_id)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return ObjectInfo(place.key, len(body), etag, version_id or self._versions[place][-1][0])

    def objects(self, place: S3Uri) -> Iterator[ObjectInfo]:
        for entry in self.current_versions(place):
            yield entry._replace(version_id="")

    def current_versions(self, place: S3Uri) -> Iterator[ObjectInfo]:
        for found in sorted(self._versions):
            body = self._current(found)
            if found.bucket == place.bucket and found.key.startswith(place.key) and body is not None:
                etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
                yield ObjectInfo(found.key, len(body), etag, self._versions[found][-1][0])

    def put(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> None:
        self._write(place, body)

    def put_if_absent(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> bool:
        with self._lock:
            if self._current(place) is not None:
                return False
            self._write(place, body)
            return True

    def copy(self, source: S3Uri, target: S3Uri, version_id: str | None = None) -> None:
        self._write(target, self.read(source, version_id))
        self.copies.append((str(source), str(target)))

    def _current(self, place: S3Uri) -> bytes | None:
        versions = self._versions.get(place)
        return versions[-1][1] if versions else None

    def _write(self, place: S3Uri, body: bytes) -> None:
        self._versions.setdefault(place, []).append((f"v{next(self._numbers)}", body))
        self.written.append(str(place))


class FakeTable:
    """A table whose writes hold or fail as DynamoDB's conditions do."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._lock = Lock()

    def get(self, pk: str, sk: str) -> Item | None:
        return deepcopy(self.items.get((pk, sk)))

    def insert(self, item: Item) -> bool:
        with self._lock:
            return self._put_if((item["pk"], item["sk"]) not in self.items, item)

    def put(self, item: Item) -> None:
        self._put_if(True, item)

    def put_newer(self, item: Item, attribute: str) -> bool:
        with self._lock:
            stored = self.items.get((item["pk"], item["sk"]))
            return self._put_if(stored is None or stored[attribute] < item[attribute], item)

    def update(self, pk: str, sk: str, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
        stored = self.items.get((pk, sk))
        if stored is None or not _is_as(stored, expected):
            return False
        stored.update(deepcopy(dict(changes)))
        return True

    def swap(self, item: Item, expected: Mapping[str, Any] | None, also: Item) -> bool:
        with self._lock:
            stored = self.items.get((item["pk"], item["sk"]))
            holds = stored is None if expected is None else stored is not None and _is_as(stored, expected)
            if not holds or (also["pk"], also["sk"]) in self.items:
                return False
            return self._put_if(True, item) and self._put_if(True, also)

    def of_kind(self, kind: str) -> list[Item]:
        return [item for item in self.items.values() if item.get("kind") == kind]

    def runs_between(self, since: str, until: str) -> Iterator[Item]:
        runs = sorted(self.of_kind("run"), key=lambda run: run["created_at"])
        return (deepcopy(run) for run in runs if since <= run["created_at"] <= until)

    def _put_if(self, holds: bool, item: Item) -> bool:
        if holds:
            self.items[item["pk"], item["sk"]] = deepcopy(item)
        return holds


def _is_as(stored: Item, expected: Mapping[str, Any]) -> bool:
    return all(stored.get(name) == value for name, value in expected.items())


@dataclass
class FakeMetrics:
    """CloudWatch: one value for a name, its dimensions and a minute; coarser periods find it too.

    `run_id` is the dimension RunId, with `/<ChampionRunId>` for a champion's values on a challenger's rows.
    """

    values: dict[tuple[str, str, datetime], float] = field(default_factory=dict)
    periods: list[int] = field(default_factory=list)

    def put(self, run_id: str, name: str, moment: datetime, value: float) -> None:
        self.values[run_id, name, moment] = value

    def read(self, queries: Sequence[MetricQuery]) -> list[Point | None]:
        return [self._read(query) for query in queries]

    def _read(self, query: MetricQuery) -> Point | None:
        self.periods.append(query.period_s)
        start = floor_to(query.moment, query.period_s)
        for (run_id, name, moment), value in self.values.items():
            again = query.dimensions.get("ChampionRunId")
            whose = f"{query.dimensions['RunId']}/{again}" if again else query.dimensions["RunId"]
            same = run_id == whose and name == query.name
            if same and floor_to(moment, query.period_s) == start:
                return Point(value=value, timestamp=start)
        return None


class FakeRegistry:
    """A model registry; with `crash_after_create` the package exists and the caller never hears of it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.packages: list[tuple[Package, PackageRequest, datetime]] = []
        self.revisions: list[tuple[str, str, dict[str, str]]] = []
        self.crash_after_create = False

    def find(self, group: str, run_id: str, since: datetime) -> Package | None:
        for package, request, created in self.packages:
            if request.group == group and request.metadata["run_id"] == run_id and created >= since:
                return package
        return None

    def create(self, request: PackageRequest) -> Package:
        version = 1 + sum(1 for _, other, _ in self.packages if other.group == request.group)
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{request.group}/{version}"
        self.packages.append((Package(arn, version), request, self._clock()))
        if self.crash_after_create:
            self.crash_after_create = False
            raise ConnectionError("the reply was lost")
        return Package(arn, version)

    def revise(self, arn: str, approval: Approval, metadata: Mapping[str, str]) -> None:
        self.revisions.append((arn, approval, dict(metadata)))


@dataclass
class FakeApprovals:
    """Packages' approvals by ARN (`…/<group>/<version>`), with their description, and whose model each is."""

    clock: FakeClock
    marks: dict[str, tuple[Approval, str, str]] = field(default_factory=dict)
    run_ids: dict[str, str] = field(default_factory=dict)

    def groups(self, prefix: str) -> list[str]:
        return sorted({group for group in map(_group_of, self.marks) if group.startswith(prefix)})

    def approved(self, group: str) -> list[ApprovedPackage]:
        return [
            ApprovedPackage(arn, int(arn.rpartition("/")[2]), self.run_ids.get(arn, ""), description, modified_at, "")
            for arn, (approval, description, modified_at) in self.marks.items()
            if _group_of(arn) == group and approval == "Approved"
        ]

    def mark(self, arn: str, approval: Approval, description: str) -> None:
        self.marks[arn] = (approval, description, self.clock().isoformat(timespec="milliseconds"))

    def of(self, approval: Approval) -> list[str]:
        return [arn for arn, (mark, _, _) in self.marks.items() if mark == approval]


def _group_of(arn: str) -> str:
    return arn.split("/")[-2]


@dataclass
class FakePromotions:
    """Executions of the promotion machine by name; all run until they are said to have ended."""

    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, promotion: Mapping[str, Any]) -> str:
        self.started.setdefault(name, dict(promotion))
        return self.statuses.setdefault(name, "RUNNING")


@dataclass
class FakeModels:
    """SageMaker models by name."""

    models: dict[str, tuple[str, str, dict[str, str]]] = field(default_factory=dict)

    def ensure_model(self, name: str, image: str, model_data_uri: str, environment: Mapping[str, str]) -> None:
        self.models.setdefault(name, (image, model_data_uri, dict(environment)))


@dataclass
class FakeBus:
    """An event bus; the next `refusals` events are refused."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: int = 0

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise EventRefusedError("the bus did not take it")
        self.events.append((detail_type, dict(detail)))

    def of_type(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for name, detail in self.events if name == detail_type]


@dataclass
class FakeNotifier:
    """What subscribers were told."""

    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def notify(self, subject: str, message: Mapping[str, Any]) -> None:
        self.messages.append((subject, dict(message)))


@dataclass
class FakeExecutions:
    """Executions by ARN."""

    known: dict[str, Execution] = field(default_factory=dict)

    def describe(self, execution_arn: str) -> Execution:
        if execution_arn not in self.known:
            raise ExecutionMissingError(f"{execution_arn} is not known")
        return self.known[execution_arn]


@dataclass
class FakeJobs:
    """Batch jobs by id, oldest first, each under a name; those that were terminated end so."""

    known: dict[str, Job] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    terminated: list[str] = field(default_factory=list)

    def add(self, job: Job, name: str) -> None:
        self.known[job.job_id] = job
        self.names[job.job_id] = name

    def find(self, job_id: str) -> Job | None:
        return self.known.get(job_id)

    def live(self, name: str) -> list[str]:
        live = [job.job_id for job in self.known.values() if end_of(job) is End.LIVE]
        return [job_id for job_id in reversed(live) if self.names[job_id] == name]

    def terminate(self, job_id: str, reason: str) -> None:
        self.terminated.append(job_id)
        self.known[job_id] = self.known[job_id]._replace(status="FAILED", status_reason=reason, is_terminated=True)


@dataclass
class FakeLogs:
    """Log lines by job id; job ids by name, oldest first."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    failed_jobs: dict[str, list[str]] = field(default_factory=dict)

    def tail(self, job_id: str, lines: int) -> list[str]:
        if job_id not in self.lines:
            raise LogsUnavailableError(f"{job_id} is not known")
        return self.lines[job_id][-lines:]

    def newest_job(self, name_prefix: str) -> str | None:
        names = [name for name in self.failed_jobs if name.startswith(name_prefix)]
        return self.failed_jobs[names[-1]][-1] if names else None


class FakeVersioning:
    """A content-addressed remote in the fake store."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.calls = 0

    def track(self, source: S3Uri, remote: S3Uri) -> TrackedFile:
        self.calls += 1
        body = self._store.read(source)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._store.put(remote / f"files/md5/{md5[:2]}/{md5[2:]}", body)
        name = source.key.rpartition("/")[2]
        return TrackedFile(name, md5, len(body), f"outs:\n- md5: {md5}\n  path: {name}\n".encode())

"""What the use cases need from outside, as narrow as they use it. `aws` fulfils it, `tests/fakes.py` too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:  # every function imports this module, and few have to do with all of these
    from turbine.domain.job_end import Job
    from turbine.domain.metrics import Point
    from turbine.domain.registry import Approval, ApprovedPackage, Package, PackageRequest
    from turbine.domain.uri import S3Uri

Item = dict[str, Any]


class ObjectInfo(NamedTuple):
    """An object without its bytes; `etag` without quotes, no `version_id` in a plain listing."""

    key: str
    size_bytes: int
    etag: str
    version_id: str = ""


class ObjectStore(Protocol):
    """S3. Every method raises ObjectMissingError or ObjectForbiddenError where it fits."""

    def read(self, place: S3Uri, version_id: str | None = None) -> bytes:
        """A small object, whole."""
        ...

    def stream(self, place: S3Uri, version_id: str | None = None) -> Iterator[bytes]:
        """An object of any size, in chunks."""
        ...

    def head(self, place: S3Uri, version_id: str | None = None) -> ObjectInfo:
        """What an object, or one of its versions, is like."""
        ...

    def objects(self, place: S3Uri) -> Iterator[ObjectInfo]:
        """The objects whose key starts with the place's key, in key order."""
        ...

    def current_versions(self, place: S3Uri) -> Iterator[ObjectInfo]:
        """The same, each with the id of its current version."""
        ...

    def put(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> None:
        """Write an object, whether there is one or not."""
        ...

    def put_if_absent(self, place: S3Uri, body: bytes, content_type: str = "application/json") -> bool:
        """Write an object unless there is one; False when there is."""
        ...

    def copy(self, source: S3Uri, target: S3Uri, version_id: str | None = None) -> None:
        """Copy an object, or one of its versions, inside the store; no byte passes through the caller."""
        ...


class Table(Protocol):
    """A DynamoDB table with keys `pk` and `sk`. Every write is conditional or harmless to repeat.

    Items are plain JSON values; numbers come back as int where they are whole, else as float.
    """

    def get(self, pk: str, sk: str) -> Item | None:
        """An item, read consistently."""
        ...

    def insert(self, item: Item) -> bool:
        """Write an item unless its key is taken; False when it is."""
        ...

    def put(self, item: Item) -> None:
        """Write an item, whether there is one or not."""
        ...

    def put_newer(self, item: Item, attribute: str) -> bool:
        """Write an item unless the stored one's attribute is as great or greater; False when it is."""
        ...

    def update(self, pk: str, sk: str, changes: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
        """Change attributes of an existing item while others are as expected; False when they are not."""
        ...

    def swap(self, item: Item, expected: Mapping[str, Any] | None, also: Item) -> bool:
        """Replace an item if it is as expected (None: absent) and insert `also`, both or neither."""
        ...


class RunLister(Protocol):
    """The runs' records in the table."""

    def runs_between(self, since: str, until: str) -> Iterator[Item]:
        """The records of the runs that were prepared then, oldest first. Units: ISO 8601 in UTC."""
        ...


class MetricQuery(NamedTuple):
    """One metric at one moment. Units: `period_s` in seconds."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    moment: datetime
    period_s: int


class MetricReader(Protocol):
    """CloudWatch metrics."""

    def read(self, queries: Sequence[MetricQuery]) -> list[Point | None]:
        """The average in each query's period, None where there is no point (yet)."""
        ...


class Registry(Protocol):
    """The SageMaker model registry."""

    def find(self, group: str, run_id: str, since: datetime) -> Package | None:
        """A package of a group whose metadata names the run, created since a moment."""
        ...

    def create(self, request: PackageRequest) -> Package:
        """Create a package."""
        ...

    def revise(self, arn: str, approval: Approval, metadata: Mapping[str, str]) -> None:
        """Change a package's approval status and some of its metadata."""
        ...


class Approvals(Protocol):
    """The approvals of the SageMaker model registry."""

    def groups(self, prefix: str) -> list[str]:
        """The package groups whose name starts so."""
        ...

    def approved(self, group: str) -> list[ApprovedPackage]:
        """The packages of a group that are Approved."""
        ...

    def mark(self, arn: str, approval: Approval, description: str) -> None:
        """Change a package's approval, and say why."""
        ...


class Promotions(Protocol):
    """The `promotion` machine."""

    def start(self, name: str, promotion: Mapping[str, Any]) -> str:
        """Start an execution, or find the one of that name; its status, `RUNNING` for a new one."""
        ...


class ModelHost(Protocol):
    """SageMaker models, which Batch Transform runs."""

    def ensure_model(self, name: str, image: str, model_data_uri: str, environment: Mapping[str, str]) -> None:
        """Create a model, or find that very model there. Raises: ModelConflictError."""
        ...


class EventBus(Protocol):
    """EventBridge."""

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Put one event. Raises when the bus did not take it."""
        ...


class Notifier(Protocol):
    """SNS."""

    def notify(self, subject: str, message: Mapping[str, Any]) -> None:
        """Tell the subscribers of the outcome topic."""
        ...


class Execution(NamedTuple):
    """A Step Functions execution, as far as a record of its end needs it. Units: ms since 1970.

    `output` is what it ended with, if it succeeded.
    """

    status: str
    input: Mapping[str, Any]
    redrive_count: int
    error: str | None
    cause: str | None
    started_ms: int | None = None
    stopped_ms: int | None = None
    output: Mapping[str, Any] | None = None


class Executions(Protocol):
    """Step Functions executions."""

    def describe(self, execution_arn: str) -> Execution:
        """The execution as it is now. Raises: ExecutionMissingError."""
        ...


class Jobs(Protocol):
    """AWS Batch jobs of the training queues."""

    def find(self, job_id: str) -> Job | None:
        """A job as it is now; None when Batch does not know it (any more: it forgets them after a week)."""
        ...

    def live(self, name: str) -> list[str]:
        """The ids of the jobs of a name that have not ended, newest first."""
        ...

    def terminate(self, job_id: str, reason: str) -> None:
        """End a job, whatever it is doing."""
        ...


class JobLogs(Protocol):
    """AWS Batch jobs' logs in CloudWatch Logs. Raises LogsUnavailableError."""

    def tail(self, job_id: str, lines: int) -> list[str]:
        """The last lines of a job's last attempt; of a multi-node job, of its main node."""
        ...

    def newest_job(self, name_prefix: str) -> str | None:
        """The id of the newest failed job whose name starts so."""
        ...


class TrackedFile(NamedTuple):
    """A file in the DVC remote, and the `.dvc` file that finds it there."""

    path: str
    md5: str
    size_bytes: int
    pointer: bytes


class DataVersioning(Protocol):
    """DVC."""

    def track(self, source: S3Uri, remote: S3Uri) -> TrackedFile:
        """Copy an object into the content-addressed remote and point to it."""
        ...


class Clock(Protocol):
    """The time."""

    def __call__(self) -> datetime:
        """Now, in UTC."""
        ...

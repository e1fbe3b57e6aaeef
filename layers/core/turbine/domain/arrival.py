"""What started a machine: an object that arrived in S3, or a schedule that fired."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from turbine.domain.cause import ManifestCause, manifest_cause
from turbine.domain.errors import EventNotUnderstoodError
from turbine.domain.rejection import KEY, ManifestFaultyError, fault

BATCH_FOLDER = "_batch"


class _Part(BaseModel):
    """A part of an event. AWS adds fields to its events; ours, a schedule's input, has no other."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Firing(_Part):
    """A schedule's input; `["*"]` is every team without a schedule of its own."""

    model_config = ConfigDict(extra="forbid")

    schedule: Annotated[str, Field(min_length=1, max_length=128)]
    scheduled_time: Annotated[str, Field(min_length=1, max_length=64)]
    teams: Annotated[list[str], Field(min_length=1, max_length=1000)]


class DroppedKey(NamedTuple):
    """`<root>/<folder>/<name>`: the folder is a team, or `_batch`."""

    root: str
    folder: str
    name: str


class _Bucket(_Part):
    name: str


class _Object(_Part):
    key: str
    version_id: Annotated[str, Field(alias="version-id", min_length=1)]
    sequencer: Annotated[str, Field(min_length=1, max_length=64)]


class _Detail(_Part):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(_Part):
    detail: _Detail


def is_object_created(event: dict[str, Any]) -> bool:
    """Whether an event is S3's `Object Created`."""
    return event.get("detail-type") == "Object Created"


def dropped(event: dict[str, Any]) -> ManifestCause:
    """The cause in an S3 event.

    Raises: EventNotUnderstoodError when it lacks the version id (a bucket without versioning) or the
    sequencer.
    """
    try:
        detail = _ObjectCreated.model_validate(event).detail
    except ValidationError as error:
        raise EventNotUnderstoodError(
            f"The S3 event lacks what identifies a version: {error.errors(include_url=False)[0]['loc']}. "
            "Turn versioning of the bucket on."
        ) from error
    given = detail.object
    return manifest_cause(detail.bucket.name, given.key, given.version_id, given.sequencer)


def fired(event: dict[str, Any]) -> Firing:
    """The firing in a schedule's input. Raises: EventNotUnderstoodError."""
    try:
        return Firing.model_validate(event)
    except ValidationError as error:
        raise EventNotUnderstoodError(
            "The input is neither an S3 'Object Created' event nor "
            f'{{"schedule", "scheduled_time", "teams"}}: {error.errors(include_url=False)[0]["loc"]}.'
        ) from error


def key_of(file: ManifestCause, root: str) -> DroppedKey:
    """Take a dropped object's key apart.

    Raises: ManifestFaultyError for a key at another depth, which whoever dropped it mends;
    EventNotUnderstoodError for any other place, which is the rule's fault.
    """
    parts = file.object_key.split("/")
    if parts[0] != root or not parts[-1].endswith(".json"):
        raise EventNotUnderstoodError(f"{file.object_key} is not {root}/<team>/<name>.json; correct the rule.")
    if len(parts) != 3 or not parts[1]:
        problem = f"is {file.object_key}, which names no team: it must be {root}/<team>/<name>.json"
        mend = f"drop it below its team: aws s3 cp FILE s3://{file.bucket}/{root}/<team>/FILE"
        raise ManifestFaultyError([fault(KEY, problem, mend)])
    return DroppedKey(*parts)

"""Why a run exists, and the key made from it: an event delivered twice has one cause, one key, one run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from turbine.domain import names

# S3 event sequencers are hexadecimal and differ in length; padded on the right they compare as text.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
SEQUENCER_WIDTH = 64


class ManifestCause(BaseModel):
    """A version of a manifest object."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    kind: Literal["manifest"] = "manifest"
    key: str
    bucket: str
    object_key: str
    version_id: str
    sequencer: str
    index: int | None = None

    @property
    def uri(self) -> str:
        """Where the manifest lies."""
        return f"s3://{self.bucket}/{self.object_key}"


class ScheduleCause(BaseModel):
    """One firing of a schedule for one team."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    kind: Literal["schedule"] = "schedule"
    key: str
    schedule: str
    scheduled_time: str


Cause = Annotated[ManifestCause | ScheduleCause, Field(discriminator="kind")]


def manifest_cause(bucket: str, object_key: str, version_id: str, sequencer: str) -> ManifestCause:
    """The cause that a dropped manifest file is."""
    return ManifestCause(
        key=names.digest(["s3", bucket, object_key, version_id]),
        bucket=bucket,
        object_key=object_key,
        version_id=version_id,
        sequencer=sequencer,
    )


def batch_entry_cause(file: ManifestCause, team: str, index: int) -> ManifestCause:
    """The cause that entry `index` (from 0) of a batch manifest is.

    The index is part of the key: one team may stand twice in a file, and each entry is a run.
    """
    key = names.digest(["s3", file.bucket, file.object_key, file.version_id, team, index])
    return file.model_copy(update={"key": key, "index": index})


def schedule_cause(schedule: str, scheduled_time: str, team: str) -> ScheduleCause:
    """The cause that one firing of a schedule is for one team."""
    key = names.digest(["schedule", schedule, scheduled_time, team])
    return ScheduleCause(key=key, schedule=schedule, scheduled_time=scheduled_time)


def padded_sequencer(sequencer: str) -> str:
    """A sequencer that compares as text with any other of the same object key."""
    return sequencer.upper().ljust(SEQUENCER_WIDTH, "0")

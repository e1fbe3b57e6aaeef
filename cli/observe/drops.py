"""A manifest that was put into the bucket, and the runs it must become.

The run ids follow from the object's key and version (`turbine.domain.cause`), so they are known before the
machine has prepared anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from turbine.domain import cause, names

BATCH_FOLDER = "_batch"


@dataclass(frozen=True)
class ExpectedRun:
    """A run that a manifest asks for; it may still be refused.

    `run_id` is None where the text is so wrong that it can only be refused; `index` is the place in a batch.
    """

    team: str
    run_id: str | None
    index: int | None
    wants_predictions: bool

    @property
    def label(self) -> str:
        """A name that is the run's own within its drop."""
        return self.run_id or f"{self.team}[{self.index}]"

    def is_refused_by(self, rejection_sk: str) -> bool:
        """Whether a rejection record is of the whole file or of this very entry."""
        return rejection_sk == "RECORD" or rejection_sk == f"RECORD#{self.index}"


@dataclass(frozen=True)
class Drop:
    """One version of a manifest object, with the key that its rejections are kept under."""

    bucket: str
    key: str
    version_id: str
    cause_key: str
    dropped_at: datetime
    runs: tuple[ExpectedRun, ...]

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def of_object(bucket: str, key: str, version_id: str, text: str, dropped_at: datetime) -> Drop:
    """What a manifest of this text, under this key and version, will be known by."""
    file = cause.manifest_cause(bucket, key, version_id, sequencer="")
    folder = key.split("/")[1]
    document = _json_object(text)
    entries = document.get("runs")
    if folder == BATCH_FOLDER and isinstance(entries, list) and entries:
        runs = tuple(_expected(entry, file, index) for index, entry in enumerate(entries))
    else:
        runs = (_expected(document, file, None, folder),)
    return Drop(bucket, key, version_id, file.key, dropped_at, runs)


def _expected(manifest: object, file: cause.ManifestCause, index: int | None, folder: str = "?") -> ExpectedRun:
    entry = manifest if isinstance(manifest, dict) else {}
    team, dataset = _text(entry.get("team")), entry.get("dataset")
    dataset_name = _text(dataset.get("name")) if isinstance(dataset, dict) else None
    if team is None or dataset_name is None:
        return ExpectedRun(team or folder, None, index, False)
    key = file.key if index is None else cause.batch_entry_cause(file, team, index).key
    return ExpectedRun(team, names.run_id(team, dataset_name, key), index, bool(entry.get("inference")))


def is_unicode(text: str) -> bool:
    """Whether `text` can be sent: JSON's `\\ud800` and odd bytes of a file's name make half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and is_unicode(value) else None


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

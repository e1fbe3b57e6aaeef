"""How a run's results become visible: files and CloudWatch first, then one marker that makes them the result.

Shared by the recipes' job and by a team's own script: whoever trained, the same files leave in the same order.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.archive import ARCHIVE, MODEL_FILES, MODEL_FOLDER
from training.cloudwatch import publish_metrics, whole_minute
from training.lease import require_held
from training.spec import EvaluationSpec, RunSpec
from training.storage import Storage

METRICS_FILE = "metrics.json"
EVALUATION_FILE = "evaluation.parquet"
BLOCKS_FILE = "evaluation_blocks.json"
OUTPUTS = (
    *(f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES),
    ARCHIVE,
    METRICS_FILE,
    EVALUATION_FILE,
    BLOCKS_FILE,
)


def publish(
    folder: Path,
    metrics: dict[str, Any],
    spec: RunSpec,
    storage: Storage,
    fencing: int = 0,
    owner: str = "",
    earlier: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """`folder` holds `OUTPUTS` but for metrics.json, which is written here.

    Nothing is written below another job's marker: it is looked for once more, and metrics.json, the one file
    that differs from job to job of a run, as it holds times, goes last. `fencing` and `owner` are those of the
    run's lease; 0 is a job without one, started by hand. `earlier` are files that are there already, for the marker.

    Raises: LeaseHeldError when another job of the run has committed meanwhile, or holds the lease now.
    """
    names = [name for name in OUTPUTS if name != METRICS_FILE]
    _upload(folder, metrics, names, spec, storage)
    if fencing:
        require_held(spec.run_id, owner, fencing)
    storage.commit(list(OUTPUTS), spec.output_uri, fencing, earlier)


def publish_evaluation(
    folder: Path, metrics: dict[str, Any], names: list[str], spec: EvaluationSpec, storage: Storage
) -> None:
    """The same for a champion that was measured again: `folder` holds `names`, and nothing of a model.

    Raises: LeaseHeldError when another job has committed meanwhile.
    """
    _upload(folder, metrics, names, spec, storage)
    storage.commit([*names, METRICS_FILE], spec.output_uri)


def _upload(
    folder: Path, metrics: dict[str, Any], names: list[str], spec: RunSpec | EvaluationSpec, storage: Storage
) -> None:
    """All but the marker: files, CloudWatch, and metrics.json last."""
    published_at = whole_minute(datetime.now(UTC))
    document = metrics | {"published_at": timestamp(published_at)}
    (folder / METRICS_FILE).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    storage.require_unfinished(spec.output_uri)
    storage.upload(folder, names, spec.output_uri)
    if metrics["test"]:
        publish_metrics(spec.metrics, metrics["test"], published_at)
    storage.upload(folder, [METRICS_FILE], spec.output_uri)


def timestamp(moment: datetime) -> str:
    """As every time in the contracts: UTC, whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

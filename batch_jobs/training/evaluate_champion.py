"""`EvaluateChampion`: the champion on the challenger's test split, measured as the challenger was.

Only models that were measured on the same rows compare, and new data has other rows. Three files lie below the spec's
`output_uri` at the end, and then the marker: metrics.json, evaluation.parquet and evaluation_blocks.json, as of a run.

A champion that cannot be put to the new data (a column or its weights are gone, the target is another) is a result:
metrics.json then says so in `obstacle`, and the comparison holds the challenger with these words. No lease is taken: of
two such jobs the second finds the first one's marker, or writes the same numbers before it.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from training.archive import CONFIG_FILE, WEIGHTS_FILE
from training.cloudwatch import require_finite
from training.data import Profile, ShardReader, profile_dataset
from training.environment import environment
from training.errors import BadDataError, LeaseHeldError
from training.evaluation import EvaluationWriter
from training.job import settle_arithmetic
from training.log import log_event
from training.measurement import Answers, measure
from training.predictor import Predictor
from training.publishing import BLOCKS_FILE, EVALUATION_FILE, publish_evaluation
from training.spec import EvaluationSpec
from training.storage import CLIENT_CONFIG, Storage, describe_file
from training.stored_model import UnsuitableError, load_stored, stored_answers
from training.tasks import Classification, Task
from training.world import find_world

_MODEL = (CONFIG_FILE, WEIGHTS_FILE)


def evaluate_champion(spec: EvaluationSpec, storage: Storage) -> None:
    """Measure and publish, unless that is done. Raises: TrainingJobError."""
    started_s = time.monotonic()
    world = find_world()
    settle_arithmetic(world)
    log_event("started", run_id=spec.run_id, champion=spec.champion.run_id, device=str(world.device))
    with tempfile.TemporaryDirectory() as scratch:
        model, results = Path(scratch) / "model", Path(scratch) / "results"
        model.mkdir()
        results.mkdir()
        profile = profile_dataset(
            spec.dataset, spec.split, ShardReader(boto3.client("s3", config=CLIENT_CONFIG)), scales_inputs=False
        )
        log_event("data_loaded", rows=dict(profile.row_counts), features=len(profile.feature_names))
        facts = {
            "schema_version": 1,
            "run_id": spec.run_id,
            "team": spec.team,
            "champion_run_id": spec.champion.run_id,
            "dataset_version": spec.dataset.version,
            "split_id": spec.split.id,
            "rows": {"test": profile.row_counts["test"]},
            "environment": environment(world.device.type, 1),
        }
        try:
            _fetch(spec, storage, model)
            test = _measure(spec, model, profile, results)
        except UnsuitableError as error:
            log_event("unsuitable", champion=spec.champion.run_id, file=error.file, problem=error.problem)
            _publish(results, facts | {"test": {}, "obstacle": error.problem}, [], spec, storage, started_s)
            return
        log_event("evaluated", **{f"test_{name}": value for name, value in test.items()})
        files = [EVALUATION_FILE, BLOCKS_FILE]
        _publish(results, facts | {"test": test, "obstacle": None}, files, spec, storage, started_s)


def _fetch(spec: EvaluationSpec, storage: Storage, folder: Path) -> None:
    """The champion's weights and config. Raises: UnsuitableError when they are not there as its run published them."""
    for name in _MODEL:
        uri, described = spec.champion.model_uri + name, spec.champion.files[name]
        if not storage.download(uri, described.version_id, folder / name):
            raise UnsuitableError(name, f"{uri} is gone in the version that its run has published")
        if describe_file(folder / name) != {"sha256": described.sha256, "size_bytes": described.size_bytes}:
            raise UnsuitableError(name, f"{uri} is not what its run has published: its SHA-256 is another")


def _measure(spec: EvaluationSpec, model: Path, profile: Profile, results: Path) -> dict[str, float]:
    """The champion's test metrics; its answers go to `results`. Raises: UnsuitableError."""
    predictor = load_stored(model, spec.dataset.target, profile)
    task = _task(predictor.task, profile, spec.dataset.target)
    with EvaluationWriter(results, task, profile.slices) as evaluation:
        test, _ = measure(task, profile.labels, _answers(predictor, task, profile), evaluation)
    require_finite(test)
    return test


def _task(its_own: Task, profile: Profile, target: str) -> Task:
    """What the champion is measured by: the classes of the data, as the challenger was, then those that it alone knows.

    Raises: UnsuitableError when its answers are of another kind than the labels.
    """
    kind = profile.labels.kind
    if its_own.classes is None:
        if kind not in "fi":
            raise UnsuitableError(CONFIG_FILE, f"the model answers with numbers, and {target!r} holds none")
        return its_own
    known = np.array(its_own.classes)
    if known.dtype.kind != kind:
        raise UnsuitableError(CONFIG_FILE, f"the model's classes are no values of {target!r}: {its_own.classes[0]!r}")
    try:
        fitted = Classification.fit(profile.labels, target)
    except BadDataError as error:
        raise UnsuitableError(CONFIG_FILE, error.message) from error
    return Classification(list(dict.fromkeys(fitted.classes + its_own.classes)))


def _answers(predictor: Predictor, task: Task, profile: Profile) -> Iterator[Answers]:
    """Its answers in the places of `task`'s classes; a class that it does not know gets the probability 0."""
    answers = stored_answers(predictor, profile, "test")
    if task.classes is None or task.classes == predictor.task.classes:
        yield from answers
        return
    places = task.encode(np.array(predictor.task.classes))
    for some in answers:
        outputs = np.full((len(some.outputs), task.output_width), -np.inf, np.float32)
        outputs[:, places] = some.outputs
        yield Answers(some.row_ids, some.labels, outputs)


def _publish(
    folder: Path, metrics: dict[str, Any], files: list[str], spec: EvaluationSpec, storage: Storage, started_s: float
) -> None:
    duration_s = round(time.monotonic() - started_s, 3)
    try:
        publish_evaluation(folder, metrics | {"duration_s": duration_s}, files, spec, storage)
    except LeaseHeldError:  # by another job with the same task
        log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, already_finished=True)
        return
    log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, duration_s=duration_s)

"""How good a trained model is: exported first, and measured from the exported files as whoever gets them would."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from training import export
from training.archive import ARCHIVE, MODEL_FOLDER, write_archive
from training.cloudwatch import require_finite
from training.data import Profile
from training.data.blocks import Block
from training.evaluation import EvaluationWriter
from training.labels import LabelSummary
from training.log import log_event
from training.predictor import Predictor
from training.recipe import TrainingConfig
from training.spec import RunSpec
from training.split import Part
from training.tasks import Task

# Of the model's outputs, whatever the number of classes: 4 MB, and a few times as much while they are decoded.
NUMBERS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Answers:
    """What a model makes of some rows. Shapes: `row_ids` and `labels` (m,), `outputs` (m, k) float32 raw."""

    row_ids: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray


def export_and_measure(
    folder: Path, model: nn.Module, spec: RunSpec, config: TrainingConfig, profile: Profile, task: Task
) -> dict[str, Any]:
    """Write all outputs but metrics.json into `folder`; returns what metrics.json says of the model.

    Raises: BadConfigurationError when a metric is no finite number.
    """
    model_folder = folder / MODEL_FOLDER
    model_folder.mkdir()
    document = export.model_config(spec, config, profile.feature_names, profile.normalisation, task)
    export.write_weights(model_folder, model)
    export.write_config(model_folder, document)

    predictor = Predictor.load(model_folder, next(model.parameters()).device)
    with EvaluationWriter(folder, predictor.task, profile.slices) as evaluation:
        test, baseline = measure(task, profile.labels, _answers(predictor, profile, "test"), evaluation)
    require_finite(test)
    validation, _ = measure(task, profile.labels, _answers(predictor, profile, "validation"))

    export.write_config(model_folder, document | {"metrics": {"test": test}})
    export.write_card(model_folder, spec, config, test, baseline)
    write_archive(model_folder, folder / ARCHIVE)
    log_event("evaluated", **{f"test_{name}": value for name, value in test.items()})
    return {
        "schema_version": 1,
        "run_id": spec.run_id,
        "team": spec.team,
        "recipe": spec.recipe.name,
        "seed": spec.seed,
        "dataset_version": spec.dataset.version,
        "split_id": spec.split.id,
        "rows": dict(profile.row_counts),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "test": test,
        "validation": validation,
        "baseline": baseline,
    }


def measure(
    task: Task, train_labels: LabelSummary, answers: Iterable[Answers], evaluation: EvaluationWriter | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of a model and those of the baseline; the rows go to `evaluation` too. Nothing is kept of them.

    None of `answers` has more than NUMBERS_AT_ONCE rows.
    """
    of_model, of_baseline = task.scores(), task.scores()
    baseline = task.baseline(train_labels, NUMBERS_AT_ONCE)
    for some in answers:
        predictions = task.decode(some.outputs)
        of_model.add(some.labels, predictions)
        of_baseline.add(some.labels, baseline.first(len(some.labels)))
        if evaluation is not None:
            evaluation.write(some.row_ids, some.labels, predictions)
    return of_model.metrics(), of_baseline.metrics()


def rows_at_once(output_width: int) -> int:
    """Few enough for what a model puts out for them to be NUMBERS_AT_ONCE at most."""
    return max(1, NUMBERS_AT_ONCE // output_width)


def in_pieces(block: Block, output_width: int) -> Iterator[Block]:
    """`rows_at_once` of a block after the other."""
    rows = rows_at_once(output_width)
    for start in range(0, len(block.labels), rows):
        some = slice(start, start + rows)
        yield Block(block.row_ids[some], block.features[some], block.labels[some])


def _answers(predictor: Predictor, profile: Profile, part: Part) -> Iterator[Answers]:
    for block in profile.held_out(part):
        for some in in_pieces(block, predictor.task.output_width):
            outputs = predictor.outputs(predictor.normalisation.apply(some.features))
            yield Answers(some.row_ids, some.labels, outputs)

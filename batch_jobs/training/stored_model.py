"""A model that this job has not trained: loaded as inference will load it, and put to a data set's rows.

Its columns are found by their names, so that a data set with more of them, or in another order, will do.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

from training.archive import CONFIG_FILE, WEIGHTS_FILE
from training.data import Profile
from training.errors import BadDataError, TrainingJobError, is_out_of_memory
from training.measurement import Answers, in_pieces
from training.predictor import Predictor
from training.split import Part


class UnsuitableError(Exception):
    """The model cannot be put to the data set. `file` of its folder is why; `mend` is the loader's, if it has one."""

    def __init__(self, file: str, problem: str, mend: str | None = None) -> None:
        super().__init__(problem)
        self.file = file
        self.problem = problem
        self.mend = mend


def load_stored(folder: Path, target: str, profile: Profile) -> Predictor:
    """The model in `folder`, on the GPU where there is one. Raises: UnsuitableError."""
    try:
        predictor = Predictor.load(folder)
        its_target = json.loads((folder / CONFIG_FILE).read_text())["target"]
    except TrainingJobError as error:
        raise UnsuitableError(CONFIG_FILE, f"the model does not load: {error.message}", error.mend) from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        problem = f"the model does not load: {type(error).__name__}: {error}"
        raise UnsuitableError(CONFIG_FILE, problem) from error
    if its_target != target:
        raise UnsuitableError(CONFIG_FILE, f"target is {its_target!r}, the data set's is {target!r}")
    if strangers := [name for name in predictor.features if name not in profile.feature_names]:
        raise UnsuitableError(CONFIG_FILE, f"feature {strangers[0]!r} is none of the data set's")
    # Not above: a GPU without room or at fault says nothing about the model.
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return replace(predictor, model=predictor.model.to(device), device=device)


def stored_answers(predictor: Predictor, profile: Profile, part: Part) -> Iterator[Answers]:
    """What it makes of the rows of a part.

    Raises: UnsuitableError for a row that it cannot take, and for an answer that is no finite number.
    """
    columns = [profile.feature_names.index(name) for name in predictor.features]
    for block in profile.held_out(part):
        for some in in_pieces(block, predictor.task.output_width):
            features = some.features[:, columns]
            _require_takes(predictor, features, some.row_ids)
            outputs = predictor.outputs(predictor.normalisation.apply(features))
            if not (finite := np.isfinite(outputs).all(axis=1)).all():
                row = some.row_ids[~finite][0]
                raise UnsuitableError(WEIGHTS_FILE, f"the model's answer to row {row} is no finite number")
            yield Answers(some.row_ids, some.labels, outputs)


def _require_takes(predictor: Predictor, features: np.ndarray, row_ids: np.ndarray) -> None:
    """Row by row where it does not: the rows of a part have gaps, and the check names one by its place."""
    if predictor.check_rows is None:
        return
    try:
        predictor.check_rows(features, 0)
    except BadDataError:
        for place, row_id in enumerate(row_ids.tolist()):
            try:
                predictor.check_rows(features[place : place + 1], row_id)
            except BadDataError as error:
                raise UnsuitableError(CONFIG_FILE, error.message) from error

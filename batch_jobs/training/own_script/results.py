"""What a script leaves: taken for the work of a stranger, and made into what every run leaves.

A script leaves a model and what it thinks of it. The model is loaded as inference will load it and measured on the
pinned test split; a script that has measured something else is refused. Published is what the archive does, so a
script's numbers compare with a recipe's. All refusals end with exit code 78 and name the file and what is wrong.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from training.archive import ARCHIVE, CARD_FILE, CONFIG_FILE, MODEL_FOLDER, WEIGHTS_FILE, write_archive
from training.data import Profile
from training.errors import BadConfigurationError
from training.evaluation import EvaluationWriter
from training.export import write_card, write_config
from training.measurement import Answers, measure
from training.own_script.script import OwnScriptConfig
from training.own_script.workplace import Workplace
from training.predictor import Predictor
from training.publishing import METRICS_FILE
from training.spec import RunSpec, first_problem
from training.split import Part
from training.stored_model import UnsuitableError, load_stored, stored_answers

# Another device or precision moves a metric by less, a forgotten scaling by much more.
RELATIVE_TOLERANCE = 0.05
ABSOLUTE_TOLERANCE = 0.02

_MODEL_CONFIG = f"{MODEL_FOLDER}/{CONFIG_FILE}"
_MODEL_WEIGHTS = f"{MODEL_FOLDER}/{WEIGHTS_FILE}"
_MEND = "docs/recipes.md says what a script has to leave in TURBINE_OUTPUT_DIR"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EpochEntry(_Part):
    """One of `epochs` in metrics.json."""

    epoch: int = Field(ge=1)
    train_loss: FiniteFloat
    validation_loss: FiniteFloat
    validation: dict[str, FiniteFloat]
    elapsed_s: FiniteFloat = Field(ge=0)


class ScriptMetrics(_Part):
    """The script's own metrics.json."""

    test: dict[str, FiniteFloat]
    epochs: list[EpochEntry] = Field(default_factory=list)


def take_results(spec: RunSpec, config: OwnScriptConfig, workplace: Workplace, profile: Profile) -> dict[str, Any]:
    """Check what the script left and complete it in place; returns what metrics.json says of the model.

    Raises: BadConfigurationError naming the file and what is wrong with it.
    """
    for name in (_MODEL_WEIGHTS, _MODEL_CONFIG, METRICS_FILE):
        if not (workplace.output / name).is_file():
            raise BadConfigurationError(f"the script ended well but left no {name}", _MEND)
    claimed = _read_metrics(workplace)
    try:
        predictor = load_stored(workplace.output / MODEL_FOLDER, spec.dataset.target, profile)
        task = predictor.task
        with EvaluationWriter(workplace.output, task, profile.slices) as evaluation:
            test, baseline = measure(task, profile.labels, _answers(predictor, profile, "test"), evaluation)
        validation, _ = measure(task, profile.labels, _answers(predictor, profile, "validation"))
    except UnsuitableError as error:
        _refuse(f"{MODEL_FOLDER}/{error.file}", error.problem, error.mend or _MEND)
    _require_agreement(claimed.test, test)
    _complete(workplace, spec, config, test, baseline)
    return {
        "parameters": sum(parameter.numel() for parameter in predictor.model.parameters()),
        "test": test,
        "validation": validation,
        "baseline": baseline,
        "epochs": [entry.model_dump() for entry in claimed.epochs],
    }


def _read_metrics(workplace: Workplace) -> ScriptMetrics:
    try:
        return ScriptMetrics.model_validate_json((workplace.output / METRICS_FILE).read_bytes())
    except ValidationError as error:
        raise BadConfigurationError(f"the script's {METRICS_FILE}: {first_problem(error)}", _MEND) from error


def _answers(predictor: Predictor, profile: Profile, part: Part) -> Iterator[Answers]:
    classes = None if predictor.task.classes is None else np.array(predictor.task.classes)
    for answers in stored_answers(predictor, profile, part):
        if classes is not None and not (known := np.isin(answers.labels, classes)).all():
            _refuse(_MODEL_CONFIG, f"classes lack {answers.labels[~known][0].item()!r}, which the data set has")
        yield answers


def _require_agreement(claimed: Mapping[str, float], measured: Mapping[str, float]) -> None:
    if set(claimed) != set(measured):
        _refuse(METRICS_FILE, f"test holds {sorted(claimed)}, the model's recipe measures {sorted(measured)}")
    for name, value in measured.items():
        if not math.isclose(claimed[name], value, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE):
            _refuse(METRICS_FILE, f"test {name} is {claimed[name]:g}, but the model it left gives {value:g}")


def _complete(
    workplace: Workplace, spec: RunSpec, config: OwnScriptConfig, test: dict[str, float], baseline: dict[str, float]
) -> None:
    """The metrics in the model's config, a model card unless the script wrote one, and the archive."""
    folder = workplace.output / MODEL_FOLDER
    document = json.loads((folder / CONFIG_FILE).read_text())
    write_config(folder, document | {"metrics": {"test": test}})
    if not (folder / CARD_FILE).is_file():
        write_card(folder, spec, config, test, baseline)
    write_archive(folder, workplace.output / ARCHIVE)


def _refuse(file: str, problem: str, mend: str = _MEND) -> NoReturn:
    raise BadConfigurationError(f"the script's {file}: {problem}", mend)

"""Models as they were after the epochs that a run publishes besides the one it ends with.

An archive each, written when its epoch ends and named by the marker at the end. What is known of it is kept with the
epoch in the run's checkpoints: an attempt that goes on later knows it, and one that goes on before the epoch's end
comes to the same bytes again.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from training import export
from training.archive import ARCHIVE, MODEL_FOLDER, write_archive
from training.data import Profile
from training.errors import BadConfigurationError
from training.log import log_event
from training.recipe import TrainingConfig
from training.spec import RunSpec
from training.storage import Storage
from training.tasks import Task
from training.trainer import Epoch

Files = dict[str, dict[str, Any]]
"""Files by their names below the run's prefix, each as the marker describes it."""


Wanted = Sequence[int | Literal["last"]]
"""Epochs by their numbers, and `last` for the one after which training ends."""


def check(wanted: Wanted, epochs: int) -> None:
    """Raises: BadConfigurationError when the run has not as many epochs."""
    greatest = max((epoch for epoch in wanted if epoch != "last"), default=0)
    if greatest > epochs:
        raise BadConfigurationError(
            f"publish_epochs names epoch {greatest}, the hyperparameter epochs is {epochs}",
            "name epochs that the run has, or give it more",
        )


def is_wanted(wanted: Wanted, epoch: Epoch) -> bool:
    """Whether an epoch that has ended is to be published."""
    return epoch.number in wanted or (epoch.is_last and "last" in wanted)


def publish(
    epoch: Epoch,
    model: nn.Module,
    spec: RunSpec,
    config: TrainingConfig,
    profile: Profile,
    task: Task,
    storage: Storage,
) -> Files:
    """Write the archive of an epoch that has ended, with its validation metrics; the test rows are not looked at."""
    number, validation = epoch.number, epoch.validation.metrics
    name = f"{MODEL_FOLDER}/epochs/{number}/{ARCHIVE}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        document = export.model_config(spec, config, profile.feature_names, profile.normalisation, task)
        export.write_weights(folder, model)
        export.write_config(folder, document | {"epoch": number, "metrics": {"validation": dict(validation)}})
        export.write_epoch_card(folder, spec, number, validation)
        (folder / name).parent.mkdir(parents=True)
        write_archive(folder, folder / name)
        files = storage.upload(folder, [name], spec.output_uri)
    log_event("epoch_published", epoch=number, **files[name])
    return files


def published(epochs: Iterable[Mapping[str, Any]]) -> Files:
    """The archives of all epochs that were published, by whichever attempt."""
    return {name: entry for epoch in epochs for name, entry in epoch.get("published", {}).items()}

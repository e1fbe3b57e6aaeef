"""One run of a team's own script, from its spec to `_SUCCESS`, on each node's launcher."""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import torch

from training import errors
from training.data import Profile, ShardReader, profile_dataset
from training.environment import environment
from training.errors import BadConfigurationError, BadDataError, TrainingJobError
from training.job import SCRATCH_VARIABLE
from training.launch.gang import Gang
from training.log import log_event
from training.own_script.checkpoint_folder import CheckpointFolder
from training.own_script.results import take_results
from training.own_script.script import OwnScriptConfig, fetch_script, parse_config
from training.own_script.workplace import Workplace, lay_out_data
from training.publishing import publish, timestamp
from training.spec import RunSpec
from training.storage import CLIENT_CONFIG, Storage

_READ_ITS_LINES = "read the script's last lines above"


@dataclass(frozen=True)
class Place:
    """This launcher's place: the main node's keeps checkpoints and publishes. `owner` and `fencing` of its lease."""

    is_main: bool
    world_size: int
    owner: str
    fencing: int


def run_own_script(spec: RunSpec, storage: Storage, gang: Gang, place: Place) -> int:
    """Run the script as every worker of `gang`; returns 0, or 75 when it was interrupted.

    Raises: TrainingJobError with the script's own exit code, or 78 when its results are not sound;
    RunInterruptedError when the order to stop comes before or after the script.
    """
    started_at, started_s = datetime.now(UTC), time.monotonic()
    config = parse_config(spec)
    scratch = os.environ.get(SCRATCH_VARIABLE) or None
    with tempfile.TemporaryDirectory(prefix="own-script-", dir=scratch) as root:
        workplace = Workplace(Path(root))
        profile, checkpoints = _prepare(spec, config, workplace, place)
        variables = workplace.variables(spec, config, os.environ.get("PYTHONPATH"))
        with _environment(variables), checkpoints.kept() if place.is_main else nullcontext():
            code = gang.run(place.fencing, (sys.executable, str(workplace.script)))
        if code != errors.FINISHED:
            return _ended(code)
        if place.is_main:
            measured = take_results(spec, config, workplace, profile)
            log_event("evaluated", **{f"test_{name}": value for name, value in measured["test"].items()})
            metrics = (
                _facts(spec, config, profile, place)
                | measured
                | {
                    "started_at": timestamp(started_at),
                    "ended_at": timestamp(datetime.now(UTC)),
                    "duration_s": round(time.monotonic() - started_s, 3),
                }
            )
            publish(workplace.output, metrics, spec, storage, place.fencing, place.owner)
            log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, duration_s=metrics["duration_s"])
    return errors.FINISHED


def _prepare(
    spec: RunSpec, config: OwnScriptConfig, workplace: Workplace, place: Place
) -> tuple[Profile, CheckpointFolder]:
    client = boto3.client("s3", config=CLIENT_CONFIG)
    workplace.make_folders()
    fetch_script(config, client, workplace.script)
    if place.is_main:
        log_event(
            "started", run_id=spec.run_id, recipe=spec.recipe.name, script=config.script, world_size=place.world_size
        )
    shards = ShardReader(client)
    profile = profile_dataset(spec.dataset, spec.split, shards, scales_inputs=False)
    profile = replace(profile, blocks=None)  # the script needs the memory
    lay_out_data(spec.dataset, shards, profile, workplace)
    if place.is_main:
        log_event("data_loaded", rows=dict(profile.row_counts), features=len(profile.feature_names))
    checkpoints = CheckpointFolder(
        client, spec.output_uri, workplace.checkpoints, fingerprint(spec, config), place.fencing
    )
    checkpoints.restore()
    return profile, checkpoints


def fingerprint(spec: RunSpec, config: OwnScriptConfig) -> str:
    """Of everything that the numbers in a checkpoint depend on, but for the number of workers."""
    depends_on = [config.sha256, config.arguments, spec.dataset.version, spec.dataset.target, spec.split.id, spec.seed]
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """What the workers inherit, while the body runs."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _ended(code: int) -> int:
    """Raises: TrainingJobError for whatever is no end that Batch tries again."""
    if code == errors.INTERRUPTED:
        return code
    if code == errors.BAD_DATA:
        raise BadDataError("the script ended with exit code 65: it refuses the data", _READ_ITS_LINES)
    if code == errors.BAD_CONFIGURATION:
        raise BadConfigurationError("the script ended with exit code 78: it refuses its arguments", _READ_ITS_LINES)
    raise TrainingJobError(f"the script ended with exit code {code}", f"a bug in it: {_READ_ITS_LINES}")


def _facts(spec: RunSpec, config: OwnScriptConfig, profile: Profile, place: Place) -> dict[str, Any]:
    """What metrics.json says besides what was measured."""
    return {
        "schema_version": 1,
        "run_id": spec.run_id,
        "team": spec.team,
        "recipe": spec.recipe.name,
        "script": {"uri": config.script, "sha256": config.sha256},
        "seed": spec.seed,
        "dataset_version": spec.dataset.version,
        "split_id": spec.split.id,
        "rows": dict(profile.row_counts),
        "environment": environment("cuda" if torch.cuda.is_available() else "cpu", place.world_size),
    }

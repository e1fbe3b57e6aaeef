"""The environment, read here and nowhere else: one typed model a function or job, only what it needs."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, TypeVar

from turbine.domain.errors import SettingsError

S = TypeVar("S", bound=tuple[Any, ...])


class PrepareTrainingSettings(NamedTuple):
    table_name: str
    data_bucket: str
    artifact_bucket: str
    event_bus_name: str
    max_vms: str
    max_nodes: str
    max_training_vcpus: str
    training_vcpus: str
    efficiency_per_doubling: str
    launch_minutes: str


class PublishArtifactsSettings(NamedTuple):
    artifact_bucket: str
    training_image_uri: str
    event_bus_name: str


class PublishingFunctionSettings(NamedTuple):
    publish_in_function_bytes: str


class PublishingJobSettings(NamedTuple):
    run_id: str
    team: str
    spec_uri: str


class CopyArchiveSettings(NamedTuple):
    artifact_bucket: str


class CompareModelsSettings(NamedTuple):
    table_name: str
    artifact_bucket: str


class RegisterModelSettings(NamedTuple):
    turbine_stack: str
    table_name: str
    artifact_bucket: str
    inference_image_uri: str


class PromoteModelSettings(NamedTuple):
    table_name: str
    artifact_bucket: str


class PrepareInferenceSettings(NamedTuple):
    turbine_stack: str
    prediction_table_name: str
    data_bucket: str
    prediction_bucket: str
    inference_image_uri: str
    model_role_arn: str
    event_bus_name: str


class PublishPredictionsSettings(NamedTuple):
    prediction_table_name: str
    event_bus_name: str


class CloseInferenceSettings(NamedTuple):
    prediction_table_name: str


class ReconcileRegistrySettings(NamedTuple):
    turbine_stack: str
    table_name: str
    promotion_machine_arn: str


class RecordOutcomeSettings(NamedTuple):
    table_name: str
    event_bus_name: str
    outcome_topic_arn: str
    job_queue_arn: str
    spot_queue_arn: str
    job_log_group: str
    run_machine_arn: str


class JudgeTrainingSettings(NamedTuple):
    table_name: str
    artifact_bucket: str
    job_queue_arn: str
    spot_queue_arn: str
    job_log_group: str


def load(kind: type[S]) -> S:
    """Read a settings model, a NamedTuple of texts, from the variables named like its fields, in capitals.

    Raises: SettingsError naming every variable that is not set.
    """
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    absent = [name.upper() for name in names if not os.environ.get(name.upper())]
    if absent:
        raise SettingsError(f"{kind.__name__} needs {', '.join(absent)}: set them on the function in the template.")
    return kind(**{name: os.environ[name.upper()] for name in names})


def is_xray_listening() -> bool:
    """Whether Lambda runs an X-Ray daemon beside this process."""
    return bool(os.environ.get("AWS_XRAY_DAEMON_ADDRESS"))

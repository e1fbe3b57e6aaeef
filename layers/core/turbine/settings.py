"""The environment, read here and nowhere else: one typed model a function, only what it needs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar

from turbine.domain.errors import SettingsError


class _Settings(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


S = TypeVar("S", bound=_Settings)


@dataclass(frozen=True)
class PrepareTrainingSettings:
    table_name: str
    data_bucket: str
    artifact_bucket: str
    event_bus_name: str


@dataclass(frozen=True)
class PublishArtifactsSettings:
    artifact_bucket: str
    training_image_uri: str
    event_bus_name: str


@dataclass(frozen=True)
class CompareModelsSettings:
    table_name: str
    artifact_bucket: str


@dataclass(frozen=True)
class RegisterModelSettings:
    turbine_stack: str
    table_name: str
    artifact_bucket: str
    inference_image_uri: str


@dataclass(frozen=True)
class PromoteModelSettings:
    table_name: str
    artifact_bucket: str


@dataclass(frozen=True)
class PrepareInferenceSettings:
    turbine_stack: str
    prediction_table_name: str
    data_bucket: str
    prediction_bucket: str
    inference_image_uri: str
    model_role_arn: str
    event_bus_name: str


@dataclass(frozen=True)
class PublishPredictionsSettings:
    prediction_table_name: str
    event_bus_name: str


@dataclass(frozen=True)
class CloseInferenceSettings:
    prediction_table_name: str


@dataclass(frozen=True)
class RecordOutcomeSettings:
    table_name: str
    event_bus_name: str
    outcome_topic_arn: str
    job_queue_arn: str
    spot_queue_arn: str
    job_log_group: str


@dataclass(frozen=True)
class JudgeTrainingSettings:
    table_name: str
    artifact_bucket: str
    job_queue_arn: str
    spot_queue_arn: str
    job_log_group: str


def load(kind: type[S]) -> S:
    """Read a settings model from the variables named like its fields, in capitals.

    Raises: SettingsError naming every variable that is not set.
    """
    names = [field.name for field in fields(kind)]
    absent = [name.upper() for name in names if not os.environ.get(name.upper())]
    if absent:
        raise SettingsError(f"{kind.__name__} needs {', '.join(absent)}: set them on the function in the template.")
    return kind(**{name: os.environ[name.upper()] for name in names})


def is_xray_listening() -> bool:
    """Whether Lambda runs an X-Ray daemon beside this process."""
    return bool(os.environ.get("AWS_XRAY_DAEMON_ADDRESS"))

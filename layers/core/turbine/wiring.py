"""The one place where use cases meet AWS.

Imports stand inside the functions on purpose: a Lambda pays at its cold start for the use case and
the services it has, not for those of the others. No client is made here, and none at import.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from turbine import settings

if TYPE_CHECKING:
    from turbine.ports import DataVersioning
    from turbine.usecases.close_inference import CloseInference
    from turbine.usecases.compare_models import CompareModels
    from turbine.usecases.copy_archive import CopyArchive
    from turbine.usecases.judge_training import JudgeTraining
    from turbine.usecases.prepare_inference import PrepareInference
    from turbine.usecases.prepare_training import PrepareTraining
    from turbine.usecases.promote_model import PromoteModel
    from turbine.usecases.publish_artifacts import PublishArtifacts
    from turbine.usecases.publish_predictions import PublishPredictions
    from turbine.usecases.reconcile_registry import ReconcileRegistry
    from turbine.usecases.record_outcome import RecordOutcome
    from turbine.usecases.register_model import RegisterModel
    from turbine.usecases.sweep_runs import SweepRuns


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@cache
def prepare_training() -> PrepareTraining:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.events import EventBridgeBus
    from turbine.aws.s3 import S3Store
    from turbine.usecases.fleet_book import Fleet
    from turbine.usecases.prepare_training import PrepareTraining

    given = settings.load(settings.PrepareTrainingSettings)
    vms = int(given.max_vms)
    return PrepareTraining(
        data_bucket=given.data_bucket,
        artifact_bucket=given.artifact_bucket,
        store=S3Store(),
        table=DynamoTable(given.table_name),
        bus=EventBridgeBus(given.event_bus_name),
        clock=now,
        fleet=Fleet(
            vms=vms,
            nodes_max=min(int(given.max_nodes), vms, int(given.max_training_vcpus) // int(given.training_vcpus)),
            efficiency_per_doubling=float(given.efficiency_per_doubling),
            launch_h=float(given.launch_minutes) / 60,
        ),
    )


def publish_in_function_bytes() -> int:
    """From how many bytes on a run's files are published by a job."""
    return int(settings.load(settings.PublishingFunctionSettings).publish_in_function_bytes)


def publish_artifacts(versioning: DataVersioning, most_bytes: int | None = None) -> PublishArtifacts:
    """DVC is the caller's to import: only one function's layer and one image have it."""
    from turbine.aws.events import EventBridgeBus
    from turbine.aws.s3 import S3Store
    from turbine.usecases.publish_artifacts import PublishArtifacts

    given = settings.load(settings.PublishArtifactsSettings)
    return PublishArtifacts(
        artifact_bucket=given.artifact_bucket,
        training_image_uri=given.training_image_uri,
        store=S3Store(),
        versioning=versioning,
        bus=EventBridgeBus(given.event_bus_name),
        clock=now,
        most_bytes=most_bytes,
    )


def copy_archive() -> CopyArchive:
    from turbine.aws.s3 import S3Store
    from turbine.usecases.copy_archive import CopyArchive

    return CopyArchive(
        artifact_bucket=settings.load(settings.CopyArchiveSettings).artifact_bucket,
        store=S3Store(),
    )


@cache
def judge_training() -> JudgeTraining:
    from turbine.aws.batch import BatchJobLogs, BatchJobs
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.s3 import S3Store
    from turbine.usecases.judge_training import JudgeTraining

    given = settings.load(settings.JudgeTrainingSettings)
    queues = [given.job_queue_arn, given.spot_queue_arn]
    return JudgeTraining(
        artifact_bucket=given.artifact_bucket,
        spot_queue_arn=given.spot_queue_arn,
        store=S3Store(),
        table=DynamoTable(given.table_name),
        jobs=BatchJobs(queues),
        logs=BatchJobLogs(queues, given.job_log_group),
    )


@cache
def compare_models() -> CompareModels:
    from turbine.aws.cloudwatch import CloudWatchMetrics
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.s3 import S3Store
    from turbine.usecases.compare_models import CompareModels

    given = settings.load(settings.CompareModelsSettings)
    return CompareModels(
        artifact_bucket=given.artifact_bucket,
        store=S3Store(),
        table=DynamoTable(given.table_name),
        metrics=CloudWatchMetrics(),
        clock=now,
    )


@cache
def register_model() -> RegisterModel:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.s3 import S3Store
    from turbine.aws.sagemaker import ModelRegistry
    from turbine.usecases.register_model import RegisterModel

    given = settings.load(settings.RegisterModelSettings)
    return RegisterModel(
        stack=given.turbine_stack,
        artifact_bucket=given.artifact_bucket,
        inference_image_uri=given.inference_image_uri,
        store=S3Store(),
        table=DynamoTable(given.table_name),
        registry=ModelRegistry(),
        clock=now,
    )


@cache
def promote_model() -> PromoteModel:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.s3 import S3Store
    from turbine.usecases.promote_model import PromoteModel

    given = settings.load(settings.PromoteModelSettings)
    return PromoteModel(
        artifact_bucket=given.artifact_bucket,
        store=S3Store(),
        table=DynamoTable(given.table_name),
        clock=now,
    )


@cache
def reconcile_registry() -> ReconcileRegistry:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.sagemaker import RegistryApprovals
    from turbine.aws.stepfunctions import PromotionMachine
    from turbine.usecases.reconcile_registry import ReconcileRegistry

    given = settings.load(settings.ReconcileRegistrySettings)
    return ReconcileRegistry(
        stack=given.turbine_stack,
        table=DynamoTable(given.table_name),
        approvals=RegistryApprovals(),
        promotions=PromotionMachine(given.promotion_machine_arn),
    )


@cache
def prepare_inference() -> PrepareInference:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.events import EventBridgeBus
    from turbine.aws.s3 import S3Store
    from turbine.aws.sagemaker import TransformModels
    from turbine.aws.stepfunctions import StateMachineExecutions
    from turbine.usecases.prepare_inference import PrepareInference

    given = settings.load(settings.PrepareInferenceSettings)
    return PrepareInference(
        stack=given.turbine_stack,
        data_bucket=given.data_bucket,
        prediction_bucket=given.prediction_bucket,
        inference_image_uri=given.inference_image_uri,
        store=S3Store(),
        table=DynamoTable(given.prediction_table_name),
        models=TransformModels(given.model_role_arn),
        executions=StateMachineExecutions(),
        bus=EventBridgeBus(given.event_bus_name),
        clock=now,
    )


@cache
def publish_predictions() -> PublishPredictions:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.events import EventBridgeBus
    from turbine.aws.s3 import S3Store
    from turbine.usecases.publish_predictions import PublishPredictions

    given = settings.load(settings.PublishPredictionsSettings)
    return PublishPredictions(
        store=S3Store(),
        table=DynamoTable(given.prediction_table_name),
        bus=EventBridgeBus(given.event_bus_name),
        clock=now,
    )


@cache
def close_inference() -> CloseInference:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.stepfunctions import StateMachineExecutions
    from turbine.usecases.close_inference import CloseInference

    given = settings.load(settings.CloseInferenceSettings)
    return CloseInference(table=DynamoTable(given.prediction_table_name), executions=StateMachineExecutions())


@cache
def record_outcome() -> RecordOutcome:
    from turbine.aws.batch import BatchJobLogs
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.events import EventBridgeBus
    from turbine.aws.sns import OutcomeTopic
    from turbine.aws.stepfunctions import StateMachineExecutions
    from turbine.usecases.record_outcome import RecordOutcome

    given = settings.load(settings.RecordOutcomeSettings)
    return RecordOutcome(
        table=DynamoTable(given.table_name),
        executions=StateMachineExecutions(),
        logs=BatchJobLogs([given.job_queue_arn, given.spot_queue_arn], given.job_log_group),
        bus=EventBridgeBus(given.event_bus_name),
        notifier=OutcomeTopic(given.outcome_topic_arn),
    )


@cache
def sweep_runs() -> SweepRuns:
    from turbine.aws.dynamodb import DynamoTable
    from turbine.aws.stepfunctions import StateMachineExecutions
    from turbine.usecases.sweep_runs import SweepRuns

    given = settings.load(settings.RecordOutcomeSettings)
    return SweepRuns(
        run_machine_arn=given.run_machine_arn,
        table=DynamoTable(given.table_name),
        runs=DynamoTable(given.table_name),
        executions=StateMachineExecutions(),
        record=record_outcome(),
        clock=now,
    )

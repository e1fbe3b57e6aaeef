"""Removing what a smoke test made: each thing by itself, so that one that cannot go keeps no other one back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.cloud import Cloud
from cli.deployment import change_sets, team_stacks
from cli.errors import CommandError
from cli.observe import executions
from cli.observe.records import Records
from turbine.domain.names import job_names, package_group

_LIVE_JOBS = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
_STOPPED = "turbine smoke was ended"


@dataclass(frozen=True)
class Cleaned:
    """Something that was made; `problem` is "" once it is gone."""

    what: str
    problem: str


def remove(cloud: Cloud, team: str) -> list[Cleaned]:
    """Remove all of a smoke test's team, whatever of it there is.

    Records, log lines and content of the DVC remote stay: the table and the remote are written by the machines alone.
    """
    return [_tried(what, act) for what, act in _acts(cloud, team)]


def _acts(cloud: Cloud, team: str) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "running executions and jobs", lambda: _stop(cloud, team)
    yield "the team's file", _deletion(cloud, cloud.output("DataBucketName"), team_stacks.file_key(team))
    yield "the team's stack", lambda: _delete_stack(cloud, team)
    yield "SageMaker models", lambda: _delete_models(cloud, team)
    yield "the model package group", lambda: _delete_group(cloud, package_group(cloud.stack, team))
    for output, folders in _FOLDERS.items():
        bucket = cloud.output(output)
        for folder in folders:
            yield f"s3://{bucket}/{folder}/{team}/", _deletion(cloud, bucket, f"{folder}/{team}/")


_FOLDERS = {
    "DataBucketName": ("manifests", "inference", "datasets"),
    "ArtifactBucketName": ("runs", "registry"),
    "PredictionBucketName": ("predictions",),
}


def _tried(what: str, act: Callable[[], object]) -> Cleaned:
    try:
        act()
    except (BotoCoreError, ClientError, CommandError) as error:
        return Cleaned(what, str(error))
    return Cleaned(what, "")


def _stop(cloud: Cloud, team: str) -> None:
    """Stop what works for the team's runs: fan-outs first, or they would start more.

    Not a fan-out that a schedule or another's manifest began: it trains for others too.
    """
    stepfunctions, records = cloud.client("stepfunctions"), Records(cloud)
    runs = records.newest("run", 100, team)
    own = [run for run in runs if f"/manifests/{team}/" in str(run.get("manifest_uri"))]
    arns = [run.get("training_execution_arn") for run in own]
    arns += [executions.execution_arn(cloud.output("RunMachineArn"), str(run["run_id"])) for run in runs]
    arns += [inference.get("owner") for inference in records.inferences(team)]
    for arn in filter(None, arns):
        _stop_execution(stepfunctions, str(arn))
    for run in runs:
        _end_jobs(cloud, str(run["run_id"]))


def _stop_execution(stepfunctions: Any, arn: str) -> None:
    try:
        if stepfunctions.describe_execution(executionArn=arn)["status"] == "RUNNING":
            stepfunctions.stop_execution(executionArn=arn, error="Turbine.SmokeTestEnded", cause=_STOPPED)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise


def _end_jobs(cloud: Cloud, run_id: str) -> None:
    batch = cloud.client("batch")
    for output, name in product(("SpotJobQueueArn", "JobQueueArn"), job_names(run_id)):
        named = [{"name": "JOB_NAME", "values": [name]}]
        for job in batch.list_jobs(jobQueue=cloud.output(output), filters=named)["jobSummaryList"]:
            if job["status"] in _LIVE_JOBS:
                batch.terminate_job(jobId=job["jobId"], reason=_STOPPED)


def _delete_stack(cloud: Cloud, team: str) -> None:
    change_sets.delete(cloud.client("cloudformation"), team_stacks.stack_name(cloud.stack, team))


def _delete_models(cloud: Cloud, team: str) -> None:
    sagemaker = cloud.client("sagemaker")
    pages = sagemaker.get_paginator("list_models").paginate(NameContains=f"{cloud.stack}-{team}-")
    for name in [model["ModelName"] for page in pages for model in page["Models"]]:
        sagemaker.delete_model(ModelName=name)


def _delete_group(cloud: Cloud, group: str) -> None:
    """The group outlives its stack, as a team's models shall; a smoke test's shall not."""
    sagemaker = cloud.client("sagemaker")
    if not _exists(lambda: sagemaker.describe_model_package_group(ModelPackageGroupName=group)):
        return
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]:
        sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)


def _exists(describe: Callable[[], object]) -> bool:
    try:
        describe()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ValidationError", "ResourceNotFound"):
            raise
        return False
    return True


def _deletion(cloud: Cloud, bucket: str, prefix: str) -> Callable[[], None]:
    return lambda: _delete_versions(cloud.client("s3"), bucket, prefix)


def _delete_versions(s3: Any, bucket: str, prefix: str) -> None:
    """Every version below a prefix, and the markers of deleted ones."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found: Sequence[dict[str, str]] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
            if errors := answer.get("Errors"):
                raise CommandError(f"{errors[0]['Key']}: {errors[0]['Message']}")

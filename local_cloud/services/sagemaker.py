"""SageMaker: models, transform jobs that run, and the registry.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException, ResourceNotFound
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from local_cloud.durability import commits
from local_cloud.replacements import Replacement
from local_cloud.sagemaker import registry
from local_cloud.sagemaker.transform import TransformJob, TransformParameterError

_PACKAGE_REFUSED = ("SourceUri", "SecurityConfig", "ModelCard", "ModelLifeCycle", "ManagedStorageType")


class CompletedSageMakerResponse(SageMakerResponse):
    """moto's handler; what would only pretend to run is refused."""

    def create_model(self) -> ActionResult:
        given = json.loads(self.body)
        if given.get("Containers") or given.get("InferenceExecutionConfig"):
            raise AWSValidationException("sagemaker:CreateModel: Containers (pipelines) are not emulated")
        container = given.get("PrimaryContainer") or {}
        for name in ("ModelDataSource", "MultiModelConfig", "ModelPackageName", "AdditionalModelDataSources"):
            if container.get(name):
                raise AWSValidationException(f"sagemaker:CreateModel: PrimaryContainer.{name} is not emulated")
        if given["ModelName"] in self.sagemaker_backend._models:
            raise AWSValidationException(f'Cannot create already existing model "{given["ModelName"]}".')
        return super().create_model()

    def create_model_package(self) -> ActionResult:
        self._refuse("CreateModelPackage", _PACKAGE_REFUSED)
        return super().create_model_package()

    def update_model_package(self) -> ActionResult:
        self._refuse("UpdateModelPackage", ("InferenceSpecification", *_PACKAGE_REFUSED))
        return super().update_model_package()

    def create_transform_job(self) -> ActionResult:
        backend, request = self.sagemaker_backend, json.loads(self.body)
        name = request["TransformJobName"]
        model = backend._models.get(request["ModelName"])
        if model is None:
            raise AWSValidationException(f'Could not find model "{request["ModelName"]}".')
        try:
            job = TransformJob(request, model, self.current_account, self.region)
        except TransformParameterError as error:
            raise AWSValidationException(str(error)) from error
        # setdefault makes the name's check and its reservation one step.
        if backend.transform_jobs.setdefault(name, job) is not job:
            raise ResourceInUseException(f"Job name must be unique in an account and Region: {job.arn} exists")
        job.tell()
        commits.afterwards(job.start)
        return ActionResult({"TransformJobArn": job.arn})

    def stop_transform_job(self) -> ActionResult:
        name = json.loads(self.body)["TransformJobName"]
        job = self.sagemaker_backend.transform_jobs.get(name)
        if job is None:
            raise ResourceNotFound(f"Could not find transform job '{name}'.")
        job.stop()
        return ActionResult({})

    def _refuse(self, operation: str, names: tuple[str, ...]) -> None:
        given = json.loads(self.body)
        for name in names:
            if given.get(name):
                raise AWSValidationException(f"sagemaker:{operation}: {name} is not emulated")


def _dispatch(original: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {path: CompletedSageMakerResponse.dispatch for path in original}  # noqa: C420  typed


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.sagemaker.urls:url_paths",
        build=_dispatch,
        why="transform jobs are Completed at once and run nothing",
    ),
    *registry.REPLACEMENTS,
]


def resume() -> None:
    """Carry on with the transform jobs that were under way when the cloud was killed."""
    for _, _, backend in sagemaker_backends.iter_backends():
        for job in list(backend.transform_jobs.values()):
            job.go_on()

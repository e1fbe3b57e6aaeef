"""SageMaker's model registry, and the models that Batch Transform runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from turbine.aws.clients import client
from turbine.domain.errors import ModelConflictError
from turbine.domain.registry import CONTENT_TYPES, Approval, ApprovedPackage, Package, PackageRequest

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import (
        ContainerDefinitionTypeDef,
        CreateModelPackageInputTypeDef,
        InferenceSpecificationTypeDef,
    )


class ModelRegistry:
    """Fulfils `ports.Registry`."""

    def find(self, group: str, run_id: str, since: datetime) -> Package | None:
        sagemaker = _sagemaker()
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, CreationTimeAfter=since
        )
        for page in pages:
            for summary in page["ModelPackageSummaryList"]:
                arn = summary["ModelPackageArn"]
                described = sagemaker.describe_model_package(ModelPackageName=arn)
                if described.get("CustomerMetadataProperties", {}).get("run_id") == run_id:
                    return _package(arn)
        return None

    def create(self, request: PackageRequest) -> Package:
        created = _sagemaker().create_model_package(**package_creation(request))
        return _package(created["ModelPackageArn"])

    def revise(self, arn: str, approval: Approval, metadata: Mapping[str, str]) -> None:
        _sagemaker().update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=approval, CustomerMetadataProperties=dict(metadata)
        )


class RegistryApprovals:
    """Fulfils `ports.Approvals`."""

    def groups(self, prefix: str) -> list[str]:
        pages = _sagemaker().get_paginator("list_model_package_groups").paginate(NameContains=prefix)
        named = (entry["ModelPackageGroupName"] for page in pages for entry in page["ModelPackageGroupSummaryList"])
        return [name for name in named if name.startswith(prefix)]

    def approved(self, group: str) -> list[ApprovedPackage]:
        pages = (
            _sagemaker()
            .get_paginator("list_model_packages")
            .paginate(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
        )
        arns = [entry["ModelPackageArn"] for page in pages for entry in page["ModelPackageSummaryList"]]
        return [package for arn in arns if (package := _approved(arn)) is not None]

    def mark(self, arn: str, approval: Approval, description: str) -> None:
        _sagemaker().update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=approval, ApprovalDescription=description
        )


class TransformModels:
    """Fulfils `ports.ModelHost`."""

    def __init__(self, role_arn: str) -> None:
        self._role_arn = role_arn

    def ensure_model(self, name: str, image: str, model_data_uri: str, environment: Mapping[str, str]) -> None:
        container: ContainerDefinitionTypeDef = {
            "Image": image,
            "ModelDataUrl": model_data_uri,
            "Environment": dict(environment),
        }
        try:
            _sagemaker().create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self._role_arn)
        except ClientError as error:
            if not _says_it_exists(error):
                raise
            there = _sagemaker().describe_model(ModelName=name)["PrimaryContainer"]
            if (there.get("Image"), there.get("ModelDataUrl")) != (image, model_data_uri):
                raise ModelConflictError(
                    f"Model {name} serves {there.get('ModelDataUrl')}, not {model_data_uri}: "
                    f"delete it with: aws sagemaker delete-model --model-name {name}"
                ) from error


def package_creation(request: PackageRequest) -> CreateModelPackageInputTypeDef:
    """The arguments of CreateModelPackage."""
    return {
        "ModelPackageGroupName": request.group,
        "ModelPackageDescription": request.description,
        "ClientToken": request.client_token,
        "ModelApprovalStatus": request.approval,
        "InferenceSpecification": _specification(request),
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": request.metrics_uri}}
        },
        "CustomerMetadataProperties": dict(request.metadata),
    }


def _sagemaker() -> SageMakerClient:
    sagemaker: SageMakerClient = client("sagemaker")
    return sagemaker


def _specification(request: PackageRequest) -> InferenceSpecificationTypeDef:
    return {
        "Containers": [{"Image": request.image, "ModelDataUrl": request.model_data_uri}],
        "SupportedContentTypes": list(CONTENT_TYPES),
        "SupportedResponseMIMETypes": list(CONTENT_TYPES),
        "SupportedTransformInstanceTypes": ["ml.g5.2xlarge", "ml.g4dn.xlarge", "ml.m5.xlarge"],
    }


def _says_it_exists(error: ClientError) -> bool:
    """SageMaker has no error code of its own for a taken name, only a sentence."""
    given = error.response["Error"]
    return given["Code"] in {"ValidationException", "ResourceInUse"} and "existing" in given["Message"]


def _approved(arn: str) -> ApprovedPackage | None:
    """A package that is Approved; None for one that has been retired since it was listed, and says so already."""
    described = _sagemaker().describe_model_package(ModelPackageName=arn)
    if described.get("ModelApprovalStatus") != "Approved":
        return None
    modified = described.get("LastModifiedTime") or described["CreationTime"]
    return ApprovedPackage(
        arn=arn,
        version=_package(arn).version,
        run_id=described.get("CustomerMetadataProperties", {}).get("run_id", ""),
        description=described.get("ApprovalDescription", ""),
        modified_at=modified.astimezone(UTC).isoformat(timespec="milliseconds"),
        actor=described.get("LastModifiedBy", {}).get("UserProfileName", ""),
    )


def _package(arn: str) -> Package:
    """A versioned package's ARN ends in `<group>/<version>`."""
    return Package(arn, int(arn.rpartition("/")[2]))

"""AWS Batch, ECR and SageMaker resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_cloud import image_sources
from local_cloud.cloudformation.errors import ResourceError
from local_cloud.cloudformation.resources.base import Created, Desired, Resource, refuse_changes
from local_cloud.cloudformation.shapes import to_request


class ComputeEnvironment(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-batch-computeenvironment.html"""

    type_name = "AWS::Batch::ComputeEnvironment"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("ComputeEnvironmentName") or desired.name(128))
        request = desired.request(
            "batch",
            "CreateComputeEnvironment",
            ComputeEnvironmentName=name,
            ReplaceComputeEnvironment=None,  # how CloudFormation updates, no parameter of Batch
        )
        arn = desired.client("batch").create_compute_environment(**request)["computeEnvironmentArn"]
        return Created(arn, {"ComputeEnvironmentArn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "ComputeEnvironmentName", "Type")
        given = desired.properties
        request: dict[str, Any] = {"ComputeEnvironment": old.physical_id, "State": given.get("State", "ENABLED")}
        if "ServiceRole" in given:
            request["ServiceRole"] = given["ServiceRole"]
        if given.get("ComputeResources") != before.get("ComputeResources"):
            request["ComputeResources"] = given["ComputeResources"]
        desired.client("batch").update_compute_environment(
            **to_request("batch", "UpdateComputeEnvironment", request, self.type_name)
        )
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        batch = desired.client("batch")
        batch.update_compute_environment(computeEnvironment=old.physical_id, state="DISABLED")
        batch.delete_compute_environment(computeEnvironment=old.physical_id)


class JobQueue(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-batch-jobqueue.html"""

    type_name = "AWS::Batch::JobQueue"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("JobQueueName") or desired.name(128))
        request = desired.request("batch", "CreateJobQueue", JobQueueName=name, State=self._state(desired))
        arn = desired.client("batch").create_job_queue(**request)["jobQueueArn"]
        return Created(arn, {"JobQueueArn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "JobQueueName", "JobQueueType")
        if ("SchedulingPolicyArn" in before) != ("SchedulingPolicyArn" in desired.properties):
            raise ResourceError("a queue with a scheduling policy keeps one, one without can never get one")
        request = desired.request(
            "batch",
            "UpdateJobQueue",
            JobQueue=old.physical_id,
            State=self._state(desired),
            JobQueueName=None,
            Tags=None,
            JobQueueType=None,
        )
        desired.client("batch").update_job_queue(**request)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        batch = desired.client("batch")
        batch.update_job_queue(jobQueue=old.physical_id, state="DISABLED")
        batch.delete_job_queue(jobQueue=old.physical_id)

    @staticmethod
    def _state(desired: Desired) -> str:
        return str(desired.properties.get("State", "ENABLED"))


class SchedulingPolicy(Resource):
    """A fair-share policy."""

    type_name = "AWS::Batch::SchedulingPolicy"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("Name") or desired.name(128))
        request = desired.request("batch", "CreateSchedulingPolicy", Name=name)
        arn = desired.client("batch").create_scheduling_policy(**request)["arn"]
        return Created(arn, {"Arn": arn})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "Name", "Tags")
        request = desired.request("batch", "UpdateSchedulingPolicy", Arn=old.physical_id, Name=None, Tags=None)
        desired.client("batch").update_scheduling_policy(**request)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("batch").delete_scheduling_policy(arn=old.physical_id)


class ConsumableResource(Resource):
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-batch-consumableresource.html"""

    type_name = "AWS::Batch::ConsumableResource"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("ConsumableResourceName") or desired.name(128))
        request = desired.request("batch", "CreateConsumableResource", ConsumableResourceName=name)
        arn = desired.client("batch").create_consumable_resource(**request)["consumableResourceArn"]
        return self._created(desired, arn)

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "ConsumableResourceName", "ResourceType", "Tags")
        desired.client("batch").update_consumable_resource(
            consumableResource=old.physical_id, operation="SET", quantity=int(desired.properties["TotalQuantity"])
        )
        return self._created(desired, old.physical_id)

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("batch").delete_consumable_resource(consumableResource=old.physical_id)

    @staticmethod
    def _created(desired: Desired, arn: str) -> Created:
        shown = desired.client("batch").describe_consumable_resource(consumableResource=arn)
        counts = {"AvailableQuantity": "availableQuantity", "InUseQuantity": "inUseQuantity", "CreatedAt": "createdAt"}
        return Created(arn, {"ConsumableResourceArn": arn, **{name: shown[key] for name, key in counts.items()}})


class JobDefinition(Resource):
    """A job definition: every change registers the next revision.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-batch-jobdefinition.html
    """

    type_name = "AWS::Batch::JobDefinition"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        return self._register(desired, str(desired.properties.get("JobDefinitionName") or desired.name(128)))

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, "JobDefinitionName")
        name = old.physical_id.rsplit("/", 1)[1].rsplit(":", 1)[0]
        new = self._register(desired, name)
        retention = desired.properties.get("ResourceRetentionPolicy") or {}
        if str(retention.get("SkipDeregisterOnUpdate", False)).lower() != "true":
            desired.client("batch").deregister_job_definition(jobDefinition=old.physical_id)
        return new

    def delete(self, desired: Desired, old: Created) -> None:
        name = old.physical_id.rsplit("/", 1)[1].rsplit(":", 1)[0]
        batch = desired.client("batch")
        found = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        for definition in found:
            batch.deregister_job_definition(jobDefinition=definition["jobDefinitionArn"])

    @staticmethod
    def _register(desired: Desired, name: str) -> Created:
        request = desired.request(
            "batch", "RegisterJobDefinition", JobDefinitionName=name, ResourceRetentionPolicy=None
        )
        arn = desired.client("batch").register_job_definition(**request)["jobDefinitionArn"]
        return Created(arn, {"JobDefinitionArn": arn})


class Repository(Resource):
    """An image repository; its Metadata says what the images are built from.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecr-repository.html
    """

    type_name = "AWS::ECR::Repository"
    replaces_on_update = False
    _KNOWN = (
        "RepositoryName",
        "EmptyOnDelete",
        "EncryptionConfiguration",
        "ImageScanningConfiguration",
        "ImageTagMutability",
        "LifecyclePolicy",
        "RepositoryPolicyText",
        "Tags",
    )

    def create(self, desired: Desired) -> Created:
        desired.only(*self._KNOWN)
        name = str(desired.properties.get("RepositoryName") or desired.name(256, lower=True))
        request = desired.request(
            "ecr",
            "CreateRepository",
            RepositoryName=name,
            LifecyclePolicy=None,
            RepositoryPolicyText=None,
            EmptyOnDelete=None,
        )
        repository = desired.client("ecr").create_repository(**request)["repository"]
        self._configure(desired, name)
        host = f"{desired.stack.account}.dkr.ecr.{desired.stack.region}.amazonaws.com"
        return Created(name, {"Arn": repository["repositoryArn"], "RepositoryUri": f"{host}/{name}"})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        desired.only(*self._KNOWN)
        refuse_changes(desired, before, "RepositoryName", "EncryptionConfiguration")
        self._configure(desired, old.physical_id)
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        force = str(desired.properties.get("EmptyOnDelete", False)).lower() == "true"
        desired.client("ecr").delete_repository(repositoryName=old.physical_id, force=force)
        image_sources.forget(old.physical_id)

    @staticmethod
    def _configure(desired: Desired, name: str) -> None:
        ecr, given = desired.client("ecr"), desired.properties
        if text := (given.get("LifecyclePolicy") or {}).get("LifecyclePolicyText"):
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
        if policy := given.get("RepositoryPolicyText"):
            text = policy if isinstance(policy, str) else json.dumps(policy)
            ecr.set_repository_policy(repositoryName=name, policyText=text)
        if dockerfile := desired.metadata.get("Dockerfile"):
            image_sources.remember(name, str(dockerfile), str(desired.metadata.get("DockerContext", ".")))


class ModelPackageGroup(Resource):
    """A group of model versions."""

    type_name = "AWS::SageMaker::ModelPackageGroup"
    replaces_on_update = False

    def create(self, desired: Desired) -> Created:
        desired.only("ModelPackageGroupName", "ModelPackageGroupDescription", "ModelPackageGroupPolicy", "Tags")
        sagemaker, policy = desired.client("sagemaker"), desired.properties.get("ModelPackageGroupPolicy")
        request = desired.request("sagemaker", "CreateModelPackageGroup", ModelPackageGroupPolicy=None)
        arn = sagemaker.create_model_package_group(**request)["ModelPackageGroupArn"]
        if policy is not None:
            sagemaker.put_model_package_group_policy(
                ModelPackageGroupName=request["ModelPackageGroupName"],
                ResourcePolicy=policy if isinstance(policy, str) else json.dumps(policy),
            )
        return Created(arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"})

    def update(self, desired: Desired, old: Created, before: Mapping[str, Any]) -> Created:
        refuse_changes(desired, before, *{*before, *desired.properties})
        return old

    def delete(self, desired: Desired, old: Created) -> None:
        name = old.physical_id.rsplit("/", 1)[1]
        desired.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name)


class Model(Resource):
    """A model that transform jobs can use; any change replaces it."""

    type_name = "AWS::SageMaker::Model"

    def create(self, desired: Desired) -> Created:
        name = str(desired.properties.get("ModelName") or desired.name(63))
        request = desired.request("sagemaker", "CreateModel", ModelName=name)
        arn = desired.client("sagemaker").create_model(**request)["ModelArn"]
        return Created(name, {"ModelName": name, "Id": arn})

    def delete(self, desired: Desired, old: Created) -> None:
        desired.client("sagemaker").delete_model(ModelName=old.physical_id)


TYPES: tuple[Resource, ...] = (
    ComputeEnvironment(),
    JobQueue(),
    SchedulingPolicy(),
    ConsumableResource(),
    JobDefinition(),
    Repository(),
    ModelPackageGroup(),
    Model(),
)

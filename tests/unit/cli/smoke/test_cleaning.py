"""What a smoke test made goes, each thing by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cli.cloud import Cloud
from cli.smoke import cleaning
from tests.unit.cli.smoke.runs import RUN, arn

OUTPUTS = {
    "DataBucketName": "data",
    "ArtifactBucketName": "artifacts",
    "PredictionBucketName": "predictions",
    "TableName": "training",
    "PredictionTableName": "predictions",
    "RunMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:turbine-run",
    "SpotJobQueueArn": "spot",
    "JobQueueArn": "on-demand",
}


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class FakePages:
    """Every paginator's answer: nothing, or what the test says."""

    def __init__(self, **page: Any) -> None:
        self._page = page

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [self._page]


class FakeDynamoDb:
    """A run of the team that its manifest began, and one that everybody's schedule did."""

    def get_paginator(self, _name: str) -> FakePages:
        uri = "s3://data/manifests/{}/good.json?versionId=1"
        items = [
            {
                "run_id": RUN,
                "team": "smoke01",
                "training_execution_arn": arn("training"),
                "manifest_uri": uri.format("smoke01"),
            },
            {
                "run_id": RUN,
                "team": "smoke01",
                "training_execution_arn": arn("shared"),
                "manifest_uri": uri.format("_fleet"),
            },
        ]
        return FakePages(Items=[{name: {"S": value} for name, value in item.items()} for item in items])


class FakeStepFunctions:
    """The fan-out runs, the run is over."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def describe_execution(self, executionArn: str) -> dict[str, str]:  # noqa: N803
        return {"status": "RUNNING" if executionArn in (arn("training"), arn("shared")) else "FAILED"}

    def stop_execution(self, executionArn: str, error: str, cause: str) -> None:  # noqa: N803
        self.stopped.append(executionArn)


class FakeBatch:
    """A live job and one that is over, in the Spot queue; a publishing job that waits for a host."""

    def __init__(self) -> None:
        self.terminated: list[str] = []

    def list_jobs(self, jobQueue: str, filters: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        (named,) = filters
        assert named["name"] == "JOB_NAME"
        of_queue = {
            ("spot", RUN): [("live", "RUNNING"), ("over", "FAILED")],
            ("on-demand", f"{RUN}-publishing"): [("publishing", "RUNNABLE")],
        }
        jobs = of_queue.get((jobQueue, *named["values"]), [])
        return {"jobSummaryList": [{"jobId": job_id, "status": status} for job_id, status in jobs]}

    def terminate_job(self, jobId: str, reason: str) -> None:  # noqa: N803
        self.terminated.append(jobId)


class FakeSageMaker:
    """A group with a package; `refuses` to delete it if asked to."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.refuses = False

    def describe_model_package_group(self, **_: str) -> None:
        if "group" in self.deleted:
            raise refusal("ValidationException", "it does not exist")

    def get_paginator(self, name: str) -> FakePages:
        model, package = {"ModelName": "turbine-smoke01-v1"}, {"ModelPackageArn": "package/1"}
        return FakePages(Models=[model]) if name == "list_models" else FakePages(ModelPackageSummaryList=[package])

    def delete_model(self, ModelName: str) -> None:  # noqa: N803
        self.deleted.append(ModelName)

    def delete_model_package(self, ModelPackageName: str) -> None:  # noqa: N803
        if self.refuses:
            raise refusal("AccessDenied", "not you")
        self.deleted.append(ModelPackageName)

    def delete_model_package_group(self, ModelPackageGroupName: str) -> None:  # noqa: N803
        assert ModelPackageGroupName == "turbine-smoke01"
        self.deleted.append("group")


class FakeCloudFormation:
    """The team's stack is gone already."""

    def describe_stacks(self, StackName: str) -> None:  # noqa: N803
        raise refusal("ValidationError", f"Stack with id {StackName} does not exist")


class FakeCloud(Cloud):
    """moto's buckets and hand-made services."""

    def __init__(self) -> None:
        self.stack, self.outputs = "turbine", OUTPUTS
        self.sagemaker, self.batch, self.stepfunctions = FakeSageMaker(), FakeBatch(), FakeStepFunctions()
        self.s3: Any = boto3.client("s3", "us-east-1")
        self._fakes = {
            "sagemaker": self.sagemaker,
            "batch": self.batch,
            "stepfunctions": self.stepfunctions,
            "s3": self.s3,
            "dynamodb": FakeDynamoDb(),
            "cloudformation": FakeCloudFormation(),
        }

    def client(self, service: str) -> Any:
        return self._fakes[service]


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with mock_aws():
        made = FakeCloud()
        for bucket in ("data", "artifacts", "predictions"):
            made.s3.create_bucket(Bucket=bucket)
            made.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for _ in range(2):
            made.s3.put_object(Bucket="data", Key="manifests/smoke01/smoke.json", Body=b"{}")
        made.s3.delete_object(Bucket="data", Key="manifests/smoke01/smoke.json")
        made.s3.put_object(Bucket="data", Key="config/teams/smoke01.yaml", Body=b"team: smoke01")
        made.s3.put_object(Bucket="artifacts", Key=f"runs/smoke01/{RUN}/metrics.json", Body=b"{}")
        made.s3.put_object(Bucket="artifacts", Key="runs/smoke012/other/metrics.json", Body=b"{}")
        made.s3.put_object(Bucket="data", Key="datasets/vision/a", Body=b"x")
        yield made


def left_in(cloud: FakeCloud, bucket: str) -> list[str]:
    answer = cloud.s3.list_object_versions(Bucket=bucket)
    return [one["Key"] for one in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]]


def test_everything_of_the_team_goes_and_nothing_else(cloud: FakeCloud) -> None:
    cleaned = cleaning.remove(cloud, "smoke01")
    assert [one for one in cleaned if one.problem] == []
    assert left_in(cloud, "data") == ["datasets/vision/a"]
    assert left_in(cloud, "artifacts") == ["runs/smoke012/other/metrics.json"]
    assert cloud.stepfunctions.stopped == [arn("training")]
    assert set(cloud.batch.terminated) == {"live", "publishing"}
    assert cloud.sagemaker.deleted == ["turbine-smoke01-v1", "package/1", "group"]


def test_what_cannot_go_is_told_and_keeps_nothing_back(cloud: FakeCloud) -> None:
    cloud.sagemaker.refuses = True
    cleaned = cleaning.remove(cloud, "smoke01")
    (left,) = [one for one in cleaned if one.problem]
    assert left.what == "the model package group"
    assert "not you" in left.problem
    assert left_in(cloud, "artifacts") == ["runs/smoke012/other/metrics.json"]


def test_again_there_is_nothing_to_do(cloud: FakeCloud) -> None:
    cleaning.remove(cloud, "smoke01")
    assert [one.problem for one in cleaning.remove(cloud, "smoke01")] == [""] * 11

"""CloudWatch, the registry, models, events, logs: what the adapters ask AWS for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from turbine.aws import clients
from turbine.aws.batch import BatchJobLogs, BatchJobs
from turbine.aws.cloudwatch import CloudWatchMetrics
from turbine.aws.events import EventBridgeBus
from turbine.aws.sagemaker import ModelRegistry, RegistryApprovals, TransformModels
from turbine.aws.sns import OutcomeTopic
from turbine.domain.errors import EventRefusedError, LogsUnavailableError, ModelConflictError
from turbine.domain.job_end import Job
from turbine.domain.registry import PackageRequest
from turbine.ports import MetricQuery

MINUTE = datetime(2026, 11, 23, 20, 7, tzinfo=UTC)
DIMENSIONS = {"Team": "vision", "RunId": "r"}


@pytest.mark.parametrize("period_s", [60, 300, 3600])
def test_a_metric_is_read_back_exactly_whatever_the_period(aws: None, period_s: int) -> None:
    moment = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    dimensions: Any = [{"Name": name, "Value": value} for name, value in DIMENSIONS.items()]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="Turbine/Training",
        MetricData=[
            {
                "MetricName": "test_accuracy",
                "Dimensions": dimensions,
                "Timestamp": moment,
                "Value": 0.1 + 0.2,
            }
        ],
    )
    queries = [
        MetricQuery("Turbine/Training", name, DIMENSIONS, moment, period_s) for name in ("test_accuracy", "test_rmse")
    ]
    found, missing = CloudWatchMetrics().read(queries)
    assert found is not None and found.value == 0.1 + 0.2
    assert missing is None
    assert CloudWatchMetrics().read([]) == []


def request(**changes: Any) -> PackageRequest:
    given = PackageRequest(
        "turbine-vision", "token", "a model", "image:1", "s3://b/m.tar.gz", "s3://b/metrics.json",
        "PendingManualApproval", {"run_id": "r1"},
    )  # fmt: skip
    return given._replace(**changes)


@pytest.mark.parametrize("described", ["Approved", "PendingManualApproval"])
def test_a_package_that_is_retired_between_list_and_look_is_not_approved(aws: None, described: str) -> None:
    """Its description is of the retirement by then, and would look like a person's."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/turbine-vision/1"
    common = {"ModelPackageArn": arn, "CreationTime": MINUTE, "ModelPackageStatus": "Completed"}
    summary = {**common, "ModelApprovalStatus": "Approved"}
    details = {"ModelPackageName": "turbine-vision", "ModelPackageStatusDetails": {"ValidationStatuses": []}}
    with Stubber(clients.client("sagemaker")) as stub:
        stub.add_response("list_model_packages", {"ModelPackageSummaryList": [summary]})
        stub.add_response(
            "describe_model_package",
            {**common, **details, "ModelApprovalStatus": described, "ApprovalDescription": "Succeeded by r2"},
        )
        found = RegistryApprovals().approved("turbine-vision")
    assert [package.arn for package in found] == ([arn] if described == "Approved" else [])


def test_a_package_is_created_found_by_its_run_and_revised(aws: None) -> None:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="turbine-vision")
    registry, since = ModelRegistry(), datetime.now(UTC) - timedelta(minutes=5)
    first = registry.create(request())
    second = registry.create(request(client_token="other", metadata={"run_id": "r2"}, approval="Rejected"))
    assert (first.version, second.version) == (1, 2)
    assert registry.find("turbine-vision", "r2", since) == second
    assert registry.find("turbine-vision", "r3", since) is None
    described = sagemaker.describe_model_package(ModelPackageName=first.arn)
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == "s3://b/m.tar.gz"
    registry.revise(first.arn, "Rejected", {"decision": "reject"})
    described = sagemaker.describe_model_package(ModelPackageName=first.arn)
    assert described["ModelApprovalStatus"] == "Rejected"


def test_a_model_is_made_once_and_never_taken_for_another(aws: None) -> None:
    models = TransformModels("arn:aws:iam::123456789012:role/model")
    models.ensure_model("m", "image:1", "s3://b/m.tar.gz", {"A": "b"})
    there = boto3.client("sagemaker").describe_model(ModelName="m")
    assert there["PrimaryContainer"]["Environment"] == {"A": "b"}
    taken = "Cannot create already existing model"
    with Stubber(clients.client("sagemaker")) as stub:
        for archive in ("s3://b/m.tar.gz", "s3://b/other.tar.gz"):
            stub.add_client_error("create_model", "ValidationException", taken)
            answer = {name: there[name] for name in ("ModelName", "PrimaryContainer", "CreationTime", "ModelArn")}
            stub.add_response("describe_model", answer)
            if archive.endswith("/m.tar.gz"):
                models.ensure_model("m", "image:1", archive, {})
            else:
                with pytest.raises(ModelConflictError, match="delete-model"):
                    models.ensure_model("m", "image:1", archive, {})


def test_an_event_that_the_bus_refused_is_an_error(aws: None) -> None:
    EventBridgeBus("default").publish("ModelPromoted", {"team": "vision"})
    with Stubber(clients.client("events")) as stub:
        refused = {"ErrorCode": "MalformedDetail", "ErrorMessage": "bad"}
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [refused]})
        with pytest.raises(EventRefusedError, match="MalformedDetail bad"):
            EventBridgeBus("default").publish("ModelPromoted", {})


def test_an_outcome_reaches_its_topic(aws: None) -> None:
    arn = boto3.client("sns").create_topic(Name="outcomes")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="listener")["QueueUrl"]
    boto3.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:listener")
    OutcomeTopic(arn).notify("subject", {"status": "FAILED"})
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"]) == {"status": "FAILED"}


def job(**more: Any) -> dict[str, Any]:
    required = {"jobName": "n", "jobId": "j", "jobQueue": "q", "status": "FAILED", "startedAt": 1, "jobDefinition": "d"}
    return required | more


def stub_logs(stub: Stubber, stream: str) -> None:
    stub.add_response(
        "get_log_events",
        {"events": [{"timestamp": 1, "message": f"line {n}"} for n in range(3)]},
        {"logGroupName": "/turbine/jobs", "logStreamName": stream, "limit": 2, "startFromHead": False},
    )


def test_the_tail_is_of_the_last_attempt_and_of_the_main_node(aws: None) -> None:
    logs = BatchJobLogs(["queue"], "/turbine/jobs")
    with Stubber(clients.client("batch")) as batch, Stubber(clients.client("logs")) as cloudwatch:
        batch.add_response("describe_jobs", {"jobs": [job(container={"logStreamName": "s1"})]}, {"jobs": ["j"]})
        stub_logs(cloudwatch, "s1")
        assert logs.tail("j", 2) == ["line 1", "line 2"]
        nodes = {"numNodes": 2, "mainNode": 1, "nodeRangeProperties": []}
        batch.add_response("describe_jobs", {"jobs": [job(nodeProperties=nodes)]}, {"jobs": ["j"]})
        batch.add_response("describe_jobs", {"jobs": [job(container={"logStreamName": "s2"})]}, {"jobs": ["j#1"]})
        stub_logs(cloudwatch, "s2")
        assert logs.tail("j", 2) == ["line 1", "line 2"]
        batch.add_response("describe_jobs", {"jobs": [job(container={})]})
        assert logs.tail("j", 2) == []
        batch.add_response("describe_jobs", {"jobs": []})
        with pytest.raises(LogsUnavailableError, match="does not know job j"):
            logs.tail("j", 2)
        batch.add_client_error("describe_jobs", "ClientException")
        with pytest.raises(LogsUnavailableError):
            logs.tail("j", 2)


def test_the_newest_failed_job_of_a_run_is_found_by_name(aws: None) -> None:
    summaries = [
        {"jobId": "old", "jobName": "r1", "status": "FAILED", "createdAt": 1},
        {"jobId": "new", "jobName": "r1", "status": "FAILED", "createdAt": 3},
        {"jobId": "fine", "jobName": "r1", "status": "SUCCEEDED", "createdAt": 4},
    ]
    logs = BatchJobLogs(["queue", "spot"], "g")
    with Stubber(clients.client("batch")) as batch:
        stub_lists(batch, "r1*", summaries[1:], summaries[:1])
        assert logs.newest_job("r1") == "new"
        stub_lists(batch, "r1*", [], [])
        assert logs.newest_job("r1") is None


def stub_lists(stub: Stubber, name: str, *answers: list[dict[str, Any]]) -> None:
    """What each queue lists."""
    for queue, summaries in zip(("queue", "spot"), answers, strict=True):
        expected = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}
        stub.add_response("list_jobs", {"jobSummaryList": summaries}, expected)


def test_live_jobs_are_found_in_every_queue_newest_first(aws: None) -> None:
    with Stubber(clients.client("batch")) as batch:
        stub_lists(
            batch,
            "r1",
            [{"jobId": "older", "jobName": "r1", "status": "RUNNABLE", "createdAt": 1}],
            [
                {"jobId": "newer", "jobName": "r1", "status": "RUNNING", "createdAt": 2},
                {"jobId": "over", "jobName": "r1", "status": "FAILED", "createdAt": 3},
            ],
        )
        assert BatchJobs(["queue", "spot"]).live("r1") == ["newer", "older"]


def test_a_job_is_described_by_its_container_or_by_the_main_node_of_its_last_attempt(aws: None) -> None:
    attempts = [{"container": {"exitCode": 75}}, {"container": {"exitCode": 65}, "statusReason": "ended"}]
    with Stubber(clients.client("batch")) as batch:
        alone = job(container={"exitCode": 70, "reason": "why"}, statusReason="Essential", isTerminated=True)
        batch.add_response("describe_jobs", {"jobs": [alone]})
        assert BatchJobs([]).find("j") == Job("j", "FAILED", "Essential", 70, "why", True, "q")
        batch.add_response("describe_jobs", {"jobs": [job(attempts=attempts)]})
        assert BatchJobs([]).find("j") == Job("j", "FAILED", "ended", 65, "", False, "q")
        batch.add_response("describe_jobs", {"jobs": []})
        assert BatchJobs([]).find("j") is None
        batch.add_response("terminate_job", {}, {"jobId": "j", "reason": "enough"})
        BatchJobs([]).terminate("j", "enough")

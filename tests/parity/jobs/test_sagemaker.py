"""Transform jobs against the model's own server, and the registry."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUCKET = "parity-transform"


def archive(factor: int) -> bytes:
    content = json.dumps({"factor": factor}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("model.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def s3(client: Callable[..., Any]) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive(3))
    lines = [json.dumps({"id": number, "x": number}) for number in range(500)]
    s3.put_object(Bucket=BUCKET, Key="in/a.jsonl", Body="\n".join(lines).encode())
    s3.put_object(Bucket=BUCKET, Key="in/deeper/b.jsonl", Body=b'{"id":"last","x":5}\n')
    return s3


@pytest.fixture(scope="module")
def sagemaker(client: Callable[..., Any], probe: Any, s3: Any) -> Any:
    sagemaker = client("sagemaker")
    sagemaker.create_model(
        ModelName="tripler",
        ExecutionRoleArn=probe.ROLE_ARN,
        PrimaryContainer={"Image": probe.IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"},
    )
    return sagemaker


def request(name: str, prefix: str = "in/", **more: Any) -> dict[str, Any]:
    return {
        "TransformJobName": name,
        "ModelName": "tripler",
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}"}},
        },
        "TransformOutput": {
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
            "S3OutputPath": f"s3://{BUCKET}/out/{name}/",
        },
        "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
        **more,
    }


def ended(sagemaker: Any, probe: Any, name: str) -> dict[str, Any]:
    states = ("Completed", "Failed", "Stopped")
    probe.until(lambda: sagemaker.describe_transform_job(TransformJobName=name)["TransformJobStatus"] in states)
    job: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName=name)
    return job


def output(s3: Any, key: str) -> list[Any]:
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    return [json.loads(line) for line in body.splitlines()]


def test_every_object_below_the_prefix_is_answered_line_by_line(sagemaker: Any, s3: Any, probe: Any) -> None:
    sagemaker.create_transform_job(**request("joined", DataProcessing={"JoinSource": "Input"}))
    assert ended(sagemaker, probe, "joined")["TransformJobStatus"] == "Completed"
    answers = output(s3, "out/joined/a.jsonl.out")
    assert answers == [{"id": n, "x": n, "SageMakerOutput": {"prediction": 3 * n}} for n in range(500)]
    assert output(s3, "out/joined/deeper/b.jsonl.out")[0]["SageMakerOutput"] == {"prediction": 15}


def test_filters_pick_what_goes_in_and_comes_out(sagemaker: Any, s3: Any, probe: Any) -> None:
    processing = {"JoinSource": "Input", "InputFilter": "$['x','id']", "OutputFilter": "$['id','SageMakerOutput']"}
    sagemaker.create_transform_job(
        **request("filtered", "in/deeper/", BatchStrategy="SingleRecord", DataProcessing=processing)
    )
    assert ended(sagemaker, probe, "filtered")["TransformJobStatus"] == "Completed"
    assert output(s3, "out/filtered/b.jsonl.out") == [{"id": "last", "SageMakerOutput": {"prediction": 15}}]


def test_a_bad_record_fails_the_job_with_the_answer_of_the_model(
    sagemaker: Any, s3: Any, probe: Any, client: Callable[..., Any]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="bad/a.jsonl", Body=b'{"id":1,"x":2}\n{"id":2}')
    sagemaker.create_transform_job(**request("bad", "bad/"))
    job = ended(sagemaker, probe, "bad")
    assert job["TransformJobStatus"] == "Failed"
    assert "400: line 2: the field x is missing" in job["FailureReason"]
    logged = client("logs").filter_log_events(logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix="bad/")[
        "events"
    ]
    assert any("line 2" in event["message"] for event in logged)


def test_a_prefix_without_objects_fails_the_job(sagemaker: Any, probe: Any) -> None:
    sagemaker.create_transform_job(**request("nothing", "nowhere/"))
    assert "No S3 objects" in ended(sagemaker, probe, "nothing")["FailureReason"]


def test_a_name_is_unique_for_ever(sagemaker: Any, probe: Any) -> None:
    sagemaker.create_transform_job(**request("once", "in/deeper/"))
    ended(sagemaker, probe, "once")
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_transform_job(**request("once", "in/deeper/"))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"DataProcessing": {"InputFilter": "$..x"}}, "InputFilter"),
        ({"ExperimentConfig": {"TrialComponentDisplayName": "x"}}, "ExperimentConfig is not emulated"),
        ({"MaxPayloadInMB": 60}, "100 MB"),
        ({"ModelName": "nobody"}, "Could not find model"),
    ],
)
def test_what_is_wrong_or_not_emulated_is_refused(sagemaker: Any, more: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=named):
        sagemaker.create_transform_job(**request("refused", **more))


def test_a_machine_waits_for_a_transform_and_tells_its_failure(machines: Any, sagemaker: Any, s3: Any) -> None:
    def task(**given: Any) -> dict[str, Any]:
        resource = "arn:aws:states:::sagemaker:createTransformJob.sync"
        return {"Type": "Task", "Resource": resource, "Arguments": given, "End": True}

    done = machines.run({"Transform": task(**request("from-machine", "in/deeper/"))})
    assert json.loads(done["output"])["TransformJobStatus"] == "Completed"
    failed = machines.run({"Transform": task(**request("fails-in-machine", "nowhere/"))})
    assert failed["error"] == "States.TaskFailed"
    assert "No S3 objects" in json.loads(failed["cause"])["FailureReason"]


def test_a_client_token_registers_once_and_updates_change_only_what_is_given(
    client: Callable[..., Any], probe: Any
) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="parity-models")
    package = {
        "ModelPackageGroupName": "parity-models",
        "InferenceSpecification": {
            "Containers": [{"Image": probe.IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
        "CustomerMetadataProperties": {"run_id": "r"},
        "ClientToken": "first",
    }
    arn = sagemaker.create_model_package(**package)["ModelPackageArn"]
    assert sagemaker.create_model_package(**package)["ModelPackageArn"] == arn
    second = sagemaker.create_model_package(**{**package, "ClientToken": "second"})["ModelPackageArn"]
    assert (arn.rsplit("/", 1)[1], second.rsplit("/", 1)[1]) == ("1", "2")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"more": "x"})
    shown = sagemaker.describe_model_package(ModelPackageName=arn)
    assert shown["ModelApprovalStatus"] == "Approved"
    assert shown["CustomerMetadataProperties"] == {"run_id": "r", "more": "x"}
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName="parity-models", SortBy="CreationTime", SortOrder="Descending"
    )["ModelPackageSummaryList"]
    assert [item["ModelPackageVersion"] for item in newest] == [2, 1]


def test_an_approval_is_an_event(client: Callable[..., Any], probe: Any) -> None:
    sagemaker, sqs = client("sagemaker"), client("sqs")
    queue = sqs.create_queue(QueueName="approvals")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Approved"], "ModelPackageGroupName": ["parity-approvals"]},
    }
    client("events").put_rule(Name="approvals", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="approvals", Targets=[{"Id": "1", "Arn": arn}])
    sagemaker.create_model_package_group(ModelPackageGroupName="parity-approvals")
    package = sagemaker.create_model_package(ModelPackageGroupName="parity-approvals")["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    (message,) = probe.until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    event = json.loads(message["Body"])
    assert event["detail"]["ModelPackageArn"] == package
    assert event["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]

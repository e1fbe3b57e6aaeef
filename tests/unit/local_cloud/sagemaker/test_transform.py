"""What a transform job is asked for: its name reaches no path unchecked, its URIs keep their whole key."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.sagemaker import transform


def request(**changes: Any) -> dict[str, Any]:
    return {
        "TransformJobName": "job-1",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        **changes,
    }


@pytest.mark.parametrize("name", ["../../victim/", "a/b", "-a", "a-", "", "a" * 64, "a\n", "."])
def test_a_job_name_that_aws_refuses_is_refused(name: str) -> None:
    with pytest.raises(transform.TransformParameterError, match="transformJobName"):
        transform.check(request(TransformJobName=name))


@pytest.mark.parametrize("name", ["a", "A-1--b", "a" * 63])
def test_a_job_name_that_aws_takes_is_taken(name: str) -> None:
    transform.check(request(TransformJobName=name))


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://b/day#1/what?.csv", "b", "day#1/what?.csv"),
        ("s3://b/a%20b", "b", "a%20b"),
        ("s3://b", "b", ""),
        ("s3://b//a", "b", "/a"),
    ],
)
def test_a_uri_keeps_its_whole_key(uri: str, bucket: str, key: str) -> None:
    assert transform._split_uri(uri) == (bucket, key)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(transform.TransformFailedError, match="not an s3:// URI"):
        transform._split_uri("https://b/a")


def test_every_change_of_a_jobs_status_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(transform.events, "emit", lambda *arguments: told.append(arguments))
    job = transform.TransformJob(request(ModelName="m"), None, "123456789012", "us-east-1")
    job.tell()
    job.stop()
    job.stop()
    job._end("Stopped", None)
    assert [detail["TransformJobStatus"] for _, _, detail, *_ in told] == ["InProgress", "Stopping", "Stopped"]
    assert {(source, kind) for source, kind, *_ in told} == {("aws.sagemaker", "SageMaker Transform Job State Change")}
    _, _, detail, resources, account, region = told[-1]
    assert (resources, account, region) == ([job.arn], "123456789012", "us-east-1")
    assert isinstance(detail["TransformEndTime"], int)
    assert detail["TransformJobArn"] == job.arn

"""Which operation a request asks for."""

from __future__ import annotations

import io
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from local_cloud import operation_names
from local_cloud.aws_clients import service_models
from local_cloud.operation_names import asked, operation_of

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def request(service: str, method: str = "POST", path: str = "/", body: bytes = b"", **environ: str) -> dict[str, Any]:
    return {
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/{service}/aws4_request, Signature=0",
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(body),
        **environ,
    }


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (request("dynamodb", HTTP_X_AMZ_TARGET="DynamoDB_20120810.ListTables"), "dynamodb:ListTables"),
        (request("sns", body=b"Action=ListTopics&Version=1", CONTENT_TYPE=FORM), "sns:ListTopics"),
        (request("ec2", "GET", QUERY_STRING="Action=DescribeVpcs"), "ec2:DescribeVpcs"),
        (request("batch", path="/v1/submitjob"), "batch:SubmitJob"),
        (request("batch", path="/v1/tags/arn:job/1", RAW_URI="/v1/tags/arn:job%2F1?tagKeys=a"), "batch:TagResource"),
        (request("lambda", path="/2015-03-31/functions/f/invocations"), "lambda:Invoke"),
        (request("lambda", "GET", "/2015-03-31/functions/"), "lambda:ListFunctions"),
        (request("lambda", "GET", "/2018-10-31/layers", QUERY_STRING="MaxItems=1"), "lambda:ListLayers"),
        (
            request("lambda", "GET", "/2018-10-31/layers", QUERY_STRING="find=LayerVersion&Arn=a"),
            "lambda:GetLayerVersionByArn",
        ),
        (
            request("monitoring", path="/service/G/operation/PutMetricData", HTTP_SMITHY_PROTOCOL="rpc-v2-cbor"),
            "monitoring:PutMetricData",
        ),
        (request("nowhere", "PUT", "/x"), "nowhere PUT /x"),
    ],
)
def test_the_operation_of_a_request(environ: dict[str, Any], name: str) -> None:
    assert operation_of(environ) == name


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "name"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("PUT", "/bucket", "", {}, "CreateBucket"),
        ("PUT", "/bucket", "encryption", {}, "PutBucketEncryption"),
        ("GET", "/bucket/", "list-type=2&prefix=metrics&delimiter=/", {}, "ListObjectsV2"),
        ("GET", "/bucket", "prefix=metrics", {}, "ListObjects"),
        ("GET", "/bucket", "inventory&id=x", {}, "GetBucketInventoryConfiguration"),
        ("GET", "/bucket", "inventory", {}, "ListBucketInventoryConfigurations"),
        ("DELETE", "/bucket", "metrics&id=x", {}, "DeleteBucketMetricsConfiguration"),
        ("DELETE", "/bucket", "metrics", {}, "DeleteBucketMetricsConfiguration"),
        ("PUT", "/bucket/a/b", "", {}, "PutObject"),
        ("PUT", "/bucket//", "", {}, "PutObject"),
        ("PUT", "/bucket/key", "", {"HTTP_X_AMZ_COPY_SOURCE": "b/k"}, "CopyObject"),
        ("PUT", "/bucket/key", "partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT", "/bucket/key", "partNumber=1&uploadId=u", {"HTTP_X_AMZ_COPY_SOURCE": "b/k"}, "UploadPartCopy"),
        ("POST", "/bucket/key", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/bucket/key", "uploadId=u", {}, "CompleteMultipartUpload"),
        ("GET", "/bucket/key", "versionId=1&response-content-type=a", {}, "GetObject"),
        ("GET", "/bucket/key", "x-id=GetObjectRetention&retention", {}, "GetObjectRetention"),
        ("GET", "/bucket/metrics", "", {}, "GetObject"),
        ("PUT", "/bucket/key", "annotation&annotationName=x", {}, "PutObjectAnnotation"),
        ("PUT", "/bucket/key", "encryption", {}, "UpdateObjectEncryption"),
        ("PUT", "/", "encryption", {"HTTP_HOST": "bucket.localhost:1"}, "PutBucketEncryption"),
        ("PUT", "/key", "encryption", {"HTTP_HOST": "bucket.localhost:1"}, "UpdateObjectEncryption"),
        # What is a subresource of something else is no plain request: moto would look past it.
        ("DELETE", "/bucket", "torrent", {}, ""),
        ("GET", "/bucket/key", "metrics", {}, ""),
    ],
)
def test_operations_of_s3_that_share_a_path(
    method: str, path: str, query: str, headers: dict[str, str], name: str
) -> None:
    environ = request("s3", method, path, QUERY_STRING=query) | headers
    assert asked(environ) == ("s3", name)


def test_a_presigned_url_names_its_service_in_the_query() -> None:
    environ = request(
        "x", "GET", QUERY_STRING="Action=GetCallerIdentity&X-Amz-Credential=K%2F1%2Fr%2Fsts%2Faws4_request"
    )
    del environ["HTTP_AUTHORIZATION"]
    assert operation_of(environ) == "sts:GetCallerIdentity"


def test_an_old_presigned_url_is_one_of_s3() -> None:
    environ = request("x", "GET", "/bucket/key", QUERY_STRING="AWSAccessKeyId=K&Signature=s&Expires=1")
    del environ["HTTP_AUTHORIZATION"]
    assert operation_of(environ) == "s3:GetObject"


def test_a_client_of_s3_that_was_first_changes_nothing() -> None:
    """botocore takes the bucket out of an operation's path, in the model, when it is called for the first time."""
    s3 = boto3.session.Session(botocore_session=botocore_session_of(service_models())).client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(EndpointConnectionError):
        s3.delete_bucket(Bucket="bucket")
    operation_names._routes.cache_clear()
    assert operation_of(request("s3", "DELETE", "/bucket")) == "s3:DeleteBucket"


def botocore_session_of(loader: Any) -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", loader)
    return session

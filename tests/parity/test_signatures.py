"""Ordinary tools are served with the keys of this cloud; whoever has not got them is not."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

Client = Callable[..., Any]
KEYS = ["plain", "with space", "a+b", "ü/ö/日本", "a//b", "~!*'();:@&=$,[]", "per%cent", "q?u#e", "./dot/../dots"]


@pytest.fixture(scope="module")
def bucket(client: Client) -> str:
    name = f"signatures-{uuid.uuid4().hex[:8]}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def made(cloud: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Clients made as the test says, closed after it."""
    clients: list[Any] = []

    def make(service: str, config: Config | None = None, **changed: Any) -> Any:
        create: Any = boto3.session.Session().client
        given = {
            "region_name": cloud["region"],
            "endpoint_url": cloud["endpoint"],
            "aws_access_key_id": cloud["access_key_id"],
            "aws_secret_access_key": cloud["secret_access_key"],
            "config": Config(retries={"max_attempts": 0}).merge(config or Config()),
        }
        clients.append(create(service, **(given | changed)))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("key", KEYS)
def test_an_object_of_any_name_is_put_read_listed_and_deleted(client: Client, bucket: str, key: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"Some_Key": "a  b"}, ContentType="text/plain")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": f"{key}-copy"}]})


def test_uploads_in_parts_and_from_streams(client: Client, bucket: str) -> None:
    data = os.urandom(11 * 2**20)
    client("s3").upload_fileobj(
        io.BytesIO(data),
        bucket,
        "parts",
        Config=TransferConfig(multipart_threshold=2**20, multipart_chunksize=5 * 2**20),
    )
    assert client("s3").get_object(Bucket=bucket, Key="parts")["Body"].read() == data


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("key", KEYS[:-1])
def test_presigned_urls_are_served_until_they_expire(made: Client, bucket: str, version: str, key: str) -> None:
    s3 = made("s3", Config(signature_version=version))
    place = {"Bucket": bucket, "Key": key}
    put = s3.generate_presigned_url("put_object", {**place, "ContentType": "text/plain"}, ExpiresIn=60)
    assert fetch(put, "PUT", b"by url", **{"Content-Type": "text/plain"})[0] == 200
    url = s3.generate_presigned_url("get_object", place, ExpiresIn=60)
    assert fetch(url) == (200, b"by url")
    assert fetch(url + "0")[0] in (400, 403)
    assert fetch(url.replace(f"/{bucket}/", f"/{bucket}/other"))[0] == 403
    assert fetch(url, "DELETE")[0] == 403


SERVICES = [
    ("dynamodb", "list_tables", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("sqs", "list_queues", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("lambda", "list_functions", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("stepfunctions", "list_state_machines", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("batch", "describe_job_queues", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("sagemaker", "list_models", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("events", "list_rules", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("scheduler", "list_schedules", "UnrecognizedClientException", None),
    ("logs", "describe_log_groups", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("cloudwatch", "list_metrics", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    ("cloudformation", "list_stacks", "InvalidClientTokenId", "MissingAuthenticationToken"),
    ("iam", "list_roles", "InvalidClientTokenId", "MissingAuthenticationToken"),
    ("sts", "get_caller_identity", "InvalidClientTokenId", "MissingAuthenticationToken"),
    ("sns", "list_topics", "InvalidClientTokenId", "MissingAuthenticationToken"),
    ("ec2", "describe_vpcs", "AuthFailure", None),
    ("s3", "list_buckets", "InvalidAccessKeyId", "AccessDenied"),
]


@pytest.mark.parametrize(("service", "operation", "unknown", "unsigned"), SERVICES)
def test_every_protocol_is_served_when_signed_and_refused_in_its_own_words(
    made: Client, service: str, operation: str, unknown: str, unsigned: str | None
) -> None:
    assert getattr(made(service), operation)()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError, match="turbine local env") as raised:
        getattr(made(service, aws_access_key_id="AKIAIOSFODNN7EXAMPLE"), operation)()
    assert code_of(raised) == unknown
    with pytest.raises(ClientError) as raised:
        getattr(made(service, aws_secret_access_key="wrong"), operation)()
    assert code_of(raised) in ("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure")
    with pytest.raises(ClientError) as raised:
        getattr(made(service, aws_session_token="of an earlier shell"), operation)()
    assert code_of(raised) in ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken", "AuthFailure")
    if unsigned is not None:
        with pytest.raises(ClientError) as raised:
            getattr(made(service, Config(signature_version=UNSIGNED)), operation)()
        assert code_of(raised) == unsigned


def test_the_secret_of_one_account_does_not_open_another(made: Client, client: Client) -> None:
    with pytest.raises(ClientError) as raised:
        made("sts", aws_access_key_id="LOCALKEY210987654321").get_caller_identity()
    assert code_of(raised) == "SignatureDoesNotMatch"
    assert client("sts", account="210987654321").get_caller_identity()["Account"] == "210987654321"


def test_a_presigned_url_speaks_for_the_account_of_its_key(client: Client) -> None:
    other = client("s3", account="210987654321")
    name = f"others-{uuid.uuid4().hex[:8]}"
    other.create_bucket(Bucket=name)
    url = client("sts", account="210987654321").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert b"210987654321" in fetch(url)[1]


def test_keys_that_iam_and_sts_hand_out_are_served_until_they_are_taken_back(made: Client) -> None:
    iam = made("iam")
    iam.create_user(UserName="someone")
    key = iam.create_access_key(UserName="someone")["AccessKey"]
    own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert made("sts", **own).get_caller_identity()["Arn"].endswith("user/someone")
    iam.update_access_key(UserName="someone", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError) as raised:
        made("sts", **own).get_caller_identity()
    assert code_of(raised) == "InvalidClientTokenId"
    role = "arn:aws:iam::210987654321:role/of-another-account"
    lent = made("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = {"aws_access_key_id": lent["AccessKeyId"], "aws_secret_access_key": lent["SecretAccessKey"]}
    whole = {**session, "aws_session_token": lent["SessionToken"]}
    assert made("sts", **whole).get_caller_identity()["Account"] == "210987654321"
    assert made("s3", **whole).list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as raised:
        made("sts", **session).get_caller_identity()
    assert code_of(raised) == "InvalidClientTokenId"


@pytest.mark.parametrize("operation", ["get_session_token", "get_federation_token"])
def test_keys_that_would_not_be_served_are_not_handed_out(made: Client, operation: str) -> None:
    arguments = {"Name": "someone"} if operation == "get_federation_token" else {}
    with pytest.raises(ClientError, match="not emulated"):
        getattr(made("sts"), operation)(**arguments)


def test_a_request_without_a_signature_is_refused_whatever_it_asks(cloud: dict[str, Any]) -> None:
    for method, path, headers in [
        ("GET", "/", {}),
        ("POST", "/2015-03-31/functions/f/invocations", {}),
        ("POST", "/", {"X-Amz-Target": "AWSStepFunctions.StartExecution"}),
        ("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("POST", "/sqs_us-east-1/", {}),
        ("GET", "/_local/batch/hosts", {}),
        ("GET", "/latest/meta-data/iam/security-credentials/", {}),
        ("OPTIONS", "/", {}),
    ]:
        status, body = fetch(cloud["endpoint"] + path, method, b"{}" if method == "POST" else None, **headers)
        assert (status, b"turbine local env" in body) in ((403, True), (400, True)), (method, path)


def test_a_body_that_was_changed_is_refused(cloud: dict[str, Any], client: Client, bucket: str) -> None:
    url = f"{cloud['endpoint']}/{bucket}/changed"
    signed = AWSRequest("PUT", url, data=b"signed")
    credentials = Credentials(cloud["access_key_id"], cloud["secret_access_key"])
    S3SigV4Auth(credentials, "s3", cloud["region"]).add_auth(signed)
    assert fetch(url, "PUT", b"signed", **dict(signed.headers))[0] == 200
    status, body = fetch(url, "PUT", b"other!", **dict(signed.headers))
    assert (status, b"XAmzContentSHA256Mismatch" in body) == (400, True)
    status, body = fetch(url, "PUT", b"signed", **dict(signed.headers), **{"x-amz-acl": "public-read"})
    assert (status, b"x-amz-acl must be signed" in body) == (403, True)


def test_the_keys_lie_in_files_that_only_their_owner_can_read(cloud: dict[str, Any]) -> None:
    for name in ("cloud.json", "credentials.json"):
        assert stat.S_IMODE((Path(cloud["state_dir"]) / name).stat().st_mode) == 0o600


TOOLS = {
    "s3fs": """
import s3fs, os
fs = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
with fs.open(f"{bucket}/fs/a b+ü", "wb") as file:
    file.write(b"x" * 6_000_000)
assert fs.cat(f"{bucket}/fs/a b+ü") == b"x" * 6_000_000
assert len(fs.ls(f"{bucket}/fs")) == 1
fs.rm(f"{bucket}/fs", recursive=True)
""",
    "s3torchconnector": """
import os
import socket
from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client
place = {"endpoint": os.environ["AWS_ENDPOINT_URL"], "force_path_style": True}
client = MountpointS3Client(region="us-east-1", user_agent_prefix="t", **place)
stream = client.put_object(bucket, "crt/a b+ü")
stream.write(b"y" * 9_000_000)
stream.close()
assert b"".join(client.get_object(bucket, "crt/a b+ü")) == b"y" * 9_000_000
assert [one.key for page in client.list_objects(bucket, "crt/") for one in page.object_info] == ["crt/a b+ü"]
client.delete_object(bucket, "crt/a b+ü")
""",
    "pyarrow": """
import os
import socket
from pyarrow import fs
s3 = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], scheme="http", region="us-east-1")
with s3.open_output_stream(f"{bucket}/pa/a b+ü") as out:
    out.write(b"z" * 6_000_000)
assert s3.open_input_stream(f"{bucket}/pa/a b+ü").read() == b"z" * 6_000_000
assert len(s3.get_file_info(fs.FileSelector(f"{bucket}/pa"))) == 1
s3.delete_file(f"{bucket}/pa/a b+ü")
""",
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_that_sign_for_themselves_are_served(cloud: dict[str, Any], bucket: str, tool: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": cloud["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    program = f"bucket = {bucket!r}\n{TOOLS[tool]}"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_bucket_may_be_named_by_the_host(
    cloud: dict[str, Any], made: Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SDKs do by default. Every name below localhost is this machine (RFC 6761), which not every resolver knows."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more))
    virtual = Config(s3={"addressing_style": "virtual"})
    s3 = made("s3", virtual, endpoint_url=f"http://localhost:{cloud['port']}")
    assert s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}).startswith(
        f"http://{bucket}.localhost:"
    )
    s3.put_object(Bucket=bucket, Key="by host/a b", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="by host/a b")["Body"].read() == b"x"
    assert made("s3").head_object(Bucket=bucket, Key="by host/a b")["ContentLength"] == 1
    for version in ("s3", "s3v4"):
        signer = made("s3", virtual.merge(Config(signature_version=version)), endpoint_url=s3.meta.endpoint_url)
        url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "by host/a b"})
        assert fetch(url) == (200, b"x")

"""Whatever a request names, nothing outside of the state directory is written."""

from __future__ import annotations

import contextlib
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.parity.conftest import client_maker, running_cloud

UP = "../../../evil"
HANDLER = "def handler(event, context):\n    return __file__\n"


@pytest.fixture(scope="module")
def outer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder around the state directory: what leaves that one lands here first."""
    made = tmp_path_factory.mktemp("outer")
    (made / "a" / "state").mkdir(parents=True)
    (made / "tmp").mkdir()
    (made / "evil.txt").write_text("of before")
    return made


@pytest.fixture(scope="module")
def client(outer: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(outer / "tmp"))
        with running_cloud(outer / "a" / "state") as (_, cloud):
            yield client_maker(cloud)


@pytest.fixture(autouse=True)
def confined(outer: Path, client: Any) -> Iterator[None]:
    """Every test ends with the same files outside of the state directory as it began with."""
    before = _outside(outer)
    yield
    assert _outside(outer) == before
    for name in ("evil", "evil.py", "evil.txt"):
        assert not Path("/", name).exists()
        assert not Path("/tmp", name).exists()


def _outside(outer: Path) -> dict[Path, float]:
    state = outer / "a" / "state"
    return {
        path: path.stat().st_mtime_ns
        for path in sorted(outer.rglob("*"))
        if path.is_file() and not path.is_relative_to(state)
    }


def attempt(call: Any, **arguments: Any) -> Any:
    """A call that may be refused, and must not get further than that."""
    with contextlib.suppress(ClientError, ParamValidationError):
        return call(**arguments)
    return None


def archive(*names: str, link: str | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        bundle.writestr("app.py", HANDLER)
        if link is not None:
            entry = zipfile.ZipInfo("link")
            entry.external_attr = 0o120777 << 16
            bundle.writestr(entry, link)
        for name in names:
            bundle.writestr(name, "of the archive")
    return made.getvalue()


@pytest.mark.parametrize("key", [f"{UP}.txt", "/evil.txt", "a/../../evil.txt", "//evil.txt"])
def test_object_keys(client: Any, key: str) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="confined")
    s3.put_object(Bucket="confined", Key=key, Body=b"x" * 20_000_000)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="confined")["Contents"]] == [key]
    upload = s3.create_multipart_upload(Bucket="confined", Key=key)["UploadId"]
    s3.upload_part(Bucket="confined", Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    s3.delete_object(Bucket="confined", Key=key)


@pytest.mark.parametrize(
    ("names", "link"),
    [
        ((f"{UP}.txt", "../" * 9 + "tmp/evil.py"), None),
        (("/evil.py", "/tmp/evil.py"), None),
        (("link/evil.txt",), "../../../../../"),
        (("..\\..\\evil.txt",), None),
    ],
)
def test_archives_of_functions_and_layers(client: Any, outer: Path, names: tuple[str, ...], link: str | None) -> None:
    client("iam")
    functions, name = client("lambda"), f"f{uuid.uuid4().hex}"
    with contextlib.suppress(ClientError):
        client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    code = archive(*names, link=link)
    layer = functions.publish_layer_version(LayerName=name, Content={"ZipFile": code})["LayerVersionArn"]
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/r",
        Handler="app.handler",
        Code={"ZipFile": code},
        Layers=[layer],
    )
    reply = attempt(functions.invoke, FunctionName=name)
    if reply is not None and "FunctionError" not in reply:
        assert json.loads(reply["Payload"].read()).startswith(str(outer / "a" / "state"))


def test_names(client: Any) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/r"
    attempt(client("stepfunctions").create_state_machine, name=UP, roleArn=role, definition=definition)
    attempt(client("logs").create_log_group, logGroupName=UP)
    attempt(client("logs").create_log_group, logGroupName="/evil")
    attempt(client("logs").create_log_stream, logGroupName="/evil", logStreamName=UP)
    attempt(client("batch").submit_job, jobName=UP, jobQueue="q", jobDefinition="d")
    attempt(client("ecr").create_repository, repositoryName=UP)
    attempt(client("sqs").create_queue, QueueName=UP)
    attempt(client("events").put_rule, Name=UP, ScheduleExpression="rate(1 minute)")
    attempt(client("sagemaker").create_model, ModelName=UP, ExecutionRoleArn=role)
    attempt(
        client("lambda").create_function,
        FunctionName=UP,
        Runtime="python3.13",
        Role=role,
        Handler=f"{UP}.handler",
        Code={"ZipFile": archive()},
    )
    attempt(client("lambda").invoke, FunctionName=UP)
    attempt(client("cloudformation").create_stack, StackName="evil", TemplateURL=f"file:///{UP}")


def test_a_dockerfile_outside_of_the_project_is_refused(client: Any) -> None:
    template = {
        "Resources": {
            "R": {
                "Type": "AWS::ECR::Repository",
                "Properties": {"RepositoryName": "outside"},
                "Metadata": {"Dockerfile": "../../../../etc/passwd", "DockerContext": "/"},
            }
        }
    }
    client("cloudformation").create_stack(StackName="outside", TemplateBody=json.dumps(template))

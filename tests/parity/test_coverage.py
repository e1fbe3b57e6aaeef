"""What the verdicts say is true of a running cloud: these operations are served, every other one is refused by name.

The cloud is one of its own, since every operation of every service is called once, with the least that is let through.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from cli.check.quotas import account
from cli.check.quotas.account import QuotasUnreadableError
from cli.check.quotas.account_needs import Need
from local_cloud.aws_clients import service_model
from local_cloud.coverage import SERVICES, SIGNING_NAMES, refusal
from local_cloud.coverage.page import refused
from local_cloud.coverage.verdicts import Faithful, Partial
from tests.parity.conftest import ROOT, running_cloud

Client = Callable[..., Any]
NOT_TO_BE_ASKED = {
    "AssumeRoleWithSAML",  # sent without a signature, which is refused whatever it asks
    "AssumeRoleWithWebIdentity",
    "UpdateObjectEncryption",  # a union, which the sample below does not fill
    "WriteGetObjectResponse",  # signed as another service, which is refused altogether
}
FAITHFUL = [
    (service, name, verdict.shown_by)
    for service, coverage in SERVICES.items()
    for name, verdict in coverage.items()
    if isinstance(verdict, Faithful)
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """`asked("s3")`: a client of a cloud that is there for these questions only, and which checks no parameters."""
    with running_cloud(tmp_path_factory.mktemp("asked")) as (_, written):
        create: Any = boto3.session.Session().client

        def client(service: str) -> Any:
            return create(
                service,
                region_name=written["region"],
                endpoint_url=written["endpoint"],
                aws_access_key_id=written["access_key_id"],
                aws_secret_access_key=written["secret_access_key"],
                config=Config(
                    retries={"max_attempts": 0}, parameter_validation=False, inject_host_prefix=False, read_timeout=20
                ),
            )

        yield client


def shape_of(service: str, operation: str) -> Any:
    """What an operation takes; None for nothing."""
    return service_model(service).operation_model(operation).input_shape


def sample(shape: Any) -> Any:
    """The least that botocore can send."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "name"
    return {"map": {}, "blob": b"x", "boolean": True, "timestamp": 1_700_000_000}.get(shape.type_name, 1)


def told(client: Any, service: str, operation: str) -> str:
    """What a client hears when it calls an operation: "" for success."""
    shape = shape_of(service, operation)
    try:
        getattr(client, xform_name(operation))(**(sample(shape) if shape else {}))
    except ClientError as error:
        return str(error.response["Error"].get("Message", ""))
    except ResponseParserError as error:  # what moto makes of so little, some parser does not understand
        return f"{error}"
    return ""


@pytest.mark.parametrize("service", SERVICES)
def test_what_has_a_verdict_is_served_and_everything_else_refused_by_name(asked: Client, service: str) -> None:
    client, signing_name = asked(service), SIGNING_NAMES.get(service, service)
    without = set(refused(service))
    wrong = {}
    for operation in service_model(service).operation_names:
        if operation in NOT_TO_BE_ASKED:
            continue
        answer = told(client, service, operation)
        is_refused = re.match(rf"{signing_name}:{operation} is not emulated", answer) is not None
        if is_refused != (operation in without):
            wrong[operation] = answer
    assert not wrong


def test_a_service_without_verdicts_is_refused(asked: Client) -> None:
    for service, operation in [
        ("glue", "GetDatabases"),
        ("secretsmanager", "ListSecrets"),
        ("efs", "CreateFileSystem"),
    ]:
        assert "is not emulated" in told(asked(service), service, operation)


@pytest.mark.parametrize("operation", [name for name in refused("s3") if name not in NOT_TO_BE_ASKED])
def test_a_refused_operation_of_s3_leaves_bucket_and_object_as_they_were(asked: Client, operation: str) -> None:
    """moto takes most of them for others: DeleteBucketMetricsConfiguration would delete the bucket."""
    s3, bucket = asked("s3"), f"refused-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="name", Body=b"as it was")
    arguments = sample(shape_of("s3", operation))
    with pytest.raises(ClientError, match=f"s3:{operation} is not emulated") as raised:
        getattr(s3, xform_name(operation))(**{**arguments, "Bucket": bucket})
    assert raised.value.response["Error"]["Code"] == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="name")["Body"].read() == b"as it was"


@pytest.mark.parametrize(("service", "operation", "shown_by"), FAITHFUL)
def test_a_faithful_operation_is_called_by_the_test_that_is_named(service: str, operation: str, shown_by: str) -> None:
    test = Path(ROOT / shown_by)
    assert test.exists(), f"{service}:{operation}"
    assert re.search(rf"\b({operation}|{xform_name(operation)})\b", test.read_text()), f"{service}:{operation}"


def test_partial_verdicts_say_what_differs() -> None:
    verdicts = [verdict for coverage in SERVICES.values() for verdict in coverage.values()]
    assert all(verdict.difference for verdict in verdicts if isinstance(verdict, Partial))
    assert refusal("states", "StartSyncExecution") == "use a STANDARD state machine"
    assert refusal("states", "StartExecution") is None
    assert refusal("states", "Nothing") == refusal("nowhere", "StartExecution") == ""


def test_service_quotas_are_not_made_up(asked: Client) -> None:
    """`turbine check --account` fails here by name."""
    need = Need("ec2", "L-417A185B", "Running On-Demand P instances", 96, "")
    with pytest.raises(QuotasUnreadableError, match="GetServiceQuota is not emulated") as raised:
        account.answers([need], lambda _: asked("service-quotas"))
    assert (raised.value.code, raised.value.status) == ("UnknownOperationException", 501)

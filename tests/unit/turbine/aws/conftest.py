from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from turbine.aws import clients


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in memory; no client outlives it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    clients.client.cache_clear()
    with mock_aws():
        yield
    clients.client.cache_clear()


@pytest.fixture
def table(aws: None) -> str:
    """A table with the keys of ours."""
    boto3.client("dynamodb").create_table(
        TableName="records",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "records"


@pytest.fixture
def bucket(aws: None) -> str:
    """A versioned bucket."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="store")
    s3.put_bucket_versioning(Bucket="store", VersioningConfiguration={"Status": "Enabled"})
    return "store"

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from cli import exit_codes
from cli.cloud import Cloud, ExplicitCredentials
from cli.errors import CommandError

CREDENTIALS = ExplicitCredentials("http://127.0.0.1:9", "eu-west-1", "LOCALKEY", "local")


def test_explicit_credentials_ignore_every_aws_variable_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_PROFILE": "does-not-exist",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_ACCESS_KEY_ID": "CALLER",
        "AWS_SECRET_ACCESS_KEY": "caller",
        "AWS_SESSION_TOKEN": "caller",
        "AWS_ENDPOINT_URL": "http://elsewhere.invalid",
        "AWS_REGION": "us-west-2",
        "HTTP_PROXY": "http://proxy.invalid:1",
    }.items():
        monkeypatch.setenv(name, value)

    cloud = Cloud.explicit(CREDENTIALS, "turbine")

    credentials = cloud.session.get_credentials()
    assert (credentials.access_key, credentials.token) == ("LOCALKEY", None)
    client = cloud.client("s3")
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:9", "eu-west-1")
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:9") is None


@mock_aws
def test_a_missing_stack_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(CommandError) as raised:
        Cloud.from_environment("turbine").output("DataBucketName")
    assert raised.value.exit_code == exit_codes.NO_STACK
    assert 'eval "$(turbine local env)"' in str(raised.value.next_step)
    assert "sam deploy" in str(raised.value.next_step)


@mock_aws
def test_outputs_are_read_again_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    cloudformation = boto3.client("cloudformation", region_name="us-east-1")
    template = '{{"Resources": {{"T": {{"Type": "AWS::SNS::Topic"}}}}, "Outputs": {{"{}": {{"Value": "v"}}}}}}'
    cloudformation.create_stack(StackName="turbine", TemplateBody=template.format("Old"))
    cloud = Cloud.from_environment("turbine")
    assert cloud.outputs == {"Old": "v"}

    cloudformation.update_stack(StackName="turbine", TemplateBody=template.format("New"))
    assert cloud.outputs == {"Old": "v"}
    cloud.forget_description()
    assert cloud.outputs == {"New": "v"}
    with pytest.raises(CommandError, match="no output 'Old'"):
        cloud.output("Old")


def test_an_endpoint_that_is_no_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "garbage")
    with pytest.raises(CommandError, match="garbage") as raised:
        Cloud.from_environment("turbine").client("s3")
    assert raised.value.exit_code == exit_codes.NO_STACK
    assert "AWS_ENDPOINT_URL" in str(raised.value.place)

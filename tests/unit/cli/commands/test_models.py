from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import models
from cli.errors import CommandError


@mock_aws
def test_an_unknown_team_is_told_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="data")
    for team in ("vision", "winery"):
        s3.put_object(Bucket="data", Key=f"config/teams/{team}.yaml", Body=b"")
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="turbine-vision")
    cloud = Cloud.from_environment("turbine")
    cloud.__dict__["outputs"] = {"DataBucketName": "data"}

    models.require_group(cloud, "vision", "turbine-vision")
    with pytest.raises(CommandError, match="unknown team 'nosuch'") as raised:
        models.require_group(cloud, "nosuch", "turbine-nosuch")
    assert raised.value.next_step == "name one of: vision, winery"
    assert raised.value.exit_code == exit_codes.REFUSED

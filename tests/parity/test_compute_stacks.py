"""What the training hosts' resources hold after CloudFormation made or changed them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.parity.jobs import probe_stack

Client = Callable[..., Any]
IAM = ["CAPABILITY_IAM"]
NEEDED = ("Network", "Subnet", "Group", "Hosts", "OnDemand", "Spot")


@pytest.fixture
def template() -> dict[str, Any]:
    resources = {name: probe_stack.TEMPLATE["Resources"][name] for name in NEEDED}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}
    profile = {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}}
    made: dict[str, Any] = json.loads(json.dumps({"Resources": {**resources, "Role": role, "Profile": profile}}))
    return made


def deployed(client: Client, name: str, template: dict[str, Any]) -> dict[str, str]:
    """Create or update the stack; its physical ids."""
    cloudformation = client("cloudformation")
    exists = any(stack["StackName"] == name for stack in cloudformation.describe_stacks()["Stacks"])
    change = cloudformation.update_stack if exists else cloudformation.create_stack
    change(StackName=name, TemplateBody=json.dumps(template), Capabilities=IAM)
    waiter = cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    found = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}


def test_a_changed_launch_template_reaches_its_compute_environment(client: Client, template: dict[str, Any]) -> None:
    name = f"compute-{uuid.uuid4().hex[:8]}"
    first = deployed(client, name, template)
    resources = template["Resources"]
    resources["Hosts"]["Properties"]["LaunchTemplateData"]["UserData"] = {"Fn::Base64": "changed"}
    resources["OnDemand"]["Properties"]["ComputeResources"]["MaxvCpus"] = 32
    second = deployed(client, name, template)
    assert first == second, "nothing was replaced"
    shown = client("batch").describe_compute_environments(computeEnvironments=[second["OnDemand"]])
    compute = shown["computeEnvironments"][0]["computeResources"]
    assert (compute["type"], compute["maxvCpus"], compute["launchTemplate"]["version"]) == ("EC2", 32, "2")
    versions = client("ec2").describe_launch_template_versions(LaunchTemplateId=second["Hosts"], Versions=["1", "2"])
    data = [one["LaunchTemplateData"]["UserData"] for one in versions["LaunchTemplateVersions"]]
    assert {base64.b64decode(one).decode() for one in data} == {probe_stack.USER_DATA, "changed"}


def test_environments_of_both_kinds_stand_next_to_each_other(client: Client, template: dict[str, Any]) -> None:
    ids = deployed(client, f"compute-{uuid.uuid4().hex[:8]}", template)
    found = client("batch").describe_compute_environments(computeEnvironments=[ids["OnDemand"], ids["Spot"]])
    compute = [one["computeResources"] for one in found["computeEnvironments"]]
    assert {one["type"] for one in compute} == {"EC2", "SPOT"}
    assert all(one["ec2Configuration"] == [{"imageType": "ECS_AL2023"}] for one in compute)
    assert not any("bidPercentage" in one for one in compute)


def test_lifecycle_rules_filter_by_prefix_tag_and_size(client: Client) -> None:
    keep = {"NoncurrentDays": 7}
    rules = [
        {"Id": "all", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
        {"Id": "tag", "Status": "Enabled", "ExpirationInDays": 9, "TagFilters": [{"Key": "keep", "Value": "no"}]},
        {
            "Id": "both",
            "Status": "Enabled",
            "Prefix": "runs/",
            "TagFilters": [{"Key": "kind", "Value": "checkpoint"}],
            "NoncurrentVersionExpiration": keep,
        },
    ]
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": {"Rules": rules}}}
    ids = deployed(client, f"bucket-{uuid.uuid4().hex[:8]}", {"Resources": {"Bucket": bucket}})
    made = client("s3").get_bucket_lifecycle_configuration(Bucket=ids["Bucket"])["Rules"]
    every, tag, both = sorted(made, key=lambda rule: ["all", "tag", "both"].index(rule["ID"]))
    assert every["Filter"] == {"Prefix": ""}
    assert (tag["Filter"], tag["Expiration"]) == ({"Tag": {"Key": "keep", "Value": "no"}}, {"Days": 9})
    assert both["Filter"]["And"] == {"Prefix": "runs/", "Tags": [{"Key": "kind", "Value": "checkpoint"}]}
    assert both["NoncurrentVersionExpiration"] == keep

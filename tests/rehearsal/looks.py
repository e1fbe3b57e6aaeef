"""What is in an account, asked with ordinary clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.scenarios.live_cloud import LiveCloud

BUCKETS = ("DataBucketName", "ArtifactBucketName", "PredictionBucketName")
TABLES = ("TableName", "PredictionTableName")
OF_THE_ACCOUNT = ("AWSServiceRole",)
"""How names begin of what AWS makes by itself."""


def physical_ids(cloud: LiveCloud) -> dict[str, str]:
    """The stack's resources by logical id; without layers, whose every version is another resource."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=cloud.stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] != "AWS::Lambda::LayerVersion"
    }


def places(cloud: LiveCloud) -> dict[str, str]:
    """The buckets and tables, by the stack's outputs."""
    return {name: cloud.outputs[name] for name in (*BUCKETS, *TABLES)}


def data(cloud: LiveCloud, where: Mapping[str, str] | None = None) -> dict[tuple[str, str], str]:
    """Every object and item: place and key to what it is. `where` are places of a stack that is gone."""
    known = where or places(cloud)
    found: dict[tuple[str, str], str] = {}
    for name in BUCKETS:
        pages = cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=known[name])
        found |= {(known[name], one["Key"]): one["ETag"] for page in pages for one in page.get("Contents", [])}
    for name in TABLES:
        pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=known[name])
        items = [item for page in pages for item in page["Items"]]
        found |= {(known[name], f"{one['pk']['S']} {one['sk']['S']}"): json.dumps(one, sort_keys=True) for one in items}
    return found


def left_over(cloud: LiveCloud) -> list[str]:
    """The names of all that a stack makes and that holds no data."""
    asked: list[tuple[str, str, str, str]] = [
        ("lambda", "list_functions", "Functions", "FunctionName"),
        ("lambda", "list_layers", "Layers", "LayerName"),
        ("stepfunctions", "list_state_machines", "stateMachines", "name"),
        ("events", "list_rules", "Rules", "Name"),
        ("scheduler", "list_schedules", "Schedules", "Name"),
        ("sns", "list_topics", "Topics", "TopicArn"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("iam", "list_roles", "Roles", "RoleName"),
        ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
        ("batch", "describe_job_queues", "jobQueues", "jobQueueName"),
        ("batch", "describe_compute_environments", "computeEnvironments", "computeEnvironmentName"),
    ]
    names = [
        str(one[name])
        for service, operation, answer, name in asked
        for one in getattr(cloud.client(service), operation)()[answer]
    ]
    names += cloud.client("sqs").list_queues().get("QueueUrls", [])
    networks: list[dict[str, Any]] = cloud.client("ec2").describe_vpcs()["Vpcs"]
    names += [network["VpcId"] for network in networks if not network["IsDefault"]]
    return sorted(name for name in names if not name.startswith(OF_THE_ACCOUNT))

"""The roles of a job: the one its container runs with, and the one that fetches its image and writes its log.

The container has its job role; without one it finds the host's, as on AWS. Image and log are the business of the
execution role where the job has one, else of the host's.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html (jobRoleArn, executionRoleArn)
and https://docs.aws.amazon.com/batch/latest/userguide/instance_IAM_role.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.models import iam_backends

from local_cloud import settings
from local_cloud.accounts import AccessKey
from local_cloud.authorization import containers, handover
from local_cloud.authorization.handover import Taker
from local_cloud.durability.tracked import reading

_TASKS, _HOSTS = "ecs-tasks.amazonaws.com", "ec2.amazonaws.com"


def of_instances(account: str, profile: str | None) -> str:
    """The role in an instance profile, which a compute environment names by name or ARN; "" without one."""
    name = (profile or "").rpartition("/")[2]
    with reading():
        found = [one for one in iam_backends[account]["aws"].instance_profiles.values() if one.name == name]
    return str(found[0].roles[0].arn) if found and found[0].roles else ""


def key(properties: Mapping[str, Any], host_role: str, job_arn: str, account: str) -> AccessKey:
    """What a container's calls are signed with. Raises: DeniedError in strict mode."""
    role, service = (properties["jobRoleArn"], _TASKS) if properties.get("jobRoleArn") else (host_role, _HOSTS)
    if not role and not settings.current().strict:
        return settings.current().access_key(account)
    return handover.key(role, job_arn.rpartition("/")[2], Taker(service, account, job_arn))


def require_start(
    properties: Mapping[str, Any], host_role: str, job_arn: str, account: str, region: str, log: tuple[str, str]
) -> None:
    """Raises: DeniedError in strict mode when image or log (its group and stream) are not allowed."""
    given = properties.get("executionRoleArn")
    role, service = (given, _TASKS) if given else (host_role, _HOSTS)
    if not role and not settings.current().strict:
        return
    name = job_arn.rpartition("/")[2]
    handover.take(role, name, Taker(service, account, job_arn))
    containers.require_image(role, name, properties["image"])
    containers.require_log(role, name, account, region, *log)

"""The policies that lie at resources: buckets, queues, topics, functions, keys and event buses.

A policy of any other kind of resource is not evaluated: across accounts, what has none is denied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.awslambda.exceptions import GenericResourcNotFound, LambdaClientError
from moto.awslambda.models import lambda_backends
from moto.events.models import events_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_cloud.authorization import policies
from local_cloud.authorization.policies import Statement

_PARTITION = "aws"


def of(resource: str) -> tuple[Statement, ...]:
    """The statements of the policy at a resource; none where it has none."""
    parts = resource.split(":", 5)
    find = _FINDERS.get(parts[2]) if len(parts) == 6 else None
    document = find(*parts[3:]) if find else None
    return policies.parse(document) if document else ()


def account_of(resource: str) -> str | None:
    """Whose a resource is; None where nobody can tell (`*`, a bucket that is not there)."""
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return None
    if parts[2] == "s3":
        bucket = _bucket(parts[5])
        return bucket.account_id if bucket is not None else None
    return parts[4] or None


def _bucket(resource: str) -> Any:
    """moto's bucket, in whichever account it is: their names are everybody's."""
    name = resource.partition("/")[0]
    found = (partitions[_PARTITION].buckets.get(name) for partitions in list(s3_backends.values()))
    return next((bucket for bucket in found if bucket is not None), None)


def _of_bucket(_region: str, _account: str, resource: str) -> str | None:
    bucket = _bucket(resource)
    return bucket.policy.decode() if bucket is not None and bucket.policy else None


def _of_queue(region: str, account: str, resource: str) -> str | None:
    queue = sqs_backends[account][region].queues.get(resource)
    return queue.policy if queue is not None else None


def _of_topic(region: str, account: str, resource: str) -> str | None:
    topic = sns_backends[account][region].topics.get(f"arn:{_PARTITION}:sns:{region}:{account}:{resource}")
    return topic.policy if topic is not None else None


def _of_function(region: str, account: str, resource: str) -> str | None:
    try:
        function = lambda_backends[account][region].get_function(resource.split(":")[1])
        return policies.written(function.policy.get_policy()["Policy"])
    except (LambdaClientError, GenericResourcNotFound, IndexError):
        return None


def _of_key(region: str, account: str, resource: str) -> str | None:
    key = kms_backends[account][region].keys.get(resource.rpartition("/")[2])
    return key.policy if key is not None else None


def _of_bus(region: str, account: str, resource: str) -> str | None:
    bus = events_backends[account][region].event_buses.get(resource.rpartition("/")[2])
    return bus.policy if bus is not None else None


_FINDERS: dict[str, Callable[[str, str, str], Any]] = {
    "s3": _of_bucket,
    "sqs": _of_queue,
    "sns": _of_topic,
    "lambda": _of_function,
    "kms": _of_key,
    "events": _of_bus,
}

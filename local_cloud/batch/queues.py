"""Job queues and scheduling policies: what AWS takes, and what may change later.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateJobQueue.html,
https://docs.aws.amazon.com/batch/latest/APIReference/API_UpdateJobQueue.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_FairsharePolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException

from local_cloud.batch import limits, requests

MOST_ENVIRONMENTS = 3
MOST_SHARES = 500
LONGEST_DECAY_S = 604_800
HIGHEST_RESERVATION = 99
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.0001, 999.9999
_REFUSED = ("serviceEnvironmentOrder",)
_TYPES = ("ECS", "ECS_FARGATE")


def create(backend: Any, given: Mapping[str, Any]) -> Any:
    """A new queue. Raises: ClientException."""
    requests.refuse("CreateJobQueue", given, _REFUSED)
    name = requests.check_name("Job queue name", given.get("jobQueueName"))
    if given.get("jobQueueType") not in (None, *_TYPES):
        raise ClientException(f"batch:CreateJobQueue: jobQueueType {given['jobQueueType']} is not emulated")
    if given.get("priority") is None or not 0 <= int(given["priority"]) <= 2**31 - 1:
        raise ClientException("priority must be provided, as a number that is not negative")
    order = _environment_order(backend, given.get("computeEnvironmentOrder"))
    _check_policy(backend, given.get("schedulingPolicyArn"))
    actions = _time_limits(given)
    queue = backend.create_job_queue(
        queue_name=name,
        priority=int(given["priority"]),
        schedule_policy=given.get("schedulingPolicyArn") or None,
        state=requests.check_state(given.get("state") or "ENABLED"),
        compute_env_order=order,
        tags=requests.check_tags(given.get("tags")),
    )
    queue.time_limits, queue.kind = actions, given.get("jobQueueType")
    return queue


def update(backend: Any, given: Mapping[str, Any]) -> Any:
    """A changed queue; nothing is changed where one part is refused. Raises: ClientException."""
    requests.refuse("UpdateJobQueue", given, _REFUSED)
    queue = _existing(backend, given.get("jobQueue"))
    state = requests.check_state(given.get("state") or queue.state)
    policy = given.get("schedulingPolicyArn")
    if policy is not None and bool(policy) != bool(queue.schedule_policy):
        raise ClientException(
            "a job queue's scheduling policy can be replaced, but neither added to a queue without one nor removed"
        )
    _check_policy(backend, policy)
    order = given.get("computeEnvironmentOrder")
    if order is not None:
        order = _environment_order(backend, order)
    if "jobStateTimeLimitActions" in given:
        queue.time_limits = _time_limits(given)
    queue.state, queue.schedule_policy = state, policy or queue.schedule_policy
    if given.get("priority") is not None:
        queue.priority = int(given["priority"])
    if order is not None:
        queue.env_order_json = order
        queue.environments = [backend.get_compute_environment(item["computeEnvironment"]) for item in order]
    return queue


def delete(backend: Any, identifier: str | None) -> Any:
    """Take a queue away; it is returned, so that its jobs can be ended. None if there was none."""
    queue = backend.get_job_queue(identifier or "")
    if queue is None:
        return None
    if queue.state != "DISABLED":
        raise ClientException("Cannot delete, the job queue must be DISABLED first")
    del backend._job_queues[queue.arn]
    return queue


def described(queue: Any) -> dict[str, Any]:
    """A queue as the API shows it."""
    shown: dict[str, Any] = {
        **queue.describe(),
        "statusReason": "JobQueue Healthy",
        "jobStateTimeLimitActions": getattr(queue, "time_limits", []),
        "jobQueueType": getattr(queue, "kind", None),
    }
    return {key: value for key, value in shown.items() if value is not None}


def check_fair_share(policy: Mapping[str, Any]) -> None:
    """Raises: ClientException."""
    if not 0 <= int(policy.get("shareDecaySeconds") or 0) <= LONGEST_DECAY_S:
        raise ClientException(f"shareDecaySeconds must be between 0 and {LONGEST_DECAY_S}")
    if not 0 <= int(policy.get("computeReservation") or 0) <= HIGHEST_RESERVATION:
        raise ClientException(f"computeReservation must be between 0 and {HIGHEST_RESERVATION}")
    shares = policy.get("shareDistribution") or []
    if len(shares) > MOST_SHARES:
        raise ClientException(f"shareDistribution must have at most {MOST_SHARES} shares")
    for share in shares:
        if requests.SHARE.fullmatch(share["shareIdentifier"]) is None:
            raise ClientException("a shareIdentifier is up to 255 letters and numbers, and may be followed by *")
        if not LOWEST_WEIGHT <= float(share.get("weightFactor") or 1.0) <= HIGHEST_WEIGHT:
            raise ClientException(f"weightFactor must be between {LOWEST_WEIGHT} and {HIGHEST_WEIGHT}")
    _refuse_overlaps([share["shareIdentifier"] for share in shares])


def delete_policy(backend: Any, arn: str) -> None:
    """Raises: ClientException while a queue uses it."""
    if any(queue.schedule_policy == arn for queue in backend._job_queues.values()):
        raise ClientException("Cannot delete, the scheduling policy is attached to a job queue")
    backend.delete_scheduling_policy(arn)


def _existing(backend: Any, identifier: Any) -> Any:
    queue = backend.get_job_queue(identifier or "")
    if queue is None:
        raise ClientException(f"Job queue {identifier} does not exist")
    return queue


def _environment_order(backend: Any, order: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """The environments in their order, by ARN."""
    if not order:
        raise ClientException("At least 1 compute environment must be provided")
    if len(order) > MOST_ENVIRONMENTS:
        raise ClientException(f"a job queue has at most {MOST_ENVIRONMENTS} compute environments")
    found: list[dict[str, Any]] = []
    kinds = set()
    for item in sorted(order, key=lambda item: int(item["order"])):
        environment = backend.get_compute_environment(item["computeEnvironment"])
        if environment is None:
            raise ClientException(f"Compute environment {item['computeEnvironment']} does not exist")
        kinds.add("FARGATE" in str((environment.compute_resources or {}).get("type")))
        found.append({"order": int(item["order"]), "computeEnvironment": environment.arn})
    if len({item["order"] for item in found}) < len(found) or len({item["computeEnvironment"] for item in found}) < len(
        found
    ):
        raise ClientException("computeEnvironmentOrder names an environment or an order twice")
    if len(kinds) > 1:
        raise ClientException("a job queue's compute environments are all EC2 or all Fargate")
    return found


def _check_policy(backend: Any, arn: str | None) -> None:
    if arn and arn not in backend._scheduling_policies:
        raise ClientException(f"Scheduling policy {arn} does not exist")


def _time_limits(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    actions = [dict(action) for action in given.get("jobStateTimeLimitActions") or []]
    with requests.answered():
        limits.check(actions)
    return actions


def _refuse_overlaps(shares: Sequence[str]) -> None:
    for share in shares:
        others = [other for other in shares if other is not share]
        prefix = share[:-1]
        if shares.count(share) > 1 or (share.endswith("*") and any(other.startswith(prefix) for other in others)):
            raise ClientException(f"shareDistribution: {share} overlaps with another share")

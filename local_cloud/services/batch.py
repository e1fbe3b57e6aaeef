"""AWS Batch: jobs run as processes of this machine instead of Docker containers.

moto keeps compute environments, queues, definitions, policies and tags; all operations are answered by
`local_cloud.batch.responses`, and jobs are `local_cloud.batch`'s own.

Refused by name: EKS and ECS properties, service jobs and environments, quota shares, secrets, mounted volumes.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_cloud.aws_clients import service_model
from local_cloud.batch import live
from local_cloud.batch.responses import Batch
from local_cloud.batch.runtime import Runtime
from local_cloud.containers import container
from local_cloud.replacements import Replacement
from local_cloud.settings import CloudSettings

_LONGEST_RETURN_S = 10.0
_found: list[Runtime] = []


def start(_: CloudSettings) -> None:
    """Go on with the jobs that an earlier cloud left, and decide from now on which job starts."""
    container.prepare()
    _found.extend(live.recover())
    live.SCHEDULER.start()


def settle() -> None:
    """Return once the jobs found again have their hosts, metadata and networks back, or a while has passed."""
    for attempt in _found:
        attempt.follows.wait(_LONGEST_RETURN_S)
    _found.clear()


def stop() -> None:
    """Start no job any more; what runs is not touched."""
    live.SCHEDULER.stop()


def _all_operations(original: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    model = service_model("batch")
    paths = [model.operation_model(name).http["requestUri"] for name in model.operation_names]
    plain = {f"{{0}}{path}$": Batch.dispatch for path in paths if "{" not in path}
    return {**dict.fromkeys(original, Batch.dispatch), **plain}


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.batch.urls:url_paths",
        build=_all_operations,
        why="jobs run in Docker or not at all; half of the operations are missing, most checks and all pages",
    ),
]

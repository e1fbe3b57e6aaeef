"""Several processes for one run, on one node or many, through torch's elastic launch.

torchrun itself ends with 1 whatever its children said; this carries the child's exit code out, which is
what Batch's retry rules read.
"""

import os
import sys
import zlib
from dataclasses import dataclass
from typing import Any

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from training import errors
from training.log import log_event

# How long nodes wait for each other: children may start minutes before the main node, or after it.
RENDEZVOUS_TIMEOUT_S = 600

# When several processes fail at once, the code that says most about the cause wins.
_MOST_TELLING = (errors.BAD_DATA, errors.BAD_CONFIGURATION, errors.LEASE_HELD, errors.INTERRUPTED, errors.BUG)


@dataclass(frozen=True)
class Rendezvous:
    """Where the nodes' agents meet, in the terms of torch's LaunchConfig."""

    backend: str
    endpoint: str
    settings: dict[str, Any]


def launch_gang(run_id: str, processes: int, nodes: int) -> int:
    """Run `python -m training` as `processes` workers on this node; returns the gang's exit code."""
    rendezvous = _rendezvous(run_id, nodes)
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=run_id,
        max_restarts=0,
        monitor_interval=0.1,
        rdzv_backend=rendezvous.backend,
        rdzv_endpoint=rendezvous.endpoint,
        rdzv_configs=rendezvous.settings,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "training")
    except ChildFailedError as error:
        return _exit_code([failure.exitcode for failure in error.failures.values()])
    except SignalException as error:
        log_event("interrupted", signal=error.sigval.name)
        return errors.INTERRUPTED
    return errors.FINISHED


def _rendezvous(run_id: str, nodes: int) -> Rendezvous:
    if nodes == 1:
        return Rendezvous("c10d", "localhost:0", {})
    main_index = int(os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"])
    index = int(os.environ["AWS_BATCH_JOB_NODE_INDEX"])
    # Batch gives the main node's address to the other nodes only.
    address = "localhost" if index == main_index else os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"]
    rank = (index - main_index) % nodes
    endpoint = f"{address}:{rendezvous_port(run_id)}"
    return Rendezvous("static", endpoint, {"rank": rank, "timeout": RENDEZVOUS_TIMEOUT_S})


def rendezvous_port(run_id: str) -> int:
    """The same on all nodes of a run, and different for runs that share a host.

    Below the ports that Linux gives to outgoing connections.
    """
    return 20_000 + zlib.crc32(run_id.encode()) % 10_000


def _exit_code(codes: list[int]) -> int:
    for code in _MOST_TELLING:
        if code in codes:
            return code
    # A process killed by signal n has code -n, which a shell and Batch write as 128 + n.
    return 128 - codes[0] if codes[0] < 0 else codes[0]

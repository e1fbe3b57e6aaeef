"""Nodes of a multi-node job in network namespaces of their own: they meet, see the cloud, and leave nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud import hosts
from tests.parity.conftest import access_to, client_maker, running_cloud
from tests.parity.jobs import probe_stack

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter"))),
    reason="network namespaces need root and iproute2",
)
NAMESPACES = ("--node-networks", "namespaces")
NAMES = Path("/run/netns")


def names(state_dir: Path) -> set[str]:
    """The namespaces of the cloud of a state directory: other clouds may run at the same time."""
    own = f"turbine-{hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:10]}-"
    return {path.name for path in NAMES.iterdir() if path.name.startswith(own)} if NAMES.is_dir() else set()


def jobs_of(cloud: dict[str, Any]) -> probe_stack.Jobs:
    client = client_maker(cloud)
    probe_stack.deploy(client("cloudformation"))
    on_demand = probe_stack.resource(client("cloudformation"), "OnDemandQueue")
    return probe_stack.Jobs(client("batch"), client("logs"), on_demand, "none")


@pytest.fixture(scope="module")
def namespaced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], probe_stack.Jobs]]:
    """A cloud whose nodes live in namespaces, and its jobs."""
    with running_cloud(tmp_path_factory.mktemp("namespaced"), *NAMESPACES) as (_, cloud):
        yield cloud, jobs_of(cloud)


@pytest.fixture
def strangers_namespace() -> Iterator[str]:
    """A namespace of somebody else, whose name differs from a cloud's own by the cloud's part only."""
    name = f"turbine-stranger-{os.getpid()}-0"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_nodes_meet_at_addresses_of_their_own_and_leave_nothing(namespaced: tuple[dict[str, Any], Any]) -> None:
    cloud, jobs = namespaced
    definition = jobs.define_nodes("gang", 2, "show-and-meet", "29400")
    job = jobs.ended(jobs.submit(definition, jobQueue=jobs.on_demand))
    nodes = [jobs.job(f"{job['jobId']}#{index}")["container"] for index in range(2)]
    logs = [jobs.log(node["logStreamName"]) for node in nodes]
    addresses = [node["networkInterfaces"][0]["privateIpv4Address"] for node in nodes]
    assert job["status"] == "SUCCEEDED", logs
    assert all(address.startswith("10.213.") for address in addresses)
    assert len(set(addresses)) == 2
    assert json.loads(logs[1][0])["environment"]["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] == addresses[0]
    assert logs[0][1] == f"from {addresses[1]}, one of 2"
    assert names(cloud["state_dir"]) == set()


def test_a_lost_node_falls_silent_and_hangs_up_on_nobody(namespaced: tuple[dict[str, Any], Any]) -> None:
    cloud, jobs = namespaced
    job_id = jobs.running(jobs.define_nodes("silent", 2, "hear-child", "29402"), jobQueue=jobs.on_demand)
    (child,) = [one for one in hosts.running(access_to(cloud)) if (one["jobId"], one["nodeIndex"]) == (job_id, 1)]
    hosts.lose(access_to(cloud), child["instanceId"])
    assert jobs.ended(job_id)["attempts"][0]["container"]["exitCode"] == 3
    assert jobs.job(f"{job_id}#1")["statusReason"] == f"Host EC2 (instance {child['instanceId']}) terminated."


def test_what_a_killed_cloud_left_is_removed_at_its_next_start(tmp_path: Path, strangers_namespace: str) -> None:
    with running_cloud(tmp_path, *NAMESPACES) as (process, cloud):
        jobs = jobs_of(cloud)
        jobs.running(jobs.define_nodes("orphans", 2, "wait", "600"), jobQueue=jobs.on_demand)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(names(tmp_path)) == 3
    (tmp_path / "cloud.json").unlink()
    with running_cloud(tmp_path, *NAMESPACES):
        assert names(tmp_path) == set()
    assert (NAMES / strangers_namespace).exists()

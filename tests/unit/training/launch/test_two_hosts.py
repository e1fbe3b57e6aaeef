"""Two launchers as two hosts: network namespaces joined by one cable, which is then pulled."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

BATCH_JOBS = Path(__file__).parents[4] / "batch_jobs"
MAIN_ADDRESS, CHILD_ADDRESS = "10.213.7.1", "10.213.7.2"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}
NEW_NETWORK = 0x40000000  # CLONE_NEWNET of linux/sched.h


@dataclass(frozen=True)
class Host:
    """A network namespace with a loopback and one card."""

    name: str
    address: str
    undo: ExitStack

    def start(self, **variables: str) -> "subprocess.Popen[str]":
        """The training command on this host."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(BATCH_JOBS),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_BATCH_JOB_NUM_NODES": "2",
            "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
            **CREDENTIALS,
            **variables,
        }
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", "training"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, process_group=0)
        self.undo.callback(_kill_all_of, process)
        return process

    def enter(self) -> None:
        """Let the calling thread's sockets, and those of threads it starts, be this host's."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", self.name).open() as network:
            if libc.setns(network.fileno(), NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")


def _kill_all_of(process: "subprocess.Popen[str]") -> None:
    """What a failed test has left: the launcher and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with ExitStack() as undo:
        main = Host(f"tm{os.getpid()}", MAIN_ADDRESS, undo)
        child = Host(f"tc{os.getpid()}", CHILD_ADDRESS, undo)
        for host in (main, child):
            try:
                ip("netns", "add", host.name)
            except (OSError, subprocess.CalledProcessError) as error:
                reason = getattr(error, "stderr", None) or error
                pytest.skip(f"needs `ip netns add`, which this user or host does not allow: {reason}")
            undo.callback(ip, "netns", "delete", host.name)
        ip("link", "add", "card", "netns", main.name, "type", "veth", "peer", "name", "card", "netns", child.name)
        for host in (main, child):
            ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "card")
            ip("-n", host.name, "link", "set", "card", "up")
            ip("-n", host.name, "link", "set", "lo", "up")
        yield main, child


@pytest.fixture
def cloud(hosts: tuple[Host, Host]) -> Iterator[ThreadPoolExecutor]:
    """A thread on the main host, for whoever speaks to S3."""
    with ThreadPoolExecutor(1, initializer=hosts[0].enter) as thread:
        yield thread


@pytest.fixture
def endpoint(cloud: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """S3 on the main host, in reach of both."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(MAIN_ADDRESS, 0, verbose=False)
    cloud.submit(server.start).result()
    yield f"http://{MAIN_ADDRESS}:{server.get_host_and_port()[1]}"
    cloud.submit(server.stop).result()


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_hosts_train_together_until_the_cable_between_them_is_pulled(
    hosts: tuple[Host, Host], cloud: ThreadPoolExecutor, endpoint: str, bench_type: Any, table: pa.Table
) -> None:
    main_host, child_host = hosts

    def put_run() -> str:
        bench = bench_type(boto3.client("s3", endpoint_url=endpoint))
        return bench.put_run([bench.put_shard(table)], hyperparameters={"epochs": 10_000}, compute={"nodes": 2})

    common = {"AWS_ENDPOINT_URL": endpoint, "TURBINE_RUN_SPEC": cloud.submit(put_run).result()}
    child = child_host.start(
        **common, AWS_BATCH_JOB_NODE_INDEX="1", AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS=MAIN_ADDRESS
    )
    main = main_host.start(**common, AWS_BATCH_JOB_NODE_INDEX="0")
    assert main.stdout is not None
    trained = []
    for line in main.stdout:
        trained += events(line)
        if trained and trained[-1]["event"] in ("epoch", "failed"):
            break
    assert [event["world_size"] for event in trained if event["event"] == "started"] == [2]
    assert trained[-1]["event"] == "epoch", trained

    ip("-n", child_host.name, "link", "set", "card", "down")
    pulled = time.monotonic()
    outputs = [node.communicate(timeout=60)[0] for node in (main, child)]
    assert time.monotonic() - pulled <= 30
    assert (main.returncode, child.returncode) == (75, 75)
    for output, other in zip(outputs, ("node 1", "the main node"), strict=True):
        lost, failed = [event for event in events(output) if event["event"] in ("node_lost", "failed")]
        assert lost["silent_s"] >= 10
        assert (failed["error"], failed["exit_code"]) == ("NodeLostError", 75)
        assert other in failed["message"]
        assert "tried again" in failed["mend"]

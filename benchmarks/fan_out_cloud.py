"""An embedded cloud of a benchmark's own, with the graph of `fan_out/` deployed, and what its process takes.

The cloud is as users have it: a process of its own, its state kept, every request signed, a root folder for each job.
"""

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from cli.deployment import change_sets
from cli.embedded import daemon
from cli.embedded.state import RunningCloud
from local_cloud import packaging

ROOT = Path(__file__).parents[1]
TEMPLATE = Path(__file__).parent / "fan_out/template.yaml"
STACK = "fan-out"
LIMIT_S = 900.0
_LOOK_EVERY_S = 0.01


class FailedError(RuntimeError):
    """The cloud did not do what was to be measured."""


@dataclass(frozen=True)
class Taken:
    """What a process has of its machine. CPU seconds are with those of its children that have ended."""

    cpu_s: float
    rss_mb: float
    threads: int
    handles: int


class FanOutCloud:
    """A running cloud and its clients."""

    def __init__(self, process: subprocess.Popen[bytes], running: RunningCloud) -> None:
        self.process = process
        self._running = running
        self._seen: set[str] = set()
        self.s3, self.stepfunctions = self._client("s3"), self._client("stepfunctions")
        self.outputs: dict[str, str] = {}

    def _client(self, service: str) -> Any:
        create: Any = boto3.client
        return create(
            service,
            endpoint_url=self._running.endpoint,
            region_name=self._running.region,
            aws_access_key_id=self._running.access_key_id,
            aws_secret_access_key=self._running.secret_access_key,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )

    def deploy(self) -> None:
        """Package and create the stack, as `turbine` and `sam deploy` do."""
        self.s3.create_bucket(Bucket="code")
        cloudformation = self._client("cloudformation")
        body = packaging.package(TEMPLATE, ROOT, self.s3, "code")
        change_sets.apply(cloudformation, STACK, change_sets.Template(body=body), {})
        self.find_stack()

    def find_stack(self) -> None:
        """Read the outputs of the stack that is there."""
        stack = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def fan_out(self, width: int, program: str = "trivial") -> float:
        """Seconds from the put of an object to the moment at which a client reads that its execution SUCCEEDED.

        Raises: FailedError.
        """
        started_s = time.perf_counter()
        self.s3.put_object(Bucket=self.outputs["InputBucketName"], Key=f"{width}/{program}/{uuid.uuid4().hex}")
        ended = self.ended(self._next_execution(started_s))
        took_s = time.perf_counter() - started_s
        if (ended["status"], ended.get("output")) != ("SUCCEEDED", str(width)):
            raise FailedError(f"a fan-out of {width} ended as {ended['status']}: {ended.get('cause')}")
        return took_s

    def _next_execution(self, since_s: float) -> str:
        """The one execution of the fan-out's machine that is new."""
        while time.perf_counter() - since_s < LIMIT_S:
            newest = self.stepfunctions.list_executions(stateMachineArn=self.outputs["FanOutMachineArn"], maxResults=1)[
                "executions"
            ]
            if newest and newest[0]["executionArn"] not in self._seen:
                self._seen.add(newest[0]["executionArn"])
                return str(newest[0]["executionArn"])
            time.sleep(_LOOK_EVERY_S)
        raise FailedError(f"the put started no execution in {LIMIT_S:.0f} s")

    def execute(self) -> float:
        """Seconds from the start of an execution of the trivial machine to the moment at which it is read to be over.

        Raises: FailedError.
        """
        started_s = time.perf_counter()
        arn = self.stepfunctions.start_execution(stateMachineArn=self.outputs["TrivialMachineArn"])["executionArn"]
        ended = self.ended(arn, look_every_s=0.001)
        if ended["status"] != "SUCCEEDED":
            raise FailedError(f"an execution ended as {ended['status']}: {ended.get('cause')}")
        return time.perf_counter() - started_s

    def ended(self, arn: str, look_every_s: float = _LOOK_EVERY_S) -> dict[str, Any]:
        """What DescribeExecution says of an execution that has ended. Raises: FailedError."""
        deadline_s = time.perf_counter() + LIMIT_S
        while time.perf_counter() < deadline_s:
            found: dict[str, Any] = self.stepfunctions.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                return found
            time.sleep(look_every_s)
        raise FailedError(f"{arn} still runs after {LIMIT_S:.0f} s")

    def taken(self) -> Taken:
        """What the cloud's process takes now."""
        return taken(self.process.pid)

    def stop(self) -> None:
        """End it as `turbine local down` does."""
        daemon.end_child(self.process)


class Timed:
    """Measures one contestant again and again: wall clock as the answer, CPU seconds kept beside it."""

    def __init__(self, work: Callable[[], float], cpu_s: Callable[[], float]) -> None:
        self._work, self._cpu_s = work, cpu_s
        self.cpu: list[float] = []

    def turn(self) -> float:
        before_s = self._cpu_s()
        took_s = self._work()
        self.cpu.append(self._cpu_s() - before_s)
        return took_s


def start(state_dir: Path) -> FanOutCloud:
    """Start a cloud on a state directory and wait until it is ready."""
    return FanOutCloud(*daemon.start_ready(state_dir, 0, parent_pid=os.getpid()))


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder for a cloud's state, removed afterwards. On a disk: it is kept there as a user's would be."""
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="orchestration-", dir=ROOT / "build"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def deployed() -> Iterator[FanOutCloud]:
    """A cloud with the stack, stopped afterwards."""
    with state_folder() as folder:
        cloud = start(folder)
        try:
            cloud.deploy()
            yield cloud
        finally:
            cloud.stop()


def taken(pid: int) -> Taken:
    """What a process takes now. Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    folder = Path(f"/proc/{pid}")
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system, childrens_user, childrens_system = map(int, fields[11:15])
    ticks = user + system + childrens_user + childrens_system
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    return Taken(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        rss_mb=int((folder / "statm").read_text().split()[1]) * page_bytes / 1e6,
        threads=int(fields[17]),
        handles=len(list((folder / "fd").iterdir())),
    )

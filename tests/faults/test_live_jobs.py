"""Jobs live on while the cloud is dead: none is started twice, none is ended, no line of a log is lost or doubled."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud import crash_points, hosts
from local_cloud.containers import folder
from tests.faults.jobs_cloud import Counter, JobsCloud, jobs_cloud, processes_of
from tests.parity.conftest import ROOT, access_to
from tests.parity.jobs.probe_stack import Machines, until

pytestmark = [
    pytest.mark.xdist_group("live-jobs"),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]
_names = itertools.count()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsCloud]:
    with jobs_cloud(tmp_path_factory.mktemp("live")) as started:
        yield started


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path / "count")


def define(cloud: JobsCloud, *command: str) -> str:
    return cloud.jobs.define(f"live-{next(_names)}", *command)


def counting(cloud: JobsCloud, counter: Counter, **more: Any) -> str:
    """A job that counts, once it does."""
    job_id = cloud.jobs.submit(define(cloud, "count", str(counter.path)), **more)
    counter.goes_on()
    return job_id


def log_of(cloud: JobsCloud, job_id: str) -> list[str]:
    """Of the last attempt; `get_log_events` has 10,000 lines at most."""
    return cloud.jobs.log(cloud.jobs.stream(job_id))


def test_a_job_counts_on_while_the_cloud_is_dead(cloud: JobsCloud, counter: Counter) -> None:
    job_id = counting(cloud, counter)
    before = cloud.jobs.job(job_id)
    for _ in range(2):
        cloud.kill()
        counter.goes_on()
        cloud.start()
        assert cloud.jobs.job(job_id)["status"] == "RUNNING"
        counter.goes_on()
    counter.stop()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], len(job["attempts"]), len(counter.starts())) == ("SUCCEEDED", 1, 1)
    assert (job["startedAt"], job["container"]["taskArn"]) == (before["startedAt"], before["container"]["taskArn"])
    assert log_of(cloud, job_id) == counter.lines()
    until(lambda: folder.all_of(cloud.state) == [])


def test_one_that_ended_meanwhile_has_its_own_end_and_is_tried_again(cloud: JobsCloud, counter: Counter) -> None:
    rules = [{"onExitCode": "3", "action": "RETRY"}, {"onExitCode": "*", "action": "EXIT"}]
    job_id = counting(cloud, counter, retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    first = cloud.jobs.stream(job_id)
    cloud.kill()
    counter.stop(3)
    until(lambda: not counter.alive())
    counted = counter.lines()
    cloud.start()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], [one["container"]["exitCode"] for one in job["attempts"]]) == ("FAILED", [3, 3])
    assert job["statusReason"] == "Essential container in task exited"
    assert cloud.jobs.log(first) == counted
    assert len(counter.starts()) == 2


def test_one_that_failed_meanwhile_ends_by_its_rule(cloud: JobsCloud, counter: Counter) -> None:
    rules = [{"onExitCode": "3", "action": "EXIT"}]
    job_id = counting(cloud, counter, retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    cloud.kill()
    counter.stop(3)
    until(lambda: not counter.alive())
    cloud.start()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], [one["container"]["exitCode"] for one in job["attempts"]]) == ("FAILED", [3])


@pytest.mark.parametrize("also_the_container", [True, False])
def test_one_whose_shim_was_killed_is_lost_with_its_host(
    cloud: JobsCloud, counter: Counter, also_the_container: bool
) -> None:
    job_id = counting(cloud, counter)
    host = hosts.running(access_to(cloud.written))[0]["instanceId"]
    (pid,) = counter.alive()
    (left,) = folder.all_of(cloud.state)
    shim = left.shim()
    cloud.kill()
    before = counter.number()
    counter.goes_on(50)
    assert shim is not None
    os.kill(shim, signal.SIGKILL)
    if also_the_container:
        os.kill(pid, signal.SIGKILL)
    until(lambda: left.shim() is None)
    cloud.start()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", f"Host EC2 (instance {host}) terminated.")
    assert "exitCode" not in job["attempts"][0]["container"]
    assert (counter.alive(), len(counter.starts())) == ([], 1)
    log = log_of(cloud, job_id)
    assert log == [str(number) for number in range(len(log))]
    assert len(log) > before, "its last words are in its log"


def test_an_execution_that_waits_for_a_job_goes_on(cloud: JobsCloud, counter: Counter) -> None:
    machines = Machines(cloud.client("stepfunctions"))
    arguments = {
        "JobName": "waited-for",
        "JobQueue": cloud.jobs.queue,
        "JobDefinition": define(cloud, "count", str(counter.path)),
    }
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "Arguments": arguments, "End": True}
    execution = machines.start(machines.create({"Train": {**task, "Output": "{% $states.result.Status %}"}}))
    counter.goes_on()
    cloud.kill()
    counter.goes_on()
    cloud.start()
    counter.stop()
    ended = Machines(cloud.client("stepfunctions")).ended(execution)
    assert (ended["status"], ended["output"], len(counter.starts())) == ("SUCCEEDED", '"SUCCEEDED"', 1)


def test_a_job_is_terminated_after_the_restart(cloud: JobsCloud) -> None:
    job_id = cloud.jobs.running(define(cloud, "wait", "600"))
    cloud.restart()
    cloud.client("batch").terminate_job(jobId=job_id, reason="enough")
    job = cloud.jobs.ended(job_id)
    assert (job["statusReason"], job["container"]["exitCode"]) == ("enough", 75)
    assert log_of(cloud, job_id) == ["waiting", "asked to stop"]


def test_a_job_speaks_to_the_cloud_that_was_started_again(cloud: JobsCloud, tmp_path: Path) -> None:
    job_id = cloud.jobs.running(define(cloud, "call-after", str(tmp_path / "go")))
    cloud.restart()
    (tmp_path / "go").touch()
    assert cloud.jobs.ended(job_id)["status"] == "SUCCEEDED"
    assert log_of(cloud, job_id) == ["waiting", "1 hosts"]


def test_a_job_is_held_to_its_memory_after_the_restart(cloud: JobsCloud, tmp_path: Path) -> None:
    job_id = cloud.jobs.running(define(cloud, "eat-after", str(tmp_path / "go"), "400"))
    cloud.restart()
    (tmp_path / "go").touch()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 137)
    assert job["container"]["reason"].startswith("OutOfMemoryError")


def test_a_host_is_taken_away_after_the_restart(cloud: JobsCloud) -> None:
    rules = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}]}
    job_id = cloud.jobs.running(define(cloud, "heed-notice"), jobQueue=cloud.jobs.spot, retryStrategy=rules)
    (before,) = hosts.running(access_to(cloud.written))
    cloud.restart()
    (after,) = hosts.running(access_to(cloud.written))
    assert (after["instanceId"], after["jobId"]) == (before["instanceId"], job_id)
    hosts.reclaim(access_to(cloud.written), after["instanceId"])
    job = cloud.jobs.ended(job_id)
    assert (job["status"], [one["container"]["exitCode"] for one in job["attempts"]]) == ("SUCCEEDED", [75, 0])


def test_the_nodes_of_a_job_go_on_together(cloud: JobsCloud, tmp_path: Path) -> None:
    job_id, counters = gang(cloud, tmp_path)
    cloud.kill()
    for counter in counters:
        counter.goes_on()
    cloud.start()
    for counter in reversed(counters):
        counter.goes_on()
        counter.stop()
        until(functools.partial(lambda one: not one.alive(), counter))
    job = cloud.jobs.ended(job_id)
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    nodes = [cloud.jobs.job(f"{job_id}#{index}") for index in range(2)]
    assert [node["container"]["exitCode"] for node in nodes] == [0, 0]
    for node, counter in zip(nodes, counters, strict=True):
        assert cloud.jobs.log(node["container"]["logStreamName"]) == counter.lines()
        assert len(counter.starts()) == 1


def test_a_job_that_has_lost_a_node_is_lost(cloud: JobsCloud, tmp_path: Path) -> None:
    job_id, counters = gang(cloud, tmp_path)
    cloud.kill()
    of_node_1 = next(one for one in folder.all_of(cloud.state) if one.pid() in counters[1].starts())
    shim = of_node_1.shim()
    assert shim is not None
    os.kill(shim, signal.SIGKILL)
    until(lambda: of_node_1.shim() is None)
    cloud.start()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], job["statusReason"][:8], len(job["attempts"])) == ("FAILED", "Host EC2", 1)
    assert [counter.alive() for counter in counters] == [[], []]


def gang(cloud: JobsCloud, folder_of_counts: Path) -> tuple[str, list[Counter]]:
    """A job of two nodes that count, each by itself, once they do."""
    counters = [Counter(folder_of_counts / f"count-{index}") for index in range(2)]
    commands = [["count", str(counter.path)] for counter in counters]
    definition = cloud.jobs.define_nodes(f"live-{next(_names)}", 2, *commands[0])
    overrides = [{"targetNodes": "1:1", "containerOverrides": {"command": commands[1]}}]
    job_id = cloud.jobs.submit(
        definition, jobQueue=cloud.jobs.on_demand, nodeOverrides={"nodePropertyOverrides": overrides}
    )
    for counter in counters:
        counter.goes_on()
    return job_id, counters


AROUND_THE_START = (
    "container-recorded",
    "container-made",
    "shim-asked-for",
    "shim-told",
    "container-started",
)
AROUND_THE_END = ("attempt-ended", "end-written")


@pytest.mark.parametrize("point", [*AROUND_THE_START, *AROUND_THE_END])
def test_a_crash_at_any_point_of_a_start_or_an_end_runs_the_job_once(
    cloud: JobsCloud, counter: Counter, point: str
) -> None:
    cloud.kill()
    cloud.start({crash_points.VARIABLE: f"{point}:1"})
    if point in AROUND_THE_END:
        counter.stop()
    job_id = cloud.jobs.submit(define(cloud, "count", str(counter.path)))
    assert cloud.process.wait(60) == -signal.SIGKILL
    cloud.start()
    if point in AROUND_THE_START:
        counter.goes_on()
        assert len(counter.alive()) == 1
        counter.stop()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], len(job["attempts"]), len(counter.starts())) == ("SUCCEEDED", 1, 1)
    assert log_of(cloud, job_id) == counter.lines()
    until(lambda: folder.all_of(cloud.state) == [])


def test_an_ordered_end_of_the_cloud_ends_its_jobs(cloud: JobsCloud, counter: Counter) -> None:
    job_id = counting(cloud, counter)
    cloud.stop()
    until(lambda: not processes_of(cloud.state))
    cloud.start()
    job = cloud.jobs.ended(job_id)
    assert (job["status"], job["statusReason"][:8]) == ("FAILED", "Host EC2")
    assert len(counter.starts()) == 1


def test_down_ends_what_a_dead_cloud_has_left(cloud: JobsCloud, counter: Counter) -> None:
    job_id = counting(cloud, counter)
    (left,) = folder.all_of(cloud.state)
    cloud.kill()
    assert json.loads(command(cloud, "doctor"))["healthy"]
    assert left.container_id in command(cloud, "doctor")
    assert counter.alive()
    assert json.loads(command(cloud, "down"))["ended_containers"] == [left.container_id]
    assert (counter.alive(), processes_of(cloud.state)) == ([], [])
    cloud.start()
    assert cloud.jobs.ended(job_id)["statusReason"].startswith("Host EC2")


def command(cloud: JobsCloud, name: str) -> str:
    """What `turbine local NAME --json` prints."""
    words = [sys.executable, "-m", "cli", "local", name, "--json", "--state-dir", str(cloud.state)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core'}"}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_cloud_that_somebody_owns_takes_its_jobs_along(cloud: JobsCloud, counter: Counter) -> None:
    cloud.kill()
    cloud.start(is_owned=True)
    counting(cloud, counter)
    cloud.kill()
    until(lambda: not processes_of(cloud.state))
    cloud.start()
    assert counter.alive() == []


@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter"))), reason="network namespaces need root, iproute2"
)
def test_nodes_in_networks_of_their_own_reach_the_cloud_that_was_started_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with jobs_cloud(state, "--node-networks", "namespaces") as cloud:
        definition = cloud.jobs.define_nodes("namespaced", 2, "call-after", str(tmp_path / "go"))
        job_id = cloud.jobs.running(definition, jobQueue=cloud.jobs.on_demand)
        until(lambda: cloud.jobs.job(f"{job_id}#1")["container"].get("networkInterfaces"))
        cloud.restart()
        (tmp_path / "go").touch()
        job = cloud.jobs.ended(job_id)
        assert job["status"] == "SUCCEEDED", (job, log_of(cloud, job_id))
        assert log_of(cloud, job_id) == ["waiting", "2 hosts"]

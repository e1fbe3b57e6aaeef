"""`turbine local hosts` and `reclaim` on a running cloud's jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.commands import hosts
from cli.errors import CommandError
from tests.parity.jobs.test_hosts import ON_SPOT, host_of


def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_spot_job_is_reclaimed_by_its_name(
    jobs: Any, cloud: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = jobs.running(jobs.define("heed", "heed-notice"), jobQueue=jobs.spot, retryStrategy=ON_SPOT)
    host = host_of(cloud, job_id)["instanceId"]
    hosts.show(cloud["state_dir"], json_only=True)
    assert host in [one["instanceId"] for one in shown(capsys)["hosts"]]
    hosts.reclaim(job_id, 120, False, cloud["state_dir"], json_only=True)
    assert shown(capsys) == {"host": host, "job": job_id, "how": "reclaimed in 120 s"}
    assert [one["container"]["exitCode"] for one in jobs.ended(job_id)["attempts"]] == [75, 0]


@pytest.mark.parametrize(("sudden", "how"), [(False, "terminated"), (True, "lost")])
def test_an_on_demand_host_goes_at_once(
    jobs: Any, cloud: dict[str, Any], capsys: pytest.CaptureFixture[str], sudden: bool, how: str
) -> None:
    job_id = jobs.running(jobs.define("taken", "wait", "600"), jobQueue=jobs.on_demand)
    host = host_of(cloud, job_id)["instanceId"]
    hosts.reclaim(host, 120, sudden, cloud["state_dir"], json_only=True)
    assert shown(capsys)["how"] == how
    assert jobs.ended(job_id)["statusReason"] == f"Host EC2 (instance {host}) terminated."


def test_nothing_of_that_name_is_a_clear_refusal(cloud: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="no running host or job is called 'i-0'"):
        hosts.reclaim("i-0", 120, False, cloud["state_dir"])


def test_without_a_cloud_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no embedded cloud"):
        hosts.show(tmp_path)

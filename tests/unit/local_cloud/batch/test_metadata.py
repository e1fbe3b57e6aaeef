"""The instance metadata of a Spot host: IMDSv2, and a notice only once the host is reclaimed."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from local_cloud.batch.instances import Instance, NotSpotError
from local_cloud.batch.metadata import MetadataService

TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


@pytest.fixture
def instance() -> Instance:
    return Instance("123456789012", "us-east-1", True, "cluster", {})


@pytest.fixture
def endpoint(instance: Instance) -> Iterator[str]:
    with contextlib.closing(MetadataService(instance)) as service:
        yield service.endpoint


def ask(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def with_token(endpoint: str) -> dict[str, str]:
    return {"X-aws-ec2-metadata-token": ask(f"{endpoint}/latest/api/token", "PUT", TTL)[1]}


def test_the_notice_comes_with_the_reclaim(endpoint: str, instance: Instance) -> None:
    item, token = f"{endpoint}/latest/meta-data/spot/instance-action", with_token(endpoint)
    assert ask(item, headers=token) == (404, "")
    instance.reclaim(notice_s=3600)
    status, notice = ask(item, headers=token)
    assert instance.ends_at is not None
    assert (status, json.loads(notice)) == (
        200,
        {"action": "terminate", "time": instance.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    assert not instance.is_ending


def test_it_says_which_instance_it_is(endpoint: str, instance: Instance) -> None:
    token = with_token(endpoint)
    assert ask(f"{endpoint}/latest/meta-data/instance-id", headers=token) == (200, instance.instance_id)


def test_without_a_token_nothing_is_told(endpoint: str) -> None:
    assert ask(f"{endpoint}/latest/meta-data/instance-id")[0] == 401
    assert ask(f"{endpoint}/latest/meta-data/instance-id", headers={"X-aws-ec2-metadata-token": "guessed"})[0] == 401


@pytest.mark.parametrize("ttl", [{}, {"X-aws-ec2-metadata-token-ttl-seconds": "0"}])
def test_a_token_needs_a_lifetime(endpoint: str, ttl: dict[str, str]) -> None:
    assert ask(f"{endpoint}/latest/api/token", "PUT", ttl)[0] == 400


def test_an_on_demand_host_is_never_reclaimed() -> None:
    with pytest.raises(NotSpotError):
        Instance("123456789012", "us-east-1", False, "cluster", {}).reclaim()

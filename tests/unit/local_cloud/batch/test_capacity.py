"""Compute environments and queues as the ordering rules see them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.batch import capacity
from local_cloud.batch.ordering import FairShare, Resources


def moto_environment(kind: str = "EC2", managed: bool = True, **more: Any) -> Any:
    resources = {"type": kind, "maxvCpus": 64, "instanceTypes": ["p4d.24xlarge"], **more} if managed else None
    return SimpleNamespace(
        arn="e", state="ENABLED", env_type="MANAGED" if managed else "UNMANAGED", compute_resources=resources
    )


def test_instances_are_the_unit_where_their_types_are_known() -> None:
    found = capacity.environment(moto_environment())
    assert found.host_sizes == (Resources(96, 1_179_648, 8),)
    assert (found.max_vcpus, found.takes_gangs) == (64, True)
    assert capacity.environment(moto_environment(instanceTypes=["x99.huge"])).host_sizes == ()


def test_families_and_optimal_are_all_their_types() -> None:
    assert Resources(2, 4096) in capacity.host_sizes(("c5",))
    assert Resources(16, 65_536) in capacity.host_sizes(("optimal",))


@pytest.mark.parametrize("kind", ["FARGATE", "FARGATE_SPOT", "SPOT"])
def test_gangs_run_on_demand_on_ec2_only(kind: str) -> None:
    assert not capacity.environment(moto_environment(kind)).takes_gangs


def test_fargate_and_unmanaged_environments_have_no_hosts() -> None:
    assert capacity.environment(moto_environment("FARGATE")).host_sizes == ()
    unmanaged = capacity.environment(moto_environment(managed=False))
    assert (unmanaged.max_vcpus, unmanaged.host_sizes, unmanaged.takes_gangs) == (math.inf, (), False)


@pytest.mark.parametrize(("strategy", "exceeds"), [("BEST_FIT", False), ("BEST_FIT_PROGRESSIVE", True)])
def test_only_best_fit_never_passes_the_limit(strategy: str, exceeds: bool) -> None:
    assert capacity.environment(moto_environment(allocationStrategy=strategy)).may_exceed is exceeds


def test_a_queue_has_its_enabled_environments_and_its_policys_shares() -> None:
    policy = SimpleNamespace(
        fairshare_policy={
            "shareDecaySeconds": 60,
            "computeReservation": 10,
            "shareDistribution": [{"shareIdentifier": "a", "weightFactor": 0.5}, {"shareIdentifier": "b"}],
        }
    )
    backend = SimpleNamespace(_scheduling_policies={"policy": policy})
    disabled = SimpleNamespace(arn="off", state="DISABLED")
    found = SimpleNamespace(
        arn="q", priority="3", environments=[disabled, moto_environment()], schedule_policy="policy", backend=backend
    )
    queue = capacity.queue(found)
    assert (queue.priority, queue.environments) == (3, ("e",))
    assert queue.fair_share == FairShare({"a": 0.5, "b": 1.0}, 60, 10)

"""The probe's stack, deployed once, and what the tests of machines and jobs drive it with."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.parity.jobs import probe_stack


@pytest.fixture(scope="session")
def probe(client: Callable[..., Any]) -> ModuleType:
    """The drivers, with the probe's repository deployed."""
    probe_stack.deploy(client("cloudformation"))
    return probe_stack


@pytest.fixture(scope="session")
def jobs(probe: ModuleType, client: Callable[..., Any]) -> probe_stack.Jobs:
    queues = [probe_stack.resource(client("cloudformation"), f"{kind}Queue") for kind in ("OnDemand", "Spot")]
    return probe_stack.Jobs(client("batch"), client("logs"), *queues)


@pytest.fixture(scope="session")
def machines(client: Callable[..., Any], probe: ModuleType) -> probe_stack.Machines:
    return probe_stack.Machines(client("stepfunctions"))

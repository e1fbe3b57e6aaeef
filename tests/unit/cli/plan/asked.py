"""What the tests of `turbine plan` ask for: the eight runs from which the project began."""

from __future__ import annotations

from typing import Any

from cli.plan.request import Request, TeamWork
from turbine.domain.capacity.model import Curve
from turbine.domain.capacity.prices import PRICES

TEAMS = ("vision", "winery", "oncology", "endocrine")


def asked(**changes: Any) -> Request:
    """The reference, with fields changed."""
    given: dict[str, Any] = {
        "teams": tuple(TeamWork(team) for team in TEAMS),
        "runs_per_team": 2,
        "vms": 7,
        "curve": Curve(0.95),
        "cpus_per_gpu": 6.0,
        "gpus_per_vm": 8,
        "launch_h": 0.0,
        "within_h": 1.0,
        "instance_type": "p4d.24xlarge",
        "price": PRICES["p4d.24xlarge"],
        "price_source": "a list",
    }
    return Request(**given | changes)

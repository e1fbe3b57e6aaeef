"""`turbine simulate`: what it tells, and that it tells the same twice."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cli import exit_codes
from cli.embedded.daemon import PROJECT_DIR


def typed(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "cli", "simulate", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_DIR, check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_year_shows_what_each_policy_costs_and_gains() -> None:
    code, told = typed("--failures", "0.02", "--spot", "--seed", "7")
    first, planned, staggered = told["policies"]
    assert code == exit_codes.OK
    assert first["mean_completion_h"] > planned["mean_completion_h"] > staggered["mean_completion_h"]
    assert first["vm_hours"] < planned["vm_hours"]
    assert first["cost_usd"] == pytest.approx((first["vm_hours"] + first["vm_hours_idle"]) * 21.96, rel=1e-3)
    for policy in told["policies"]:
        assert policy["most_vms_held"] <= 7
        assert policy["unfairness_h"] < 0.1
    assert typed("--failures", "0.02", "--spot", "--seed", "7")[1] == told
    assert typed("--failures", "0.02", "--spot", "--seed", "8")[1] != told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--work-cpu-hours", "0"], "is not above 0"),
        (["--efficiency", "2"], "at most 1"),
        (["--vms", "0"], "--vms"),
        (["--instance-type", "none"], "no price is known"),
    ],
)
def test_bad_input_is_one_message(arguments: list[str], says: str) -> None:
    code, told = typed("--weeks", "1", *arguments)
    assert (code, says in told["error"]["cause"]) == (exit_codes.REFUSED, True)

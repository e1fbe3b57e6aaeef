"""A share of the soak that every change passes: ten kills of fixed seeds, a third of them at named points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.journal import NotThereError
from tests.faults.soak import Plan, Soak

pytestmark = pytest.mark.timeout(1_200)  # a busy machine is slow, and not wrong
SEED = 20261125
KILLS = 10


def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    soak = Soak(tmp_path, seed=SEED)
    try:
        for number in range(KILLS):
            print(soak.round(number))
    finally:
        soak.stop()


@pytest.mark.parametrize(
    ("arguments", "module", "plan"),
    [
        pytest.param(["--forgetful"], "local_cloud", Plan(40), id="keeps nothing"),
        pytest.param([], "tests.faults.cloud_without_intents", Plan(40, "task-called"), id="calls again"),
    ],
)
def test_a_cloud_without_a_defence_is_found_out(
    tmp_path: Path, arguments: Sequence[str], module: str, plan: Plan
) -> None:
    soak = Soak(tmp_path, arguments, (module,))
    try:
        with pytest.raises(NotThereError):
            soak.round(0, plan)
    finally:
        soak.stop()

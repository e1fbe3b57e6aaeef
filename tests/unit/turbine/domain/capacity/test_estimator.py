"""What finished runs teach about the next one."""

from __future__ import annotations

import math
import random

import pytest

from turbine.domain.capacity.estimator import EFFICIENCY_LEAST, EFFICIENCY_MOST, Measured, believe
from turbine.domain.capacity.model import Curve


def runs(work_vm_h: float, efficiency: float, widths: list[int], seed: int | None = None) -> list[Measured]:
    """Runs of a work, with luck of a tenth where there is a seed."""
    dice = random.Random(seed)
    luck = [0.0 if seed is None else dice.gauss(0, 0.1) for _ in widths]
    speed_up = Curve(efficiency).speed_up
    return [Measured(n, work_vm_h / speed_up(n) * math.exp(off)) for n, off in zip(widths, luck, strict=True)]


def test_without_a_run_what_was_stated_holds() -> None:
    belief = believe([], 2.0, 0.95, is_stated=True)
    assert (belief.work_vm_h, belief.efficiency_per_doubling) == pytest.approx((2, 0.95))
    assert belief.runs == 0
    assert belief.work_factor == pytest.approx(math.exp(0.5))


def test_one_run_tells_a_work_that_nobody_has_stated() -> None:
    belief = believe(runs(0.01, 0.95, [1]), 2.0, 0.95, is_stated=False)
    assert belief.work_vm_h == pytest.approx(0.01, rel=0.01)
    assert belief.work_factor < 1.11


def test_a_stated_work_gives_way_run_by_run() -> None:
    found = [believe(runs(4.0, 0.95, [1] * count), 2.0, 0.95, is_stated=True).work_vm_h for count in (0, 1, 3, 10)]
    assert found == sorted(found) and found[0] == pytest.approx(2) and found[-1] == pytest.approx(4, rel=0.01)


def test_runs_on_one_vm_teach_nothing_about_more_of_them() -> None:
    belief = believe(runs(4.0, 0.8, [1] * 20), 2.0, 0.95, is_stated=True)
    assert belief.efficiency_per_doubling == pytest.approx(0.95)
    assert belief.efficiency_spread == pytest.approx(0.05)


def test_runs_on_several_widths_teach_the_curve() -> None:
    belief = believe(runs(4.0, 0.8, [1, 2, 4, 8] * 5), 4.0, 0.95, is_stated=True)
    assert belief.efficiency_per_doubling == pytest.approx(0.8, abs=0.02)
    assert belief.efficiency_spread < 0.025


def test_what_is_said_of_its_uncertainty_is_true() -> None:
    """Over many seeds the work lies within one spread of what is believed about two times in three."""
    hits = total = 0
    for seed in range(400):
        belief = believe(runs(3.0, 0.9, [1, 1, 2, 4], seed), 3.0, 0.9, is_stated=False)
        total += 1
        hits += abs(math.log(belief.work_vm_h / 3.0)) <= math.log(belief.work_factor)
    assert 0.6 < hits / total < 0.78


def test_runs_that_took_no_time_and_impossible_ones_say_nothing() -> None:
    odd = [Measured(1, 0.0), Measured(0, 1.0), Measured(1, math.inf), Measured(1, math.nan)]
    assert believe(odd, 2.0, 0.95, is_stated=True) == believe([], 2.0, 0.95, is_stated=True)


@pytest.mark.parametrize(("efficiency", "kept"), [(0.3, EFFICIENCY_LEAST), (1.4, EFFICIENCY_MOST)])
def test_an_efficiency_stays_one_that_can_be_planned_with(efficiency: float, kept: float) -> None:
    odd = [Measured(n, 4.0 / (n * efficiency ** math.log2(n))) for n in (1, 2, 4, 8)] * 10
    belief = believe(odd, 4.0, 0.95, is_stated=True)
    assert belief.efficiency_per_doubling == kept
    Curve(belief.efficiency_per_doubling)

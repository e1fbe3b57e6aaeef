"""The next checkpoint is due when it costs least to have it."""

import math

import pytest

from training.checkpoint import Cadence
from training.checkpoint.cadence import FIRST_S, LONGEST_S, SHORTEST_S, optimum_interval_s


def hours_a_solved_hour(interval_s: float, cost_s: float, mean_s: float) -> float:
    """Daly's complete model without time to restart: wall-clock time for each second of work."""
    return mean_s / interval_s * math.expm1((interval_s + cost_s) / mean_s)


@pytest.mark.parametrize(("cost_s", "an_hour"), [(0.04, 0.05), (1, 1), (30, 2), (60, 10), (300, 6)])
def test_no_interval_is_much_better(cost_s: float, an_hour: float) -> None:
    mean_s = 3600 / an_hour
    ours = hours_a_solved_hour(optimum_interval_s(cost_s, an_hour), cost_s, mean_s)
    tried = [hours_a_solved_hour(mean_s * 1.01**power, cost_s, mean_s) for power in range(-1000, 200)]
    assert ours <= min(tried) * 1.001


def test_the_higher_terms_matter_where_saves_are_dear() -> None:
    youngs_s = math.sqrt(2 * 300 * 600)
    assert optimum_interval_s(300, 6) < youngs_s - 100
    assert optimum_interval_s(2000, 6) == 600


def due_and_saved(cadence: Cadence, step: int) -> bool:
    due = cadence.due(step, now_s=step * 1e6)
    if due:
        cadence.saved(now_s=step * 1e6, stall_s=1, commit_s=1)
    return due


def test_by_steps_a_clock_changes_nothing() -> None:
    cadence = Cadence(every_steps=5)
    assert [cadence.steps_to_go(step) for step in (0, 4)] == [5, 1]
    assert [step for step in range(1, 17) if due_and_saved(cadence, step)] == [5, 10, 15]
    assert [cadence.steps_to_go(step) for step in (16, 19)] == [4, 1]


def test_by_steps_a_save_that_could_not_be_is_made_up_for() -> None:
    cadence = Cadence(every_steps=5)
    assert [step for step in range(1, 8) if cadence.due(step, now_s=0)] == [5, 6, 7]
    assert cadence.steps_to_go(7) == 1
    cadence.saved(now_s=0, stall_s=1, commit_s=1)
    assert [step for step in range(8, 17) if due_and_saved(cadence, step)] == [10, 15]


@pytest.mark.parametrize("resumed_at", [10, 12])
def test_by_steps_what_was_resumed_is_not_saved_at_once(resumed_at: int) -> None:
    cadence = Cadence(every_steps=5)
    assert [step for step in range(resumed_at + 1, 21) if due_and_saved(cadence, step)] == [15, 20]


def test_by_seconds_from_the_last_save() -> None:
    cadence = Cadence(every_s=60)
    assert not cadence.due(1, now_s=1000)
    assert not cadence.due(2, now_s=1059)
    assert cadence.due(3, now_s=1060)
    cadence.saved(now_s=1061, stall_s=5, commit_s=200)
    assert not cadence.due(4, now_s=1120)
    assert cadence.due(5, now_s=1121)
    assert cadence.steps_to_go(5) is None


def test_the_first_comes_early_and_tells_what_a_save_costs() -> None:
    cadence = Cadence(interruptions_per_hour=1)
    assert not cadence.due(1, now_s=0)
    assert cadence.due(2, now_s=FIRST_S)
    cadence.saved(now_s=FIRST_S, stall_s=0.5, commit_s=2)
    assert cadence.interval_s == pytest.approx(math.sqrt(2 * 0.5 * 3600), rel=0.02)
    assert not cadence.due(3, now_s=FIRST_S + 55)
    assert cadence.due(4, now_s=FIRST_S + 62)


def test_it_stays_due_until_it_is_saved() -> None:
    cadence = Cadence(every_s=10)
    cadence.due(1, now_s=0)
    assert cadence.due(2, now_s=11)
    assert cadence.due(3, now_s=12)


@pytest.mark.parametrize(
    ("stall_s", "commit_s", "an_hour", "expected_s"),
    [(1e-6, 0.1, 1, SHORTEST_S), (1e-6, 45, 1, 45), (1, 1, 0, LONGEST_S), (1, 5000, 0, 5000)],
)
def test_bounds(stall_s: float, commit_s: float, an_hour: float, expected_s: float) -> None:
    cadence = Cadence(interruptions_per_hour=an_hour)
    cadence.saved(now_s=0, stall_s=stall_s, commit_s=commit_s)
    assert cadence.interval_s == expected_s

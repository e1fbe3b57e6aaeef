"""Figures of one result and of many."""

from __future__ import annotations

import pytest

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.instances import most_at_once
from cli.simulate.result import FIGURES, percentiles, summarize
from cli.simulate.simulation import simulate, simulate_many
from cli.simulate.workload import Run, Workload

WORKLOAD = Workload((Run("a", "x", 1.0, 2), Run("b", "x", 3.0), Run("c", "y", 1.0, 3)))
CLUSTER = Cluster(vms=3, launch_h=0.0, idle_h=0.0)


def test_a_result_in_figures() -> None:
    result = simulate(WORKLOAD, CLUSTER)

    assert [(run.start_h, run.end_h) for run in result.runs] == [(0, 1), (2, 5), (1, 2)]
    assert result.completions_h == {"x": (1.0, 5.0), "y": (2.0,)}
    assert (result.makespan_h, result.unfairness_h) == (5.0, 1.0)
    assert result.mean_completion_h == pytest.approx(8 / 3)
    assert (result.vm_hours_used, result.vm_hours_idle, result.most_vms_used) == (8.0, 0.0, 3)


def test_nothing_takes_no_time() -> None:
    result = simulate(Workload(()), CLUSTER)

    assert (result.makespan_h, result.mean_completion_h, result.unfairness_h, result.most_vms_there) == (0, 0, 0, 0)


def test_percentiles_are_linear_between_ranks() -> None:
    found = percentiles([4.0, 1.0, 2.0, 3.0, 5.0])

    assert [found.p5, found.p50, found.p95, found.mean] == pytest.approx([1.2, 3.0, 4.8, 3.0])


def test_a_summary_has_every_figure() -> None:
    results = simulate_many(WORKLOAD, CLUSTER, Odds(host_failures_per_vm_h=0.2), range(30))

    summary = summarize(results)

    assert set(summary) == set(FIGURES)
    assert summary["makespan_h"].p5 <= summary["makespan_h"].p50 < summary["makespan_h"].p95
    assert summary["vm_hours_lost"].mean == pytest.approx(sum(one.vm_hours_lost for one in results) / 30)


def test_what_ends_makes_room_for_what_starts_then() -> None:
    assert most_at_once([(0, 1, 2), (1, 2, 3), (1.5, 1.75, 1), (1, 1, 9)]) == 4

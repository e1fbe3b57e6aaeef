"""How a run goes on after each end of an attempt."""

from __future__ import annotations

import pytest

from cli.simulate.cluster import Cluster, Odds
from cli.simulate.course import Course, End, Next
from cli.simulate.workload import Kind, Run

CLUSTER = Cluster(spot_submissions=2, on_demand_attempts=3)


def course(odds: Odds | None = None, name: str = "run", vms: int = 1) -> Course:
    return Course(Run(name, "team", 8.0, vms, prefers_spot=True), CLUSTER, odds or Odds(), seed=0)


def test_spot_first_then_on_demand() -> None:
    one = course()
    kinds = []
    for _ in range(3):
        kinds.append(one.kind)
        one.after(one.kind, 1.0, End.INTERRUPTED)

    assert kinds == [Kind.SPOT, Kind.SPOT, Kind.ON_DEMAND]


def test_several_nodes_are_on_demand_only() -> None:
    assert course(vms=2).kind is Kind.MULTI_NODE


def test_a_reclaim_is_a_new_submission_and_a_lost_host_is_not() -> None:
    one = course()

    assert one.after(Kind.SPOT, 1.0, End.INTERRUPTED) is Next.SUBMIT_ANEW
    assert [one.after(Kind.ON_DEMAND, 1.0, End.INTERRUPTED) for _ in range(3)] == [
        Next.TRY_JOB_AGAIN, Next.TRY_JOB_AGAIN, Next.GIVE_UP,
    ]  # fmt: skip


def test_a_redrive_counts_from_the_beginning() -> None:
    one = course(Odds(redrives=1))
    for _ in range(2):
        one.after(Kind.SPOT, 1.0, End.INTERRUPTED)
    one.after(Kind.ON_DEMAND, 1.0, End.INTERRUPTED)

    assert one.after(Kind.ON_DEMAND, 1.0, End.FAILED) is Next.SUBMIT_ANEW
    assert one.kind is Kind.SPOT
    assert one.host_failures == 0
    assert one.after(Kind.SPOT, 1.0, End.FAILED) is Next.GIVE_UP


def test_what_is_after_the_last_checkpoint_is_lost() -> None:
    one = course(Odds(checkpoint_every_h=0.5))

    one.after(Kind.SPOT, 1.75, End.INTERRUPTED)
    one.after(Kind.SPOT, 0.25, End.FAILED)

    assert (one.saved_h, one.lost_h) == (1.5, 0.5)
    assert one.attempt(Kind.SPOT) == (6.5, End.DONE)


def test_a_runs_luck_is_its_own() -> None:
    odds = Odds(reclaims_per_vm_h=1.0)

    assert course(odds).attempt(Kind.SPOT) == course(odds).attempt(Kind.SPOT)
    assert course(odds).attempt(Kind.SPOT) != course(odds, "another").attempt(Kind.SPOT)


def test_a_gang_is_interrupted_when_any_of_its_hosts_is() -> None:
    odds = Odds(reclaims_per_vm_h=5.0, host_failures_per_vm_h=1.0)

    alone_h, _ = course(odds).attempt(Kind.ON_DEMAND)
    together_h, end = course(odds, vms=4).attempt(Kind.MULTI_NODE)

    assert end is End.INTERRUPTED
    assert together_h == pytest.approx(alone_h / 4)

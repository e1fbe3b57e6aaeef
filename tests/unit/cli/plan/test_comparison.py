"""The ways to run the week side by side, which one is recommended, and why."""

from __future__ import annotations

import dataclasses
import json

import pytest

from cli.errors import CommandError
from cli.plan import comparison, rehearsal
from cli.plan.comparison import Comparison, compare
from cli.plan.document import document
from cli.plan.rehearsal import Rehearsal
from tests.unit.cli.plan.asked import asked
from turbine.domain.capacity import checker
from turbine.domain.capacity.model import Curve, PlanInfeasibleError
from turbine.domain.capacity.prices import Price


@pytest.fixture(scope="module")
def reference() -> Comparison:
    return compare(asked(), "makespan", limit_s=2)


def test_the_reference_has_the_figures_that_are_known(reference: Comparison) -> None:
    by_name = {one.name: one for one in reference.alternatives}
    assert by_name["one-vm"].makespan_h == pytest.approx(4.1667, abs=1e-3)
    assert by_name["two-vms"].makespan_h == pytest.approx(3.289, abs=1e-3)
    assert by_name["makespan"].makespan_h == pytest.approx(2.427, abs=1e-3)
    assert by_name["mean"].mean_completion_h == pytest.approx(1.547, abs=1e-3)
    assert by_name["within"].makespan_h == pytest.approx(2.652, abs=1e-3)
    assert by_name["within"].schedule.longest_run_h <= 1
    assert by_name["staggered"].longest_completion_h == pytest.approx(0.3438, abs=1e-3)
    assert reference.gap(by_name["makespan"]) == pytest.approx(0, abs=1e-3) and by_name["makespan"].is_proved


def test_every_alternative_passes_the_checker_and_the_simulator(reference: Comparison) -> None:
    for one in reference.alternatives:
        assert checker.violations(one.problem, one.schedule) == []
        assert reference.rehearsals[one.name].median_h <= one.makespan_h * rehearsal.CLOSE


@pytest.mark.parametrize(
    ("objective", "name", "says"),
    [
        ("makespan", "makespan", "after 2.43 h instead of 4.17 h with one VM a run, for 2% more VM-hours, and no plan"),
        ("mean", "mean", "a run ends on average after 1.55 h instead of 2.34 h"),
        ("within", "within", "no run takes longer than 0.75 h, and all runs end after 2.65 h"),
        ("cost", "spot", "nothing costs less: 110 to 382 USD"),
    ],
)
def test_the_objective_decides_and_a_sentence_says_why(objective: str, name: str, says: str) -> None:
    compared = compare(asked(), objective, limit_s=1)
    assert compared.recommended.name == name
    assert says in compared.why
    assert compared.hint is not None and "0.34 h after its own" in compared.hint


def test_a_plan_that_does_not_come_true_in_the_simulator_is_not_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: object, one: comparison.Alternative) -> Rehearsal:
        hours = one.makespan_h * (1.1 if one.name == "makespan" else 1)
        return Rehearsal(hours, hours)

    monkeypatch.setattr(comparison, "rehearse", late)
    assert compare(asked(), "makespan", limit_s=0.5).recommended.name != "makespan"


def test_where_spreading_gains_nothing_one_vm_a_run_stays() -> None:
    compared = compare(asked(curve=Curve(0.55), vms=8), "makespan", limit_s=0.5)
    assert compared.recommended.name == "one-vm"
    assert "no other plan is sooner by more than 2%" in compared.why


def test_what_cannot_be_is_left_out() -> None:
    names = [one.name for one in compare(asked(vms=1), "makespan", limit_s=0.5).alternatives]
    assert names == ["one-vm", "makespan", "mean", "staggered", "spot"]
    no_spot = asked(price=Price(20, 30))
    assert "spot" not in [one.name for one in compare(no_spot, "cost", limit_s=0.5).alternatives]


def test_a_limit_that_no_plan_keeps_names_the_least_that_one_does() -> None:
    with pytest.raises(PlanInfeasibleError) as caught:
        compare(asked(within_h=0.2), "within", limit_s=0.5)
    assert "0.34 h is the least" in caught.value.constraint
    assert caught.value.mend == "allow --within 0.35, or more VMs"
    assert compare(asked(within_h=0.35), "within", limit_s=0.5).recommended.schedule.longest_run_h <= 0.35


def test_the_greedy_alone_plans_too_and_proves_only_what_meets_the_bound() -> None:
    compared = compare(asked(curve=Curve(1.0)), "makespan", limit_s=0.5, use_solver=False)
    best = next(one for one in compared.alternatives if one.name == "makespan")
    assert best.makespan_h == pytest.approx(8 * 100 / 48 / 7) and best.is_proved
    other = compare(asked(), "makespan", limit_s=0.5, use_solver=False)
    assert not next(one for one in other.alternatives if one.name == "makespan").is_proved


def test_one_may_choose_another_plan(reference: Comparison) -> None:
    assert reference.choosing("two-vms").recommended.name == "two-vms"
    with pytest.raises(CommandError, match="no plan 'none'") as caught:
        reference.choosing("none")
    assert "staggered" in str(caught.value.next_step)


def test_the_document_has_what_the_contract_names(reference: Comparison) -> None:
    told = json.loads(json.dumps(document(reference)))
    contract = {"objective", "instances", "runs", "efficiency_per_doubling", "recommended", "alternatives"}
    figures = {
        "makespan_h", "mean_completion_h", "lower_bound_h", "proved_optimal", "vm_hours", "cost_usd", "schedule",
    }  # fmt: skip
    assert contract | figures <= told.keys()
    assert (told["instances"], told["runs"], told["recommended"]) == (7, 8, "makespan")
    assert len(told["schedule"]) == 8
    assert set(told["schedule"][0]) == {"team", "run", "start_h", "end_h", "nodes"}
    for one in told["alternatives"]:
        assert figures | {"name", "gap_to_bound"} <= one.keys()


def test_more_money_for_more_hours(reference: Comparison) -> None:
    request = dataclasses.replace(reference.request, price=Price(10, 20, 1, 2))
    plain, spot = (next(one for one in reference.alternatives if one.name == name) for name in ("one-vm", "spot"))
    assert plain.cost_usd(request) == pytest.approx((166.667, 333.333), abs=1e-2)
    assert spot.cost_usd(request) == pytest.approx((16.667, 33.333), abs=1e-2)

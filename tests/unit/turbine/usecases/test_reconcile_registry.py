"""Exactly the champion is Approved, and what a person approves is promoted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import FakeApprovals, FakePromotions
from tests.unit.turbine.arrange import World
from turbine.usecases.reconcile_registry import ReconcileRegistry

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/turbine-vision"
OLD, CHAMPION, OTHER = f"{GROUP}/1", f"{GROUP}/2", f"{GROUP}/3"
BY_PROMOTION = "Champion 1 of vision by turbine"


class Desk:
    """The use case with its fakes; version 2 is champion of `vision`, and Approved."""

    def __init__(self, world: World) -> None:
        self.table, self.approvals, self.promotions = world.table, FakeApprovals(world.clock), FakePromotions()
        self.crown(CHAMPION, 7)
        self.approvals.run_ids = {arn: f"vision-run-{arn[-1]}" for arn in (OLD, CHAMPION, OTHER)}
        self.approvals.mark(OLD, "PendingManualApproval", "Succeeded by somebody")
        self.approvals.mark(CHAMPION, "Approved", "Champion 7 of vision by turbine")
        self.approvals.mark(OTHER, "Rejected", "")

    def crown(self, arn: str, version: int) -> None:
        self.table.put({"pk": "TEAM#vision", "sk": "CHAMPION", "model_package_arn": arn, "champion_version": version})

    def reconcile(self, group: str | None = "turbine-vision") -> list[str]:
        event: dict[str, Any] = {"detail": {"ModelPackageGroupName": group}} if group else {"detail": {}}
        use_case = ReconcileRegistry("turbine", self.table, self.approvals, self.promotions)
        return use_case(event)["changes"]


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def test_what_is_right_stays(desk: Desk) -> None:
    assert desk.reconcile() == desk.reconcile(None) == []
    assert desk.approvals.of("Approved") == [CHAMPION]


def test_a_champion_whose_promotion_was_stopped_is_approved(desk: Desk) -> None:
    desk.crown(OTHER, 8)
    changes = desk.reconcile(None)
    assert desk.approvals.of("Approved") == [OTHER]
    assert len(changes) == 2
    assert desk.promotions.started == {}


def test_a_late_approval_of_a_promotion_is_taken_back(desk: Desk) -> None:
    desk.approvals.mark(OLD, "Approved", BY_PROMOTION)
    assert len(desk.reconcile()) == 1
    assert desk.approvals.of("Approved") == [CHAMPION]
    assert desk.promotions.started == {}


def test_a_champion_that_a_person_rejects_is_approved_again(desk: Desk) -> None:
    """Whoever wants another champion names one: `turbine rollback`."""
    desk.approvals.mark(CHAMPION, "Rejected", "I do not like it")
    assert desk.reconcile() == [f"{CHAMPION} is champion and was not Approved"]
    assert desk.approvals.of("Approved") == [CHAMPION]


def test_an_approval_by_hand_is_a_promotion_with_that_reason(desk: Desk) -> None:
    desk.approvals.mark(OTHER, "Approved", "looks fine to me")
    assert desk.reconcile() == desk.reconcile() == []
    ((name, promotion),) = desk.promotions.started.items()
    assert name == promotion["promotion_id"]
    assert promotion["reason"] == "Approved by hand in the registry: looks fine to me"
    assert {key: promotion[key] for key in ("team", "run_id", "model_version", "expected_champion_version")} == {
        "team": "vision",
        "run_id": "vision-run-3",
        "model_version": 3,
        "expected_champion_version": 7,
    }


def test_an_approval_by_hand_over_another_champion_is_asked_for_again(desk: Desk) -> None:
    desk.approvals.mark(OTHER, "Approved", "")
    desk.reconcile()
    desk.crown(OLD, 8)
    desk.approvals.mark(OLD, "Approved", "Champion 8 of vision by turbine")
    desk.reconcile()
    assert [promotion["expected_champion_version"] for promotion in desk.promotions.started.values()] == [7, 8]


def test_an_approval_by_hand_that_is_refused_is_taken_back_and_says_where_to_look(desk: Desk) -> None:
    desk.approvals.mark(OTHER, "Approved", "")
    desk.reconcile()
    (name,) = desk.promotions.started
    desk.promotions.statuses[name] = "FAILED"
    (change,) = desk.reconcile(None)
    assert name in change
    assert desk.approvals.of("Approved") == [CHAMPION]
    assert name in desk.approvals.marks[OTHER][1]


def test_another_stacks_groups_are_left_alone(desk: Desk) -> None:
    """Also those of a stack whose name begins with this one's."""
    other = f"{GROUP.replace('turbine-', 'other-')}/1"
    desk.approvals.mark(other, "Approved", "")
    longer = f"{GROUP.replace('turbine-', 'turbine-dev-')}/1"
    desk.approvals.mark(longer, "Approved", BY_PROMOTION)
    for group in (None, "other-vision", "turbine-dev-vision"):
        assert desk.reconcile(group) == []
    assert desk.approvals.of("Approved") == [CHAMPION, other, longer]
    assert desk.promotions.started == {}


def test_what_a_lost_table_leaves_approved_stays(desk: Desk, world: World) -> None:
    del world.table.items["TEAM#vision", "CHAMPION"]
    assert desk.reconcile() == []
    assert desk.approvals.of("Approved") == [CHAMPION]


def test_a_team_without_a_champion_may_have_its_first_by_hand(desk: Desk, world: World) -> None:
    del world.table.items["TEAM#vision", "CHAMPION"]
    desk.approvals.mark(CHAMPION, "PendingManualApproval", "")
    desk.approvals.mark(OLD, "Approved", "")
    assert desk.reconcile() == []
    assert [one["expected_champion_version"] for one in desk.promotions.started.values()] == [0]

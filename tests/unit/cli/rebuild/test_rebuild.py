"""The champions' items are what they were, or it is said what is not known; nothing that is there is written over."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import CommandError
from cli.rebuild.history import LOST_REASON
from cli.rebuild.plan import Plan
from cli.rebuild.write import carry_out
from tests.fakes import FakeTable
from tests.unit.cli.rebuild.lost import PK, Lost, champions_of


def three_champions(lost: Lost) -> dict[tuple[str, str], dict[str, Any]]:
    """Two by the rule, one rollback; what the table holds."""
    first = lost.run(0.8, name="first")
    lost.promote(first)
    lost.champion(0.9, name="second")
    lost.promote(first, kind="rollback", actor="a person", reason="the second one is slow", promotion_id="back")
    return dict(lost.world.table.items)


def statuses(plan: Plan) -> list[tuple[int, str]]:
    return [(line.version, line.status) for line in plan.lines]


def test_a_lost_table_has_the_very_items_again(lost: Lost) -> None:
    three_champions(lost)
    items = lost.lose()
    plan = lost.plan()
    assert (statuses(plan), plan.pointer, plan.obstacles) == (
        [(1, "missing"), (2, "missing"), (3, "missing")],
        "missing",
        (),
    )
    assert all(line.source == "record" and line.unknown == () for line in plan.lines)
    written = carry_out(lost.world.table, plan)
    assert champions_of(lost.world.table.items) == champions_of(items)
    packages = {key: item for key, item in items.items() if key[1] == "PACKAGE"}
    for key, item in packages.items():
        assert lost.world.table.items[key] | {"reserved_at": ""} == item | {"reserved_at": ""}
    assert len(written) == len(lost.world.table.items) == 4 + len(packages)

    again = lost.plan()
    assert again.is_done and {line.status for line in again.lines} == {"present"}
    assert carry_out(lost.world.table, again) == []


@pytest.mark.parametrize("deaths", range(5))
def test_it_may_die_after_any_write_and_be_run_again(lost: Lost, deaths: int) -> None:
    items = three_champions(lost)
    lost.lose()
    table, left = lost.world.table, [deaths]

    def dying(write: Any) -> Any:
        def call(*arguments: Any) -> Any:
            if not left[0]:
                raise ConnectionError
            left[0] -= 1
            return write(*arguments)

        return call

    swap, insert = table.swap, table.insert
    table.swap, table.insert = dying(swap), dying(insert)  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        carry_out(table, lost.plan())
    table.swap, table.insert = swap, insert  # type: ignore[method-assign]
    if deaths:
        assert table.get(PK, "CHAMPION") == items[PK, "CHAMPION"], "the champion comes first"
    carry_out(table, lost.plan())
    assert champions_of(table.items) == champions_of(items)


def test_a_table_from_before_the_last_promotions_is_moved_on(lost: Lost) -> None:
    """As point-in-time recovery leaves it, minutes before the loss."""
    lost.champion(0.8, name="first")
    before = dict(lost.world.table.items)
    lost.champion(0.9, name="second")
    after = lost.lose()
    lost.world.table.items.update(before)
    plan = lost.plan()
    assert (statuses(plan), plan.expected) == ([(1, "present"), (2, "missing")], 1)
    carry_out(lost.world.table, plan)
    assert champions_of(lost.world.table.items) == champions_of(after)


@pytest.mark.parametrize("missing", ["CHAMPION", "CHAMPION#00000001", "CHAMPION#00000003"])
def test_one_item_that_is_missing_comes_back(lost: Lost, missing: str) -> None:
    items = three_champions(lost)
    del lost.world.table.items[PK, missing]
    plan = lost.plan()
    assert carry_out(lost.world.table, plan) == [f"{PK} {missing}"]
    assert lost.world.table.items == items


def test_a_pointer_behind_its_own_history_is_moved_on(lost: Lost) -> None:
    items = three_champions(lost)
    lost.world.table.items[PK, "CHAMPION"] = items[PK, "CHAMPION#00000002"] | {"sk": "CHAMPION"}
    assert carry_out(lost.world.table, lost.plan()) == [f"{PK} CHAMPION"]
    assert lost.world.table.items == items


def test_a_newer_champion_wins_and_is_told(lost: Lost) -> None:
    """A promotion that went on without the table, before the rebuild, and whose record never came."""
    three_champions(lost)
    lost.lose()
    lost.with_records = False
    newer = lost.champion(0.7, name="newer")
    plan = lost.plan()
    assert plan.champion is None and plan.pointer == "differing"
    (obstacle,) = plan.obstacles
    assert f"champion 1 of the table ({newer.run_id} since" in obstacle and "is newer than all that is left" in obstacle
    before = champions_of(lost.world.table.items)
    carry_out(lost.world.table, plan)
    assert champions_of(lost.world.table.items) == before


def test_promotions_that_counted_anew_are_the_history_and_those_before_are_told(lost: Lost) -> None:
    three_champions(lost)
    lost.run(0.801, name="held by the third")
    lost.lose()
    anew = lost.champion(0.7, name="anew")
    items = lost.lose()
    plan = lost.plan()
    carry_out(lost.world.table, plan)
    assert champions_of(lost.world.table.items) == champions_of(items)
    assert [line.champion for line in plan.lines] == [anew]
    (note,) = plan.notes
    assert "counted anew" in note and "champion 1 (" in note and ", 3 (" in note


def test_an_item_that_differs_stays_and_what_came_after_it_is_not_written(lost: Lost) -> None:
    items = three_champions(lost)
    other = items[PK, "CHAMPION#00000002"] | {"actor": "somebody else"}
    lost.lose()
    lost.world.table.items[PK, "CHAMPION#00000002"] = other
    plan = lost.plan()
    assert statuses(plan) == [(1, "missing"), (2, "differing"), (3, "missing")]
    assert len(plan.obstacles) == 1 and "champion 2 of the table is another one" in plan.obstacles[0]
    carry_out(lost.world.table, plan)
    assert sorted(champions_of(lost.world.table.items)) == [(PK, "CHAMPION#00000001"), (PK, "CHAMPION#00000002")]
    assert lost.world.table.items[PK, "CHAMPION#00000002"] == other


def test_a_promotion_that_comes_between_looking_and_writing_stays(lost: Lost) -> None:
    three_champions(lost)
    lost.lose()
    plan = lost.plan()
    newer = lost.champion(0.7, name="newer")
    with pytest.raises(CommandError, match="changed meanwhile") as raised:
        carry_out(lost.world.table, plan)
    assert raised.value.place == f"{PK} CHAMPION" and "turbine models rebuild vision" in str(raised.value.next_step)
    assert (lost.world.table.get(PK, "CHAMPION") or {})["run_id"] == newer.run_id


def test_two_rebuilds_at_the_same_moment_agree(lost: Lost) -> None:
    items = three_champions(lost)
    lost.lose()
    first, second = lost.plan(), lost.plan()
    carry_out(lost.world.table, first)
    assert carry_out(lost.world.table, second) == []
    assert champions_of(lost.world.table.items) == champions_of(items)


def test_what_lies_about_a_record_is_left_out_and_named(lost: Lost) -> None:
    made = lost.champion(0.8, name="first")
    place = f"s3://artifacts/runs/vision/{made.run_id}/promotions/1.json"
    lost.world.store[place] = b"{"
    plan = lost.plan()
    assert f"{place} cannot be read, and is left out" in plan.notes


def test_without_records_verdicts_tell_who_and_why_and_only_the_moment_is_not_exact(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    lost.champion(0.9, name="second")
    items = lost.lose()
    plan = lost.plan()
    assert [(line.source, line.unknown) for line in plan.lines] == [("verdict", ("promoted_at",))] * 2
    carry_out(lost.world.table, plan)
    table = lost.world.table.items
    for key, item in champions_of(items).items():
        assert table[key] | {"promoted_at": ""} == item | {"promoted_at": ""}
        assert table[key]["promoted_at"] < item["promoted_at"], "the decision's moment, just before"


def test_without_records_a_promotion_by_hand_has_no_reason_and_says_so(unrecorded: Lost) -> None:
    lost = unrecorded
    first = lost.run(0.8, name="first")
    lost.promote(first)
    lost.champion(0.9, name="second")
    lost.promote(first, kind="rollback", actor="a person", reason="the second one is slow", promotion_id="back")
    lost.champion(0.95, name="fourth")
    lost.lose()
    third = lost.plan().lines[2]
    assert third.champion is not None
    assert (third.champion.run_id, third.champion.reason) == (first.run_id, LOST_REASON)
    assert (third.champion.actor, third.unknown) == (
        "unknown",
        ("promoted_at", "promotion_id", "reason", "kind", "actor"),
    )


def test_without_records_the_registry_tells_the_last_champion_and_by_whom(unrecorded: Lost) -> None:
    lost = unrecorded
    first = lost.run(0.8, name="first")
    lost.promote(first)
    lost.champion(0.9, name="second")
    lost.promote(first, kind="rollback", actor="a person", reason="the second one is slow", promotion_id="back")
    lost.lose()
    last = lost.plan().lines[-1]
    assert last.champion is not None
    assert (last.version, last.source, last.champion.run_id, last.champion.actor) == (
        3,
        "registry",
        first.run_id,
        "a person",
    )
    assert "actor" not in last.unknown


def test_without_records_an_approval_without_a_number_has_the_lowest_that_it_can_have(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    last = lost.champion(0.9, name="second")
    lost.approvals = {last.model_package_arn: "Champion of vision"}
    lost.lose()
    plan = lost.plan()
    assert [line.champion.run_id for line in plan.lines if line.champion][-1] == last.run_id
    assert "champion_version" in plan.lines[-1].unknown


def test_without_records_of_two_approvals_the_later_champion_is_it(unrecorded: Lost) -> None:
    """As a promotion leaves it that was stopped before it retired its predecessor."""
    lost = unrecorded
    first = lost.champion(0.8, name="first")
    second = lost.champion(0.9, name="second")
    lost.approvals[first.model_package_arn] = "Champion 1 of vision by turbine"
    lost.lose()
    plan = lost.plan()
    assert plan.champion is not None and plan.champion.run_id == second.run_id
    lost.approvals[first.model_package_arn] = "Champion of vision"
    plan = lost.plan()
    assert (plan.champion, len(plan.obstacles)) == (None, 1)
    assert "several packages are Approved as champion" in plan.obstacles[0]


def test_without_records_and_approvals_nobody_is_said_to_be_the_last(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    lost.champion(0.9, name="second")
    lost.approvals = {}
    lost.lose()
    plan = lost.plan()
    assert (statuses(plan), plan.champion) == ([(1, "missing")], None)
    assert "nothing else tells whether champion 1 was the last" in plan.obstacles[0]
    assert "was to follow champion 1" in plan.notes[0]


def test_without_records_an_approval_with_an_old_number_is_the_last_champions(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    lost.champion(0.9, name="second")
    third = lost.champion(0.95, name="third")
    lost.approvals = {third.model_package_arn: "Champion 1 of vision by turbine"}
    lost.lose()
    plan = lost.plan()
    assert plan.champion is not None
    assert (plan.champion.run_id, plan.champion.champion_version) == (third.run_id, 3)
    assert "champion_version" in plan.lines[-1].unknown


def test_an_approval_by_hand_tells_of_no_champion(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    held = lost.run(0.801, name="held")
    arn = (lost.world.table.get(f"RUN#{held.run_id}", "PACKAGE") or {})["model_package_arn"]
    lost.approvals[arn] = "Champion of my heart"
    lost.lose()
    assert statuses(lost.plan()) == [(1, "missing")]


def test_champions_that_nobody_can_tell_are_gaps_with_their_reason(unrecorded: Lost) -> None:
    """Two promotions by hand in a row, and only the second met a challenger."""
    lost = unrecorded
    lost.champion(0.8, name="first")
    held = lost.run(0.801, name="held")
    lost.promote(held, actor="a person", promotion_id="by hand")
    also_held = lost.run(0.802, name="also")
    lost.promote(held, actor="a person", promotion_id="by hand again")
    lost.promote(also_held, actor="a person", promotion_id="and again")
    lost.lose()
    plan = lost.plan()
    assert statuses(plan) == [(1, "missing"), (2, "missing"), (3, "lost"), (4, "missing")]
    assert plan.lines[2].why == "nothing tells who it was; to be promoted: nobody"
    carry_out(lost.world.table, plan)
    assert (lost.world.table.get(PK, "CHAMPION") or {})["champion_version"] == 4


def test_of_several_that_were_to_be_promoted_none_is_chosen(unrecorded: Lost) -> None:
    lost = unrecorded
    runs = [lost.run(0.8, name="one"), lost.run(0.81, name="other")]
    lost.promote(runs[0])
    lost.approvals = {}
    lost.lose()
    plan = lost.plan()
    assert (plan.lines, plan.is_done or {item["sk"] for item in plan.inserts}) == ((), {"PACKAGE"})
    assert [note for note in plan.notes if "was to follow champion 0" in note]


def test_a_last_champion_whose_package_is_gone_is_replaced_by_nobody(unrecorded: Lost) -> None:
    lost = unrecorded
    lost.champion(0.8, name="first")
    second = lost.champion(0.9, name="second")
    lost.run(0.85, name="third")
    packages = lost.world.registry.packages
    lost.world.registry.packages = [one for one in packages if one[0].arn != second.model_package_arn]
    lost.lose()
    plan = lost.plan()
    assert plan.obstacles and "the last champion, 2, cannot be told: the package of its run" in plan.obstacles[0]
    carry_out(lost.world.table, plan)
    assert champions_of(lost.world.table.items) == {}


def test_a_team_without_a_champion_has_nothing_to_restore(lost: Lost) -> None:
    plan = lost.plan()
    assert (plan.lines, plan.pointer, plan.is_done) == ((), "present", True)


def test_a_busy_champion_is_not_written_over_even_if_its_version_is_the_expected_one(lost: Lost) -> None:
    """The condition is on the version; a pointer of another version stays."""
    lost.champion(0.8, name="first")
    before = dict(lost.world.table.items)
    lost.champion(0.9, name="second")
    lost.lose()
    table = FakeTable()
    table.items.update(before)
    lost.world.table = table
    plan = lost.plan()
    table.items[PK, "CHAMPION"]["champion_version"] = 7
    with pytest.raises(CommandError):
        carry_out(table, plan)
    assert table.items[PK, "CHAMPION"]["champion_version"] == 7

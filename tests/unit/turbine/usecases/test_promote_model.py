from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.champion import Promotion
from turbine.domain.errors import PackageMissingError
from turbine.usecases.promote_model import PromoteModel

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/turbine-vision"


def promotion(world: World, number: int, expected: int, **changes: Any) -> Promotion:
    """The promotion of a registered run, its package version being `number`."""
    run = world.finished_run(name=f"m{number}")
    arn = f"{GROUP}/{number}"
    world.table.put(
        {
            "pk": f"RUN#{run.run_id}",
            "sk": "PACKAGE",
            "model_package_arn": arn,
            "model_version": number,
            "model_data_uri": f"s3://artifacts/registry/vision/{run.run_id}/model.tar.gz",
        }
    )
    given: dict[str, Any] = {
        "team": "vision",
        "run_id": run.run_id,
        "model_package_arn": arn,
        "model_version": number,
        "expected_champion_version": expected,
        "promotion_id": f"{run.run_id}-v{expected + 1}",
        "reason": "better",
        "actor": "turbine",
    }
    return Promotion(**(given | changes))


def promote(world: World, given: Promotion) -> dict[str, Any]:
    return PromoteModel(ARTIFACTS, world.store, world.table, world.clock)(given)


def test_a_first_champion_and_its_successor(world: World) -> None:
    first, second = promotion(world, 1, 0), promotion(world, 2, 1)
    reply = promote(world, first)
    assert (reply["status"], reply["champion_version"], reply["previous_model_package_arn"]) == ("promoted", 1, None)
    reply = promote(world, second)
    assert (reply["champion_version"], reply["previous_model_package_arn"]) == (2, f"{GROUP}/1")
    assert reply["detail"] == {
        "schema_version": 1,
        "team": "vision",
        "run_id": second.run_id,
        "model_package_arn": f"{GROUP}/2",
        "model_version": 2,
        "model_data_uri": f"s3://artifacts/registry/vision/{second.run_id}/model.tar.gz",
        "champion_version": 2,
        "promotion_id": second.promotion_id,
        "reason": "better",
        "actor": "turbine",
        "inference": None,
        "kind": "promotion",
    }
    history = world.table.get("TEAM#vision", "CHAMPION#00000001")
    assert history is not None and history["run_id"] == first.run_id


def test_the_same_promotion_again_gives_the_same_answer_and_says_when_it_was_succeeded(world: World) -> None:
    first, second = promotion(world, 1, 0), promotion(world, 2, 1)
    before = promote(world, first)
    assert before["is_current"] is True
    assert promote(world, first) == before
    assert promote(world, second)["is_current"] is True
    assert promote(world, first) == before | {"is_current": False}
    champion = world.table.get("TEAM#vision", "CHAMPION")
    assert champion is not None and champion["run_id"] == second.run_id


def test_of_two_promotions_over_the_same_champion_one_wins(world: World) -> None:
    rivals = [promotion(world, number, 0) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda given: promote(world, given), rivals))
    assert sorted(reply["status"] for reply in replies) == ["champion_changed", "promoted"]
    (loser,) = [reply for reply in replies if reply["status"] == "champion_changed"]
    assert (loser["champion_version"], loser["is_current"], loser["detail"]) == (1, False, None)


def test_a_reply_that_was_lost_is_no_lost_race(world: World) -> None:
    given = promotion(world, 1, 0)
    swap = world.table.swap

    def lost(*arguments: Any) -> bool:
        swap(*arguments)
        return swap(*arguments)  # the SDK's own retry meets what the first try wrote

    world.table.swap = lost  # type: ignore[method-assign, assignment]
    assert promote(world, given)["status"] == "promoted"


def test_promoting_the_former_champion_again_does_not_retire_it(world: World) -> None:
    first = promotion(world, 1, 0)
    promote(world, first)
    again = first.model_copy(update={"expected_champion_version": 1, "promotion_id": "rollback"})
    assert promote(world, again)["previous_model_package_arn"] is None


def test_a_package_that_the_run_did_not_register_is_refused(world: World) -> None:
    with pytest.raises(PackageMissingError):
        promote(world, promotion(world, 1, 0, model_package_arn=f"{GROUP}/9"))
    assert world.table.get("TEAM#vision", "CHAMPION") is None


def test_another_teams_run_is_refused(world: World) -> None:
    with pytest.raises(PackageMissingError, match="none of team winery"):
        promote(world, promotion(world, 1, 0, team="winery"))
    assert world.table.get("TEAM#winery", "CHAMPION") is None


def test_a_model_that_a_person_has_promoted_meanwhile_is_promoted(world: World) -> None:
    """Over the same champion: the run's own promotion then has nothing left to do."""
    given = promotion(world, 1, 0)
    by_hand = given.model_copy(update={"promotion_id": "by hand", "actor": "a person"})
    promote(world, by_hand)
    reply = promote(world, given)
    assert (reply["status"], reply["is_current"], reply["detail"]["promotion_id"]) == ("promoted", True, "by hand")
    assert world.table.get("TEAM#vision", "CHAMPION#00000002") is None


def test_a_model_that_has_become_champion_over_another_champion_is_promoted(world: World) -> None:
    """Its run was compared with nobody; another was promoted first, and then a person promoted this one."""
    given, other = promotion(world, 1, 0), promotion(world, 2, 0)
    promote(world, other)
    promote(world, given.model_copy(update={"expected_champion_version": 1, "promotion_id": "by hand"}))
    reply = promote(world, given)
    assert (reply["status"], reply["champion_version"], reply["is_current"]) == ("promoted", 2, True)
    assert reply["previous_model_package_arn"] == f"{GROUP}/2"
    assert world.table.get("TEAM#vision", "CHAMPION#00000003") is None


def test_a_version_that_is_not_the_packages_own_is_refused(world: World) -> None:
    given = promotion(world, 1, 0)
    with pytest.raises(PackageMissingError, match="is version 1 of team vision, not 2"):
        promote(world, given.model_copy(update={"model_version": 2}))
    assert world.table.get("TEAM#vision", "CHAMPION") is None


def test_a_rollback_is_kept_and_announced_as_one(world: World) -> None:
    first, second = promotion(world, 1, 0), promotion(world, 2, 1)
    promote(world, first)
    promote(world, second)
    back = first.model_copy(update={"expected_champion_version": 2, "promotion_id": "back", "kind": "rollback"})
    reply = promote(world, back)
    assert (reply["champion_version"], reply["detail"]["kind"], reply["request"]["kind"]) == (3, "rollback", "rollback")
    assert (world.table.get("TEAM#vision", "CHAMPION#00000003") or {})["kind"] == "rollback"


def records(world: World) -> dict[int, dict[str, Any]]:
    """The champions on record in the bucket, in the order in which they were written."""
    places = [place for place in world.store.written if "/promotions/" in place]
    return {int(place.rpartition("/")[2].removesuffix(".json")): json.loads(world.store[place]) for place in places}


def test_each_champion_is_on_record_as_the_table_has_it(world: World) -> None:
    first, second = promotion(world, 1, 0), promotion(world, 2, 1)
    promote(world, first)
    promote(world, second)
    promote(world, first)
    for version, kept in records(world).items():
        item = world.table.get("TEAM#vision", f"CHAMPION#{version:08d}")
        assert item == {"pk": "TEAM#vision", "sk": f"CHAMPION#{version:08d}"} | {
            name: value for name, value in kept.items() if name != "schema_version"
        }
    assert list(records(world)) == [1, 2]


def test_a_promotion_puts_those_on_record_whose_own_was_stopped_before_oldest_first(world: World) -> None:
    put_if_absent = world.store.put_if_absent

    def dies(*_: Any) -> bool:
        raise ConnectionError

    given = [promotion(world, number, number - 1) for number in (1, 2, 3)]
    world.store.put_if_absent = dies  # type: ignore[method-assign, assignment]
    for one in given[:2]:
        with pytest.raises(ConnectionError):
            promote(world, one)
    world.store.put_if_absent = put_if_absent  # type: ignore[method-assign]
    promote(world, given[2])
    assert list(records(world)) == [1, 2, 3]
    assert [kept["run_id"] for kept in records(world).values()] == [one.run_id for one in given]


def test_a_retry_puts_its_own_champion_on_record(world: World) -> None:
    """A function that died between the swap and the record is asked again by the machine."""
    put_if_absent, given = world.store.put_if_absent, promotion(world, 1, 0)
    world.store.put_if_absent = lambda *_: (_ for _ in ()).throw(ConnectionError)  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        promote(world, given)
    world.store.put_if_absent = put_if_absent  # type: ignore[method-assign]
    assert promote(world, given)["status"] == "promoted"
    assert list(records(world)) == [1]

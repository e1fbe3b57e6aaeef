"""Who reigned when, whom a rollback brings back, and what a request must have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from turbine.domain.champion import Champion, predecessor, reigning, requested
from turbine.domain.errors import PromotionRefusedError

REQUEST = {
    "run_id": "vision-digits-0123456789ab",
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/turbine-vision/3",
    "model_version": 3,
    "expected_champion_version": 1,
    "reason": "drift",
}
ENVELOPE = {"team": "vision", "promotion_id": "e1", "actor": "a lead of vision"}


def history(*steps: str) -> list[Champion]:
    """A history of models named by letters; `<A` is a rollback to A. Each reigns a day."""
    return [
        Champion(
            team="vision",
            run_id=f"vision-{step[-1]}",
            model_package_arn=step[-1],
            model_version=ord(step[-1]),
            champion_version=number,
            promotion_id=f"p{number}",
            promoted_at=f"2026-11-{number:02d}T12:00:00.000+00:00",
            reason="better",
            actor="turbine",
            kind="rollback" if step.startswith("<") else "promotion",
        )
        for number, step in enumerate(steps, start=1)
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", None),
        ("A", None),
        ("A B", "A"),
        ("A B C", "B"),
        ("A B C <B", "A"),
        ("A B C <A", None),
        ("A B C <B D", "B"),
        ("A B A", "B"),
        ("A B B", "A"),
        ("A B C <B <A D", "A"),
    ],
)
def test_whom_a_rollback_brings_back(steps: str, expected: str | None) -> None:
    found = predecessor(history(*steps.split()))
    assert (found.model_package_arn if found else None) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-10-31", "2026-11-01", ""),
        ("2026-11-01", "2026-11-02", "A"),
        ("2026-11-02", "2026-11-03", "AB"),
        ("2026-11-03", "2026-11-04", "B"),
        ("2027-01-01", "2027-01-02", "B"),
        ("2026-11-01T11:59:59.999", "2026-11-01T11:59:59.999", ""),
        ("2026-11-01T12:00:00.000", "2026-11-01T12:00:00.000", "A"),
        ("2026-11-02T11:59:59.999", "2026-11-02T11:59:59.999", "A"),
        ("2026-11-02T12:00:00.000", "2026-11-02T12:00:00.000", "B"),
    ],
)
def test_who_reigned_on_any_day_and_at_any_moment(start: str, end: str, expected: str) -> None:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    found = reigning(history("A", "B"), first, last)
    assert "".join(reign.champion.model_package_arn for reign in found) == expected


def test_a_request_has_its_team_and_its_actor_from_the_rule() -> None:
    request = REQUEST | {"team": "oncology", "actor": "turbine", "promotion_id": "mine"}
    promotion = requested({"request": request, **ENVELOPE})
    assert (promotion.team, promotion.actor, promotion.promotion_id) == ("vision", "a lead of vision", "e1")
    assert requested({**REQUEST, **ENVELOPE}) == promotion


@pytest.mark.parametrize("field", sorted(REQUEST))
def test_a_request_that_lacks_a_field_is_refused_by_its_name(field: str) -> None:
    request = {name: value for name, value in REQUEST.items() if name != field}
    with pytest.raises(PromotionRefusedError, match=f"{field}: .*turbine promote"):
        requested({"request": request, **ENVELOPE})


@pytest.mark.parametrize(("request_", "words"), [("text", "no object"), (REQUEST | {"kind": "coup"}, "kind: ")])
def test_a_request_of_another_kind_is_refused(request_: Any, words: str) -> None:
    with pytest.raises(PromotionRefusedError, match=words):
        requested({"request": request_, **ENVELOPE})

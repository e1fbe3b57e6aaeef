"""Who a team's champion is; every change is a compare-and-swap that grows the version by one."""

from __future__ import annotations

from typing import Any

from turbine.domain.manifest import InferenceInput
from turbine.domain.run import Record


class Promotion(Record):
    """The input of the `promotion` machine; the same `promotion_id` is the same promotion."""

    team: str
    run_id: str
    model_package_arn: str
    model_version: int
    expected_champion_version: int
    promotion_id: str
    reason: str
    actor: str


class Champion(Record):
    """A champion, now or once."""

    team: str
    run_id: str
    model_package_arn: str
    model_version: int
    champion_version: int
    promotion_id: str
    promoted_at: str
    reason: str
    actor: str


def history_key(champion_version: int) -> str:
    """The sort key of a champion in its team's history."""
    return f"CHAMPION#{champion_version:08d}"


def successor(promotion: Promotion, promoted_at: str) -> Champion:
    """The champion that a promotion makes."""
    return Champion(
        team=promotion.team,
        run_id=promotion.run_id,
        model_package_arn=promotion.model_package_arn,
        model_version=promotion.model_version,
        champion_version=promotion.expected_champion_version + 1,
        promotion_id=promotion.promotion_id,
        promoted_at=promoted_at,
        reason=promotion.reason,
        actor=promotion.actor,
    )


def promoted_detail(champion: Champion, model_data_uri: str, inference: InferenceInput | None) -> dict[str, Any]:
    """The detail of `ModelPromoted`: all that the prediction side, maybe in another account, may know."""
    return {
        "schema_version": 1,
        **champion.model_dump(exclude={"promoted_at"}),
        "model_data_uri": model_data_uri,
        "inference": None if inference is None else inference.model_dump(),
    }

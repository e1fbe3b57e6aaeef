"""Who a team's champion is; every change is a compare-and-swap that grows the version by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from turbine.domain.errors import PromotionRefusedError
from turbine.domain.manifest import InferenceInput
from turbine.domain.run import Record

Kind = Literal["promotion", "rollback"]
OWN_ACTOR = "turbine"
"""Who promotes in a run's own machine."""
_INSTANT = timedelta(microseconds=1)


class Promotion(Record):
    """What the `promotion` machine is asked for; the same `promotion_id` is the same promotion."""

    team: str
    run_id: str
    model_package_arn: str
    model_version: int
    expected_champion_version: int
    promotion_id: str
    reason: str
    actor: str
    kind: Kind = "promotion"


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
    kind: Kind = "promotion"


def requested(given: Mapping[str, Any]) -> Promotion:
    """The promotion in the machine's input. People's requests come within `request`, which stands below the rest.

    Raises: PromotionRefusedError naming the first field that is missing or wrong.
    """
    request = given.get("request") or {}
    if not isinstance(request, dict):
        raise PromotionRefusedError("The request is no object. Ask by: turbine promote TEAM VERSION --reason TEXT")
    try:
        return Promotion.model_validate({**request, **{name: given[name] for name in given if name != "request"}})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part)[:64] for part in first["loc"])
        raise PromotionRefusedError(
            f"The request to promote is not complete: {field}: {first['msg']}. "
            "Ask by: turbine promote TEAM VERSION --reason TEXT"
        ) from error


def history_key(champion_version: int) -> str:
    """The sort key of a champion in its team's history."""
    return f"CHAMPION#{champion_version:08d}"


def record_name(champion_version: int) -> str:
    """The file in its run's folder that keeps a champion beside the table: `{"schema_version": 1, **Champion}`."""
    return f"promotions/{champion_version}.json"


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
        kind=promotion.kind,
    )


class Reign(NamedTuple):
    """A champion and its time: from `champion.promoted_at` to before `until`; None while it lasts."""

    champion: Champion
    until: str | None


def reigns(history: Sequence[Champion]) -> list[Reign]:
    """The reigns of a history, oldest first."""
    ends = [later.promoted_at for later in history[1:]]
    return [Reign(champion, until) for champion, until in zip(history, [*ends, None], strict=False)]


def reigning(history: Sequence[Champion], start: datetime, end: datetime) -> list[Reign]:
    """Who was champion at some moment of [start, end), oldest first; with `end` equal to `start`: at that moment."""
    return [
        reign
        for reign in reigns(history)
        if _moment(reign.champion.promoted_at) < max(end, start + _INSTANT)
        and (reign.until is None or _moment(reign.until) > start)
    ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def predecessor(history: Sequence[Champion]) -> Champion | None:
    """Whom a rollback brings back: the champion before the one that reigns.

    A rollback takes those off that it went back over, so that a second one goes back further instead of to what the
    first one left. None when nobody is left.
    """
    stack: list[Champion] = []
    for champion in history:
        arns = [earlier.model_package_arn for earlier in stack]
        goes_back = champion.kind == "rollback" and champion.model_package_arn in arns
        if goes_back or arns[-1:] == [champion.model_package_arn]:
            del stack[len(arns) - 1 - arns[::-1].index(champion.model_package_arn) :]
        stack.append(champion)
    return stack[-2] if len(stack) > 1 else None


def promoted_detail(champion: Champion, model_data_uri: str, inference: InferenceInput | None) -> dict[str, Any]:
    """The detail of `ModelPromoted`: all that the prediction side, maybe in another account, may know."""
    return {
        "schema_version": 1,
        **champion.model_dump(exclude={"promoted_at"}),
        "model_data_uri": model_data_uri,
        "inference": None if inference is None else inference.model_dump(),
    }

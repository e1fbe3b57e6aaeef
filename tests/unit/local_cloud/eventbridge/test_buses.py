"""What passes from bus to bus."""

from __future__ import annotations

from typing import Any

import pytest
from moto.events.models import EventBus, EventBusPolicyStatement

from local_cloud.eventbridge import buses
from local_cloud.eventbridge.failures import DeliveryError

HERE, THERE, THIRD = "111111111111", "222222222222", "333333333333"


def bus(account: str, *principals: Any, **changes: Any) -> EventBus:
    made = EventBus(account, "us-east-1", "default")
    for number, principal in enumerate(principals):
        given = {
            "sid": str(number),
            "principal": principal,
            "action": "events:PutEvents",
            "resource": made.arn,
            **changes,
        }
        made._statements[str(number)] = EventBusPolicyStatement(**given)
    return made


def event(account: str = HERE) -> dict[str, Any]:
    return {"source": "s", "detail-type": "d", "detail": {}, "account": account}


@pytest.mark.parametrize("principal", ["*", {"AWS": HERE}, {"AWS": [THIRD, f"arn:aws:iam::{HERE}:root"]}, {"AWS": "*"}])
def test_a_policy_that_names_the_sender_lets_it_in(principal: Any) -> None:
    assert buses.lets_in(bus(THERE, principal), HERE)


def test_all_others_stay_out() -> None:
    assert buses.lets_in(bus(HERE), HERE)
    assert not buses.lets_in(bus(THERE), HERE)
    assert not buses.lets_in(bus(THERE, {"AWS": THIRD}), HERE)
    assert not buses.lets_in(bus(THERE, "*", effect="Deny"), HERE)
    assert not buses.lets_in(bus(THERE, "*", condition={"StringEquals": {"aws:PrincipalOrgID": "o"}}), HERE)


def test_an_event_hops_to_one_other_account_and_not_in_circles() -> None:
    buses.check_hop(event(), HERE, bus(THERE, "*"), 0)
    buses.check_hop(event(HERE), THERE, bus(THERE), 1)
    for sender, target, hops, code in (
        (THERE, bus(THIRD, "*"), 0, "THIRD_ACCOUNT_HOP_DETECTED"),
        (HERE, bus(THERE), 0, "NO_PERMISSIONS"),
        (HERE, bus(HERE), buses.MOST_HOPS, "INTERNAL_ERROR"),
    ):
        with pytest.raises(DeliveryError) as caught:
            buses.check_hop(event(), sender, target, hops)
        assert caught.value.code == code
    with pytest.raises(DeliveryError, match="not an event"):
        buses.check_hop({"n": 1}, HERE, bus(HERE), 0)

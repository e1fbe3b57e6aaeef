"""Prices are ranges, and what a run takes follows from its work and its curve."""

from __future__ import annotations

import math

import pytest

from turbine.domain import capacity
from turbine.domain.capacity import Estimate, estimate, over_budget
from turbine.domain.capacity.model import Curve, vm_hours
from turbine.domain.capacity.prices import PRICES, PRICES_USD_PER_HOUR, Price


def test_hours_cost_between_two_sources() -> None:
    assert Price(20, 30).cost_usd(2.5) == (50, 75)


def test_spot_hours_cost_what_spot_does() -> None:
    price = Price(20, 30, 6, 21)
    assert price.cost_usd(10, spot_vm_hours=4) == (6 * 20 + 4 * 6, 6 * 30 + 4 * 21)
    assert price.cost_usd(10, spot_vm_hours=10) == (60, 210)


def test_where_there_is_no_spot_its_hours_cost_as_others() -> None:
    assert Price(20, 30).cost_usd(10, spot_vm_hours=4) == (200, 300)


@pytest.mark.parametrize("hours", [(1, 2), (1, -1), (-1, 0), (math.nan, 0)])
def test_hours_on_spot_are_some_of_all(hours: tuple[float, float]) -> None:
    """Otherwise what is saved would be counted twice."""
    with pytest.raises(ValueError, match="are not some of"):
        Price(20, 30, 6, 21).cost_usd(*hours)


@pytest.mark.parametrize(
    "prices", [(30, 20), (0, 20), (-1, 20), (math.nan, 20), (20, math.inf), (20, 30, 9, 8), (20, 30, 0, 8)]
)
def test_a_range_grows_from_above_zero(prices: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="USD is not one"):
        Price(*prices)


def test_spot_has_both_ends_or_none() -> None:
    """Half a range would be filled up with the price on demand."""
    with pytest.raises(ValueError, match="a price range from 5 to None USD is not one"):
        Price(20, 30, spot_low_usd=5)
    with pytest.raises(ValueError, match="a price range from None to 9 USD is not one"):
        Price(20, 30, spot_high_usd=9)


def test_listed_prices_are_ranges_and_spot_is_cheaper() -> None:
    for price in PRICES.values():
        assert price.spot_low_usd is not None and price.spot_high_usd is not None
        assert price.spot_low_usd < price.low_usd <= price.high_usd and price.spot_high_usd < price.high_usd
    assert {name: price.low_usd for name, price in PRICES.items()} == PRICES_USD_PER_HOUR
    assert capacity.INSTANCE_TYPE in PRICES


def test_one_run_of_the_reference() -> None:
    hours, price_usd = 100 / 48, PRICES["p4d.24xlarge"].low_usd
    alone = estimate(1, vm_hours(), price_usd, Curve())
    assert alone.nodes == 1 and alone.hours == alone.vm_hours == pytest.approx(hours)
    assert alone.cost_usd == pytest.approx(hours * price_usd)


def test_more_vms_take_less_time_and_cost_more() -> None:
    four = estimate(4, vm_hours(), 10, Curve())
    assert four.hours == pytest.approx(100 / 48 / (4 * 0.95**2))
    assert four.vm_hours == pytest.approx(4 * four.hours) and four.cost_usd == pytest.approx(40 * four.hours)
    measured = estimate(4, vm_hours(48), 10, Curve(0.9, ((4, 2.5),)))
    assert measured.hours == pytest.approx(1 / 2.5)


def test_a_run_that_costs_its_budget_may_start() -> None:
    assert not over_budget(Estimate(1, 1, 1, 20), 20)
    assert over_budget(Estimate(1, 1, 1, 20.01), 20)

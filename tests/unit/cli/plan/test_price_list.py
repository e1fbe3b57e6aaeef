"""Prices from AWS, by answers in the documented shape: nobody here has an account."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from cli.cloud import Cloud
from cli.errors import CommandError
from cli.plan import price_list, request

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
TYPE = "p5.48xlarge"


class Session:
    """A session whose price list is stubbed."""

    region_name = "eu-west-1"

    def __init__(self, pricing: Any) -> None:
        self.pricing = pricing
        self._other: Any = boto3.Session(region_name="eu-west-1", aws_access_key_id="K", aws_secret_access_key="S")

    def client(self, service: str, **given: Any) -> Any:
        if service == "pricing":
            assert given["region_name"] == "us-east-1"
            return self.pricing
        return self._other.client(service, **given)


def product(usd: str, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return json.dumps({"terms": {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": dimension}}}}})


@pytest.fixture
def cloud() -> Cloud:
    session = boto3.Session(region_name="us-east-1", aws_access_key_id="K", aws_secret_access_key="S")
    stubbed: Any = Session(session.client("pricing"))
    return Cloud(stubbed, "turbine", endpoint_url=None, config=Config())


def answered(cloud: Cloud, products: list[str], spot: list[str]) -> tuple[Stubber, Stubber]:
    pricing, ec2 = Stubber(cloud.session.pricing), Stubber(cloud.client("ec2"))
    asked = {"ServiceCode": "AmazonEC2", "Filters": ANY}
    pricing.add_response("get_products", {"PriceList": products}, asked)
    history = {"InstanceTypes": [TYPE], "ProductDescriptions": ["Linux/UNIX"], "StartTime": NOW - dt.timedelta(days=7)}
    ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": [{"SpotPrice": one} for one in spot]}, history)
    pricing.activate()
    ec2.activate()
    return pricing, ec2


def test_the_file_is_what_a_plan_reads_and_keeps_other_types(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("{as_of: 2026-10, currency: USD, source: me, usd_per_hour: {x.large: {on_demand: [1, 2]}}}")
    answered(cloud, [product("55.04"), product("0.0"), product("9.9", "Quantity"), product("60.5")], ["21.2", "19.75"])
    price_list.refresh(cloud, TYPE, file, NOW)
    price, source = request.price_of(TYPE, file)
    assert (price.low_usd, price.high_usd, price.spot_low_usd, price.spot_high_usd) == (55.04, 60.5, 19.75, 21.2)
    assert source == "AWS Price List and Spot price history of 7 days, eu-west-1, 2026-11-27"
    assert request.price_of("x.large", file)[0].high_usd == 2


def test_where_spot_is_not_sold_none_is_told(cloud: Cloud, tmp_path: Path) -> None:
    answered(cloud, [product("55.04")], [])
    price_list.refresh(cloud, TYPE, tmp_path / "prices.yaml", NOW)
    assert request.price_of(TYPE, tmp_path / "prices.yaml")[0].spot_low_usd is None


def test_a_vm_that_is_not_sold_there_is_named(cloud: Cloud, tmp_path: Path) -> None:
    answered(cloud, [], [])
    with pytest.raises(CommandError, match=f"sells no {TYPE} in eu-west-1"):
        price_list.refresh(cloud, TYPE, tmp_path / "prices.yaml", NOW)
    assert not (tmp_path / "prices.yaml").exists()


def test_a_refusal_says_what_is_needed_and_leaves_the_file(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("something else")
    with Stubber(cloud.session.pricing) as refusing:
        refusing.add_client_error("get_products", "AccessDeniedException", "no")
        with pytest.raises(CommandError) as caught:
            price_list.refresh(cloud, TYPE, file, NOW)
    assert "pricing:GetProducts" in str(caught.value.next_step)
    assert file.read_text() == "something else"


def test_a_file_of_something_else_is_left_as_it_is(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "notes.yaml"
    file.write_text("- nothing of prices")
    answered(cloud, [product("55.04")], ["20"])
    with pytest.raises(CommandError, match="is no file of prices"):
        price_list.refresh(cloud, TYPE, file, NOW)
    assert file.read_text() == "- nothing of prices"

"""Prices from AWS, for those who have credentials: the price list for VMs on demand, and Spot's last week.

They become a file of the shape that `--prices` reads, dated and with its source, so that a plan can be told again.
Source: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html (the price list is
served from us-east-1 whatever the Region it is about),
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError

PRICE_LIST_REGION = "us-east-1"
SPOT_DAYS = 7
_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}


def refresh(cloud: Cloud, instance_type: str, file: Path, today: dt.datetime) -> None:
    """Write an instance type's prices in the session's Region into a file, beside those of other types in it.

    Raises: CommandError without credentials, without the permission, or where AWS sells no such VM.
    """
    try:
        on_demand = _range(_on_demand_usd(cloud, instance_type))
        spot = _range(_spot_usd(cloud, instance_type, today))
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"AWS tells no prices: {error}",
            next_step="take credentials that may pricing:GetProducts and ec2:DescribeSpotPriceHistory, or write the "
            "file by hand",
        ) from error
    if on_demand is None:
        raise CommandError(
            f"AWS sells no {instance_type} in {cloud.region}",
            next_step="name another --instance-type, or another Region with AWS_REGION",
            exit_code=exit_codes.REFUSED,
        )
    prices: dict[str, Any] = {"on_demand": on_demand} | ({"spot": spot} if spot else {})
    document = {
        "as_of": today.date().isoformat(),
        "currency": "USD",
        "source": f"AWS Price List and Spot price history of {SPOT_DAYS} days, {cloud.region}",
        "usd_per_hour": _others(file, instance_type) | {instance_type: prices},
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _others(file: Path, instance_type: str) -> dict[str, Any]:
    """What a file that was made today or before says of other types; nothing if it is none of ours."""
    if not file.exists():
        return {}
    try:
        listed = yaml.safe_load(file.read_bytes())["usd_per_hour"]
        return {name: price for name, price in listed.items() if name != instance_type}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"{file} is no file of prices, and is left as it is",
            next_step="name another file",
            exit_code=exit_codes.REFUSED,
        ) from error


def _on_demand_usd(cloud: Cloud, instance_type: str) -> Iterator[float]:
    wanted = {**_LINUX, "instanceType": instance_type, "regionCode": cloud.region}
    client = cloud.session.client("pricing", region_name=PRICE_LIST_REGION)
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2",
        Filters=[{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()],
    )
    for page in pages:
        for product in page["PriceList"]:
            yield from _hourly_usd(json.loads(product))


def _hourly_usd(product: Mapping[str, Any]) -> Iterator[float]:
    """What a product costs an hour on demand; free ones are reservations that are paid elsewhere."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and usd > 0:
                yield usd


def _spot_usd(cloud: Cloud, instance_type: str, today: dt.datetime) -> Iterator[float]:
    pages = (
        cloud.client("ec2")
        .get_paginator("describe_spot_price_history")
        .paginate(
            InstanceTypes=[instance_type],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=today - dt.timedelta(days=SPOT_DAYS),
        )
    )
    return (float(entry["SpotPrice"]) for page in pages for entry in page["SpotPriceHistory"])


def _range(found: Iterable[float]) -> list[float] | None:
    prices = sorted(found)
    return [prices[0], prices[-1]] if prices else None

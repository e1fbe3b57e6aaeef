"""What an hour of a VM costs. Prices differ between sources and move: a file or a team's budget may replace them.

On demand, Linux, us-east-1, before discounts. A planner that shows one number where sources disagree by half lies, so
each price is a range; estimates that guard a budget take its low end, as the budgets' own docs say.

Source: https://aws.amazon.com/ec2/pricing/on-demand/ (low), https://instances.vantage.sh (high, before the price cuts
of June 2025); Spot's share of it: https://aws.amazon.com/ec2/spot/instance-advisor/ ("savings over on-demand").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

INSTANCE_TYPE = "p4d.24xlarge"
PRICES_AS_OF = "2026-11"
CURRENCY = "USD"
SPOT_SHARE = (0.3, 0.7)
"""An assumption: Spot prices of GPU instances move by zone and hour, and nobody knows tomorrow's."""


@dataclass(frozen=True)
class Price:
    """USD for an hour of a VM, from the lowest to the highest source; `spot_*` None where it is not sold so."""

    low_usd: float
    high_usd: float
    spot_low_usd: float | None = None
    spot_high_usd: float | None = None

    def __post_init__(self) -> None:
        for low, high in ((self.low_usd, self.high_usd), (self.spot_low_usd, self.spot_high_usd)):
            if low is None and high is None:
                continue
            if low is None or high is None or not 0 < low <= high < math.inf:
                raise ValueError(f"a price range from {low} to {high} USD is not one")

    def cost_usd(self, vm_hours: float, spot_vm_hours: float = 0.0) -> tuple[float, float]:
        """The range for so many hours, of which some are on Spot."""
        if not 0 <= spot_vm_hours <= vm_hours:
            raise ValueError(f"{spot_vm_hours:g} hours on Spot are not some of {vm_hours:g}")
        owned = vm_hours - spot_vm_hours
        spot_low, spot_high = self.spot_low_usd or self.low_usd, self.spot_high_usd or self.high_usd
        return (owned * self.low_usd + spot_vm_hours * spot_low, owned * self.high_usd + spot_vm_hours * spot_high)


def _listed(low_usd: float, high_usd: float) -> Price:
    return Price(low_usd, high_usd, round(low_usd * SPOT_SHARE[0], 2), round(high_usd * SPOT_SHARE[1], 2))


PRICES: Mapping[str, Price] = {"p4d.24xlarge": _listed(21.96, 32.77), "p5.48xlarge": _listed(55.04, 98.32)}
PRICES_USD_PER_HOUR: Mapping[str, float] = {name: price.low_usd for name, price in PRICES.items()}

"""A small world whose table can be lost: champions by the real use cases, and what the registry shows of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cli.rebuild import evidence, plan
from cli.rebuild.evidence import Evidence
from cli.rebuild.plan import Plan
from tests.fakes import FakeRegistry, FakeTable
from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.champion import Champion, Promotion
from turbine.usecases.compare_models import CompareModels, ComparisonRequest
from turbine.usecases.promote_model import PromoteModel
from turbine.usecases.register_model import RegisterModel, RegistrationRequest

GROUP = "turbine-vision"
PK = "TEAM#vision"


@dataclass
class Lost:
    """Team `vision`; `with_records` as since the bucket keeps each champion, without as before."""

    world: World
    with_records: bool = True
    approvals: dict[str, str] = field(default_factory=dict)

    def run(self, accuracy: float, *, name: str) -> ComparisonRequest:
        """Train, compare and register."""
        self.world.clock.move(timedelta(hours=1))
        run = self.world.finished_run(test={"accuracy": accuracy}, name=name)
        request = ComparisonRequest(**run.model_dump(), final_attempt=True)
        compare = CompareModels(ARTIFACTS, self.world.store, self.world.table, self.world.metrics, self.world.clock)
        self.verdict = compare(request)
        register = RegisterModel(
            "turbine", ARTIFACTS, "image", self.world.store, self.world.table, self.world.registry, self.world.clock
        )
        register(RegistrationRequest(**run.model_dump(), decision=self.verdict["decision"]))
        return request

    def promote(self, run: ComparisonRequest, **changes: Any) -> Champion:
        """As the machine does it: over the present champion, with its approval."""
        table = self.world.table
        package = table.get(f"RUN#{run.run_id}", "PACKAGE") or {}
        expected = (table.get(PK, "CHAMPION") or {}).get("champion_version", 0)
        given = {
            "team": "vision",
            "run_id": run.run_id,
            "model_package_arn": package["model_package_arn"],
            "model_version": package["model_version"],
            "expected_champion_version": expected,
            "promotion_id": f"{run.run_id}-v{expected + 1}",
            "reason": self.verdict["reason"],
            "actor": "turbine",
        } | changes
        self.world.clock.move(timedelta(minutes=1))
        PromoteModel(ARTIFACTS, self.world.store, table, self.world.clock)(Promotion.model_validate(given))
        made = Champion.model_validate(table.get(PK, "CHAMPION"))
        self.approvals = {made.model_package_arn: f"Champion {made.champion_version} of vision by {made.actor}"}
        if not self.with_records:
            self.forget(f"/{run.run_id}/promotions/{made.champion_version}.json")
        return made

    def champion(self, accuracy: float, *, name: str, **changes: Any) -> Champion:
        return self.promote(self.run(accuracy, name=name), **changes)

    def lose(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Take the table's items away; what it held."""
        items = self.world.table.items
        self.world.table = FakeTable()
        if not self.with_records:
            self.forget("/promotions/")
        return items

    def forget(self, part: str) -> None:
        """Delete what has this in its place; a promotion puts the one before on record too."""
        for place in {one for one in self.world.store.written if part in one}:
            self.world.store.delete(place)

    def evidence(self) -> Evidence:
        shown = ShownRegistry(self.world.registry, self.approvals, self.world.clock())
        return evidence.gather(shown, self.world.store, ARTIFACTS, GROUP, "vision")

    def plan(self) -> Plan:
        items = self.world.table.items
        keys = sorted(key for key in items if key[0] == PK and key[1].startswith("CHAMPION#"))
        return plan.of_table(self.evidence(), self.world.table, [Champion.model_validate(items[key]) for key in keys])


@dataclass
class ShownRegistry:
    """A registry as boto3 shows it; `approvals` are the descriptions of the packages that are Approved, by ARN."""

    registry: FakeRegistry
    approvals: dict[str, str]
    now: datetime

    def get_paginator(self, _: str) -> ShownRegistry:
        return self

    def paginate(self, ModelPackageGroupName: str) -> list[dict[str, Any]]:  # noqa: N803
        arns = [package.arn for package, _, _ in self.registry.packages if f"/{ModelPackageGroupName}/" in package.arn]
        return [{"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in arns]}]

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        ((package, request, created),) = [one for one in self.registry.packages if one[0].arn == ModelPackageName]
        told = dict(request.metadata)
        for arn, _, changes in self.registry.revisions:
            told |= changes if arn == package.arn else {}
        return {
            "CustomerMetadataProperties": told,
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": request.model_data_uri}]},
            "CreationTime": created,
            "LastModifiedTime": self.now,
            "ModelApprovalStatus": "Approved" if package.arn in self.approvals else request.approval,
            "ApprovalDescription": self.approvals.get(package.arn, ""),
        }


def champions_of(items: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {key: item for key, item in items.items() if key[0] == PK}

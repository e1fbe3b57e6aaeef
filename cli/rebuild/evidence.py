"""What is left of a team's champions without the table: packages, records and verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from cli import threads
from turbine.domain.champion import Champion
from turbine.domain.run import Record
from turbine.domain.uri import S3Uri
from turbine.ports import ObjectStore

WORKERS = 8
_FILE = re.compile(r"runs/[^/]+/[^/]+/(?P<kind>promotions|decisions)/(?P<version>\d+)\.json")
M = TypeVar("M", bound=BaseModel)


class PackageLeft(NamedTuple):
    """A package that a run of Turbine's has registered. Moments are ISO 8601 in UTC."""

    arn: str
    version: int
    run_id: str
    model_data_uri: str
    decision: str
    created_at: str
    modified_at: str
    is_approved: bool
    approval_description: str


class SideLeft(Record):
    """Whom a verdict is about."""

    run_id: str


class VerdictLeft(Record):
    """The part of `decisions/<champion_version>.json` that tells of champions."""

    run_id: str
    decision: str
    reason: str
    champion_version: int
    champion: SideLeft | None
    decided_at: str


@dataclass(frozen=True)
class Evidence:
    """All that is left of a team; `unreadable` are the places of records and verdicts that are none."""

    team: str
    packages: tuple[PackageLeft, ...] = ()
    records: tuple[Champion, ...] = ()
    verdicts: tuple[VerdictLeft, ...] = ()
    unreadable: tuple[str, ...] = ()

    def package_of(self, run_id: str) -> PackageLeft | None:
        """The package that a run has registered."""
        found = [package for package in self.packages if package.run_id == run_id]
        return min(found, key=lambda package: package.version, default=None)


def gather(sagemaker: Any, store: ObjectStore, bucket: str, group: str, team: str) -> Evidence:
    """Look for all that is left. Verdicts are read where no record tells who was champion before or after them."""
    found = [
        (S3Uri(bucket, entry.key), match["kind"], int(match["version"]))
        for entry in store.objects(S3Uri(bucket, f"runs/{team}/"))
        if (match := _FILE.fullmatch(entry.key))
    ]
    unreadable: list[str] = []
    records = _read(store, [place for place, kind, _ in found if kind == "promotions"], Champion, unreadable)
    known = {0, *(record.champion_version for record in records)}
    telling = [place for place, kind, version in found if kind == "decisions" and not {version, version + 1} <= known]
    return Evidence(
        team=team,
        packages=tuple(_packages(sagemaker, group, team)),
        records=tuple(records),
        verdicts=tuple(_read(store, telling, VerdictLeft, unreadable)),
        unreadable=tuple(unreadable),
    )


def _read(store: ObjectStore, places: list[S3Uri], kind: type[M], unreadable: list[str]) -> list[M]:
    with threads.pool(WORKERS) as pool:
        bodies = list(pool.map(store.read, places))
    read = []
    for place, body in zip(places, bodies, strict=True):
        try:
            read.append(kind.model_validate(json.loads(body)))
        except (ValueError, ValidationError):
            unreadable.append(str(place))
    return read


def _packages(sagemaker: Any, group: str, team: str) -> Iterator[PackageLeft]:
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for arn in [entry["ModelPackageArn"] for page in pages for entry in page["ModelPackageSummaryList"]]:
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        told = described.get("CustomerMetadataProperties", {})
        archive = _archive(described.get("InferenceSpecification", {}).get("Containers", []))
        if archive and "decision" in told and told.get("run_id", "").startswith(f"{team}-"):
            yield PackageLeft(
                arn=arn,
                version=int(arn.rpartition("/")[2]),
                run_id=told["run_id"],
                model_data_uri=archive,
                decision=told["decision"],
                created_at=_moment(described["CreationTime"]),
                modified_at=_moment(described.get("LastModifiedTime") or described["CreationTime"]),
                is_approved=described.get("ModelApprovalStatus") == "Approved",
                approval_description=described.get("ApprovalDescription", ""),
            )


def _archive(containers: Iterable[dict[str, Any]]) -> str:
    return next((container.get("ModelDataUrl", "") for container in containers), "")


def _moment(given: datetime) -> str:
    return given.astimezone(UTC).isoformat(timespec="milliseconds")

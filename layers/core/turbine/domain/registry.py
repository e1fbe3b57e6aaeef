"""What the model registry is told about a model, within SageMaker's limits.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
(50 metadata entries, keys up to 128 and values up to 256 characters; ClientToken up to 36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from turbine.domain import names
from turbine.domain.metrics import Metrics
from turbine.domain.run import RunSpec

_BY_PROMOTION = re.compile(r"Champion (\d+ )?of [a-z][a-z0-9]*")
VALUE_MAX = 256
ENTRIES_MAX = 50

CONTENT_TYPES = ("application/jsonlines", "text/csv")

# Promotion approves; a model nobody promoted waits for a human, a rejected one says so.
Approval = Literal["Approved", "PendingManualApproval", "Rejected"]
APPROVAL: Mapping[str, Approval] = {
    "promote": "PendingManualApproval",
    "hold": "PendingManualApproval",
    "reject": "Rejected",
}


class PackageRequest(NamedTuple):
    """A model package to be created."""

    group: str
    client_token: str
    description: str
    image: str
    model_data_uri: str
    metrics_uri: str
    approval: Approval
    metadata: Mapping[str, str]


class Package(NamedTuple):
    """A model package that exists."""

    arn: str
    version: int


class ApprovedPackage(NamedTuple):
    """A package that is Approved now. `modified_at` is ISO 8601 in UTC; `actor` whom SageMaker names, or empty."""

    arn: str
    version: int
    run_id: str
    description: str
    modified_at: str
    actor: str

    @property
    def is_by_promotion(self) -> bool:
        """Whether the `promotion` machine or the reconciler has approved it, and no person."""
        return _BY_PROMOTION.match(self.description) is not None


def champions_mark(team: str) -> str:
    """The approval description of the reconciler's approvals; the machine's own says more (promotion.asl.yaml)."""
    return f"Champion of {team}"


def client_token(run_id: str) -> str:
    """The same for the same run, at most 36 characters."""
    return names.digest(["package", run_id])[:36]


def archive_key(team: str, run_id: str) -> str:
    """Where the registered archive lies; by run, because the copy is made before the version exists."""
    return f"registry/{team}/{run_id}/model.tar.gz"


def metadata(spec: RunSpec, metrics: Metrics, decision: str, archive_md5: str) -> dict[str, str]:
    """What a reader of the registry can find a model by."""
    entries = {
        "run_id": spec.run_id,
        "team": spec.team,
        "dataset": spec.dataset.name,
        "dataset_version": spec.dataset.version,
        "split_id": spec.split.id,
        "recipe": spec.recipe.name,
        "seed": str(spec.seed),
        "cause_key": spec.cause.key,
        "decision": decision,
        "model_md5": archive_md5,
        "metric": spec.rule.metric,
    }
    for name, value in sorted(metrics.test.items()):
        entries[f"test_{name}"] = repr(value)
    stated = {name: value[:VALUE_MAX] for name, value in entries.items() if value}  # empty values are refused
    return dict(list(stated.items())[:ENTRIES_MAX])

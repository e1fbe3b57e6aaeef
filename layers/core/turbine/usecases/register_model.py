"""Enter a model into the registry, once a run, whatever crashes on the way.

The order makes it safe: reserve in the table, copy the archive to a place named by the run, create
the package, note its ARN. CreateModelPackage's client token is not documented to live long, so a
run that was reserved before and has no ARN is first looked for among the group's packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from turbine.domain import names, registry
from turbine.domain.registry import Package, PackageRequest
from turbine.domain.run import RunReference, RunSpec
from turbine.domain.uri import S3Uri
from turbine.domain.verdict import Decision
from turbine.ports import Clock, Item, ObjectStore, Registry, Table
from turbine.usecases.copy_archive import CopyArchive
from turbine.usecases.run_files import RunFiles

# The clocks of a function and of SageMaker need not agree.
CLOCK_MARGIN = timedelta(minutes=5)


class RegistrationRequest(RunReference):
    """A run and what was decided about its model."""

    decision: Decision


@dataclass(frozen=True)
class RegisterModel:
    """The function `register_model`."""

    stack: str
    artifact_bucket: str
    inference_image_uri: str
    store: ObjectStore
    table: Table
    registry: Registry
    clock: Clock

    def __call__(self, request: RegistrationRequest) -> dict[str, Any]:
        """Register a run's model, or answer with the package that there is."""
        pk = f"RUN#{request.run_id}"
        reserved = self._reserve(pk, request.run_id)
        if reserved is not None and "model_package_arn" in reserved:
            self._revise(reserved, request.decision)
            return _answer(reserved)
        files = RunFiles(self.store, self.artifact_bucket)
        spec = files.spec(request.spec_uri)
        archive = CopyArchive(self.artifact_bucket, self.store)(request)
        package = self._find(spec, reserved)
        if package is None:
            package = self._create(files, spec, archive, request.decision)
        changes = {
            "model_package_arn": package.arn,
            "model_version": package.version,
            "model_data_uri": str(archive),
            "decision": request.decision,
        }
        self.table.update(pk, "PACKAGE", changes, {"client_token": registry.client_token(spec.run_id)})
        return _answer(changes)

    def _revise(self, package: Item, decision: Decision) -> None:
        """Compared again, with a champion that came in between, a model may meet another decision."""
        if package["decision"] == decision:
            return
        approval = registry.APPROVAL[decision]
        self.registry.revise(package["model_package_arn"], approval, {"decision": decision})
        expected = {"model_package_arn": package["model_package_arn"]}
        self.table.update(package["pk"], package["sk"], {"decision": decision}, expected)

    def _reserve(self, pk: str, run_id: str) -> Item | None:
        """Reserve the run's package; answer the item that an earlier attempt left."""
        item: Item = {
            "pk": pk,
            "sk": "PACKAGE",
            "client_token": registry.client_token(run_id),
            "reserved_at": self.clock().isoformat(),
        }
        return None if self.table.insert(item) else self.table.get(pk, "PACKAGE")

    def _find(self, spec: RunSpec, reserved: Item | None) -> Package | None:
        """A package that an earlier attempt created before it could note the ARN."""
        if reserved is None:
            return None
        since = datetime.fromisoformat(reserved["reserved_at"]) - CLOCK_MARGIN
        return self.registry.find(names.package_group(self.stack, spec.team), spec.run_id, since)

    def _create(self, files: RunFiles, spec: RunSpec, archive: S3Uri, decision: Decision) -> Package:
        metrics = files.metrics(spec.team, spec.run_id)
        published = files.find_json(files.place(spec.team, spec.run_id, "published.json")) or {}
        md5 = published.get("dvc", {}).get("md5", "")
        return self.registry.create(
            PackageRequest(
                group=names.package_group(self.stack, spec.team),
                client_token=registry.client_token(spec.run_id),
                description=f"{spec.recipe.name} on {spec.dataset.name}, run {spec.run_id}",
                image=self.inference_image_uri,
                model_data_uri=str(archive),
                metrics_uri=f"{spec.output_uri}metrics.json",
                approval=registry.APPROVAL[decision],
                metadata=registry.metadata(spec, metrics, decision, md5),
            )
        )


def _answer(item: Item) -> dict[str, Any]:
    return {name: item[name] for name in ("model_package_arn", "model_version", "model_data_uri")}

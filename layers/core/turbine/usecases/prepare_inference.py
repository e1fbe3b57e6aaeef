"""Turn a promotion, or a dropped inference manifest, into one Batch Transform that may start.

The prediction side may be another account: of the training side it knows only the `ModelPromoted`
events, whose newest it keeps as the team's champion; an older one that comes late starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turbine.domain import arrival, document, manifest, names
from turbine.domain.cause import ManifestCause
from turbine.domain.errors import (
    EventNotUnderstoodError,
    ManifestUnreadableError,
    ObjectForbiddenError,
    ObjectMissingError,
)
from turbine.domain.inference import CONTENT_TYPES, ClaimedModel, PreparedInference, PromotedModel
from turbine.domain.manifest import InferenceInput
from turbine.domain.rejection import ManifestFaultyError
from turbine.domain.uri import S3Uri
from turbine.ports import Clock, EventBus, Executions, ModelHost, ObjectStore, Table
from turbine.usecases import inference_input
from turbine.usecases.claims import Claims
from turbine.usecases.refusals import Refusals, Slot

NEW_CHAMPION = ("ModelPromoted", "ChampionRolledBack")


@dataclass(frozen=True)
class PrepareInference:
    """The function `prepare_inference`."""

    stack: str
    data_bucket: str
    prediction_bucket: str
    inference_image_uri: str
    store: ObjectStore
    table: Table
    models: ModelHost
    executions: Executions
    bus: EventBus
    clock: Clock

    def __call__(self, event: dict[str, Any], execution_arn: str) -> dict[str, Any]:
        """Prepare an inference, or say why there is none.

        Raises: EventNotUnderstoodError, ManifestUnreadableError, ModelConflictError.
        """
        if event.get("detail-type") in NEW_CHAMPION:
            return self._promoted(PromotedModel.model_validate(event["detail"]), execution_arn)
        if arrival.is_object_created(event):
            return self._dropped(arrival.dropped(event), execution_arn)
        expected = f"neither {' nor '.join(NEW_CHAMPION)} nor an 'Object Created' event"
        raise EventNotUnderstoodError(f"The input is {expected}.")

    def _promoted(self, model: PromotedModel, execution_arn: str) -> dict[str, Any]:
        inference_id = names.inference_id(model.run_id, model.champion_version)
        champion = {"pk": f"TEAM#{model.team}", "sk": "CHAMPION", **model.model_dump(mode="json")}
        if not self.table.put_newer(champion, "champion_version"):
            newest = (self.table.get(champion["pk"], "CHAMPION") or champion)["champion_version"]
            owned = self._claims(execution_arn).owns(model.team, inference_id)
            if newest > model.champion_version and not owned:
                reason = f"champion {model.champion_version} of {model.team} was succeeded by champion {newest}"
                return self._skip(model, inference_id, execution_arn, reason)
        if model.inference is None:
            return self._skip(model, inference_id, execution_arn, "the run's manifest names no inference input")
        return self._claimed(model, inference_id, model.inference, execution_arn)

    def _dropped(self, file: ManifestCause, execution_arn: str) -> dict[str, Any]:
        team = ""
        try:
            team = arrival.key_of(file, "inference").folder
            given = manifest.parse_inference(document.read_json(self._read(file)), team, self.data_bucket)
            inference_input.check(self.store, "input.uri", given.input.uri)
            if given.input.labels is not None:
                inference_input.check(self.store, "input.labels", given.input.labels)
        except ManifestFaultyError as error:
            refusals = Refusals(self.table, self.bus, self.clock, execution_arn)
            refused = refusals.record(Slot(file.key, None, file.uri), team, error.faults)
            return {"skip": True, "reason": f"{refused['field']} {refused['problem']}: {refused['mend']}"}
        item = self.table.get(f"TEAM#{team}", "CHAMPION")
        if item is None:
            return {"skip": True, "reason": f"team {team} has no champion yet"}
        inference_id = f"{team}-drop-{file.key[: names.CAUSE_SUFFIX]}"
        return self._claimed(PromotedModel.model_validate(item), inference_id, given.input, execution_arn)

    def _claimed(
        self, champion: PromotedModel, inference_id: str, given: InferenceInput, execution_arn: str
    ) -> dict[str, Any]:
        """Claim the inference for this execution and create its model; skip what another one works on."""
        claim = self._claims(execution_arn).take(champion, inference_id)
        if claim["owner"] != execution_arn:
            return {"skip": True, "reason": f"{inference_id} belongs to {claim['owner']} ({claim['status']})"}
        # What the claim pinned, not who is champion by now: a retry must not change the model under way.
        model = ClaimedModel.model_validate(claim)
        image = self.inference_image_uri
        name = names.model_name(self.stack, model.team, model.model_version, model.model_data_uri, image)
        environment = {"TURBINE_TEAM": model.team, "TURBINE_RUN_ID": model.run_id}
        self.models.ensure_model(name, image, model.model_data_uri, environment)
        folder = f"predictions/{model.team}/{model.model_version}/"
        return PreparedInference(
            inference_id=inference_id,
            team=model.team,
            run_id=model.run_id,
            champion_version=model.champion_version,
            model_version=model.model_version,
            model_name=name,
            input_uri=given.uri,
            content_type=CONTENT_TYPES[given.format],
            output_prefix_uri=f"s3://{self.prediction_bucket}/{folder}",
            label_key=given.labels,
            transform_name=names.transform_name(inference_id, claim["fencing"]),
            fencing=claim["fencing"],
        ).model_dump(mode="json")

    def _skip(self, model: PromotedModel, inference_id: str, execution_arn: str, reason: str) -> dict[str, Any]:
        self._claims(execution_arn).skip(model, inference_id, reason)
        return {"skip": True, "reason": reason}

    def _claims(self, execution_arn: str) -> Claims:
        return Claims(self.table, self.executions, self.clock, execution_arn)

    def _read(self, file: ManifestCause) -> bytes:
        place = S3Uri(file.bucket, file.object_key)
        try:
            size_bytes = self.store.head(place, file.version_id).size_bytes
            if size_bytes > document.SIZE_MAX_BYTES:
                raise document.too_large(size_bytes, document.SIZE_MAX_BYTES)
            return self.store.read(place, file.version_id)
        except (ObjectMissingError, ObjectForbiddenError) as error:
            raise ManifestUnreadableError(
                f"Version {file.version_id} of {file.uri} cannot be read ({error}). "
                f"Drop it again: aws s3 cp FILE {file.uri}"
            ) from error

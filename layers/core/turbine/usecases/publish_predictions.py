"""Make predictions visible: count them, evaluate them where labels exist, and mark them last.

A failed transform leaves the outputs that succeeded, so readers trust a prefix only by its
`_SUCCESS`, and the count must equal that of the input's lines. An execution whose inference was taken
over publishes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from turbine.domain import uri
from turbine.domain.errors import ClaimLostError, PredictionCountError
from turbine.domain.inference import Evaluation, PreparedInference, lines_of
from turbine.domain.uri import S3Uri
from turbine.ports import Clock, EventBus, ObjectStore, Table


class FinishedTransform(PreparedInference):
    """A prepared inference whose transform job ended; `attempt` is the folder it wrote to."""

    attempt: str
    transform_job_name: str


@dataclass(frozen=True)
class PublishPredictions:
    """The function `publish_predictions`."""

    store: ObjectStore
    table: Table
    bus: EventBus
    clock: Clock

    def __call__(self, finished: FinishedTransform) -> dict[str, Any]:
        """Publish one attempt's predictions. Raises: PredictionCountError, ClaimLostError."""
        self._check_claim(finished)
        folder = uri.parse(f"{finished.output_prefix_uri}{finished.attempt}/")
        marker = folder / "_SUCCESS"
        if next(self.store.objects(marker), None) is None:
            self.store.put_if_absent(marker, json.dumps(self._result(finished, folder), indent=2).encode())
        result = json.loads(self.store.read(marker))
        answer = {name: result[name] for name in ("predictions_uri", "records", "evaluation")}
        self._tell(finished, answer)
        return answer

    def _check_claim(self, finished: FinishedTransform) -> None:
        claim = self.table.get(*_claim_key(finished))
        if claim is None or claim["fencing"] != finished.fencing:
            raise ClaimLostError(
                f"{finished.inference_id} is not this execution's any more; "
                f"{'nobody' if claim is None else claim['owner']} works on it."
            )

    def _result(self, finished: FinishedTransform, folder: S3Uri) -> dict[str, Any]:
        inputs = sum(1 for _ in self._lines(uri.parse(finished.input_uri)))
        records = sum(1 for _ in self._lines(folder, ".out"))
        if records != inputs:
            raise PredictionCountError(
                f"{finished.transform_job_name} answered {records} records for {inputs} input lines "
                f"({finished.input_uri} to {folder})."
            )
        return {
            "schema_version": 1,
            "inference_id": finished.inference_id,
            "team": finished.team,
            "run_id": finished.run_id,
            "champion_version": finished.champion_version,
            "model_version": finished.model_version,
            "transform_job_name": finished.transform_job_name,
            "predictions_uri": str(folder),
            "records": records,
            "evaluation": self._evaluate(finished, folder),
            "ended_at": self.clock().isoformat(timespec="milliseconds"),
        }

    def _evaluate(self, finished: FinishedTransform, folder: S3Uri) -> dict[str, Any] | None:
        """Compare with the labels, line by line in the input's order; None without labels."""
        if finished.label_key is None:
            return None
        evaluation = Evaluation()
        labels = self._lines(uri.parse(finished.label_key))
        for answer, label in zip_longest(self._lines(folder, ".out"), labels):
            if answer is None or label is None:
                raise PredictionCountError(f"{finished.label_key} has not one label for each prediction.")
            evaluation.add(_answer(answer), json.loads(label)["label"])
        return evaluation.result()

    def _lines(self, place: S3Uri, suffix: str = "") -> Iterator[bytes]:
        """The lines of every object below a place, in key order."""
        for entry in self.store.objects(place):
            if entry.key.endswith(suffix) and entry.size_bytes:
                yield from lines_of(self.store.stream(S3Uri(place.bucket, entry.key)))

    def _tell(self, finished: FinishedTransform, answer: dict[str, Any]) -> None:
        """Close the claim and send the event, each once; a retry finishes what is missing."""
        pk, sk = _claim_key(finished)
        item = self.table.get(pk, sk) or {}
        if item.get("announced") == finished.attempt:
            return
        closed = {
            **answer,
            "status": "SUCCEEDED",
            "attempt": finished.attempt,
            "ended_at": self._now(),
            "error": None,
            "cause": None,
        }
        if not self.table.update(pk, sk, closed, {"fencing": finished.fencing}):
            self._check_claim(finished)
        self.bus.publish(
            "PredictionsReady",
            {
                "schema_version": 1,
                "team": finished.team,
                "run_id": finished.run_id,
                "inference_id": finished.inference_id,
                "predictions_uri": answer["predictions_uri"],
                "records": answer["records"],
            },
        )
        self.table.update(pk, sk, {"announced": finished.attempt}, {"fencing": finished.fencing})

    def _now(self) -> str:
        return self.clock().isoformat(timespec="milliseconds")


def _claim_key(finished: FinishedTransform) -> tuple[str, str]:
    return f"TEAM#{finished.team}", f"INFERENCE#{finished.inference_id}"


def _answer(line: bytes) -> dict[str, Any]:
    """One answer line; joined with its input, the answer is under `SageMakerOutput`."""
    answer: dict[str, Any] = json.loads(line)
    joined: dict[str, Any] = answer.get("SageMakerOutput", answer)
    return joined

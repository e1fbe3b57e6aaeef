"""What the use cases wrote, told and asked for on the largest documents, against the limits of where it goes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import turbine
from cli.check.quotas import results
from cli.check.quotas.largest import object_created
from cli.check.quotas.meter import Meter, Place, json_bytes
from cli.check.quotas.product import Product
from cli.check.quotas.world import World
from turbine.aws import sagemaker
from turbine.aws.events import SOURCE
from turbine.domain import names, registry
from turbine.usecases.compare_models import CompareModels
from turbine.usecases.judge_training import JudgeTraining
from turbine.usecases.prepare_inference import PrepareInference
from turbine.usecases.prepare_training import PrepareTraining
from turbine.usecases.record_outcome import RecordOutcome

_CODE = Path(turbine.__file__).parents[3]
_ITEMS = {
    "RECORD": PrepareTraining,
    "DECISION": CompareModels,
    "OUTCOME": RecordOutcome,
}
_GIVEN = ("manifests/", "inference/", "datasets/", "config/")
"""What people name, and S3 takes or not; the other keys are made."""
_TRACEBACK = "t" * 8192
"""Of a function that raises: what Lambda sends of it besides the message."""


def measure(product: Product, meter: Meter) -> None:
    """Everything that left the use cases."""
    for world in (product.training, product.prediction):
        _stored(world, meter)
        _told(world, meter)
    _arrived(product, meter)
    _registered(product, meter)
    _asked(product.training, meter)
    _raised(product, meter)


@cache
def _place(source: Any) -> Place:
    """Where a class, function or module of the product is written."""
    file = Path(inspect.getsourcefile(source) or "").relative_to(_CODE)
    line = 1 if inspect.ismodule(source) else inspect.getsourcelines(source)[1]
    return Place(file.as_posix(), line, getattr(source, "__name__", ""))


def _stored(world: World, meter: Meter) -> None:
    made = [place.key for place in world.store.places if not place.key.startswith(_GIVEN)]
    for key in made:
        meter.note("object-key", len(key.encode()), _place(names)._replace(where=key.partition("/")[0]))
    for (pk, sk), item in world.table.items.items():
        place = _place(_ITEMS.get(sk.partition("#")[0], PrepareInference))
        meter.note("item", json_bytes(item), place)
        meter.note("partition-key", len(pk.encode()), place)
        meter.note("sort-key", len(sk.encode()), place)


def _told(world: World, meter: Meter) -> None:
    place = _place(RecordOutcome)
    for kind, detail in world.events:
        entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail)}
        meter.note("event-entry", results.entry_size(entry), place._replace(where=kind))
    for subject, message in world.notices:
        meter.note("notification", len(json.dumps(message, indent=2).encode()), place)
        meter.note("subject", len(subject), place)


def _arrived(product: Product, meter: Meter) -> None:
    """What rules hand to a function, or to its dead letters: Step Functions' report of a run that failed."""
    detail = {"input": json.dumps(product.run_input), "output": None, **results.failure()}
    size = json_bytes(object_created("")) + json_bytes(detail)
    meter.note("function-event", size, _place(RecordOutcome))
    meter.note("notification", size, _place(RecordOutcome), "a dead letter")


def _registered(product: Product, meter: Meter) -> None:
    adapter = _place(sagemaker)
    for request in product.training.registry.requests:
        meter.request("sagemaker", "CreateModelPackage", sagemaker.package_creation(request), adapter)
        meter.note("metadata", _metadata_entries(product), _place(registry.metadata))
    for name, image, model_data_uri, environment in product.prediction.models:
        container = {"Image": image, "ModelDataUrl": model_data_uri, "Environment": dict(environment)}
        meter.request("sagemaker", "CreateModel", {"ModelName": name, "PrimaryContainer": container}, adapter)
        meter.note("model-name", len(name), _place(names.model_name))


def _metadata_entries(product: Product) -> int:
    """How many entries there would be if none were left out."""
    (request,) = product.training.registry.requests
    scores = [name for name in request.metadata if name.startswith("test_")]
    return len(request.metadata) - len(scores) + len(_scores(product))


def _scores(product: Product) -> Mapping[str, Any]:
    scores: Mapping[str, Any] = product.replies["CompareModelsFunction"]["challenger"]["metrics"]
    return scores


def _asked(world: World, meter: Meter) -> None:
    """A metric that is asked for is one that the job has put."""
    place = _place(CompareModels)
    for queries in world.queries:
        meter.note("metric-queries", len(queries), place)
        meter.note("metric-data", len(queries), place)
        for query in queries:
            dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions.items()]
            datum = {"MetricName": query.name, "Dimensions": dimensions}
            meter.note("dimensions", len(dimensions), place)
            meter.request("cloudwatch", "PutMetricData", {"Namespace": query.namespace, "MetricData": [datum]}, place)


def _raised(product: Product, meter: Meter) -> None:
    for message in product.failures.values():
        cause = json.dumps({"errorMessage": message, "errorType": "E" * 64, "stackTrace": [_TRACEBACK]})
        meter.note("cause", len(cause), _place(JudgeTraining))

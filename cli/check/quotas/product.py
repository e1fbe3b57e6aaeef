"""The use cases, run on the largest documents that their schemas let through; and what they answer and write then.

Everything here is the product's own code on made-up input: a batch manifest of as many entries as one may hold, a
manifest of the longest names and texts, metrics of the longest names, a log of the longest lines.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cli.check.quotas import limits, longest
from cli.check.quotas.world import NOW, REFUSED, VERSION_ID, World
from turbine.domain import job_end, manifest, outcome, recipes
from turbine.domain.champion import Promotion
from turbine.domain.errors import TrainingError, TrainingFailedError
from turbine.domain.metrics import Metrics
from turbine.domain.run import RunSpec
from turbine.domain.uri import S3Uri
from turbine.ports import Execution
from turbine.usecases import prepare_training as preparing
from turbine.usecases.catalog import TEAMS_PREFIX
from turbine.usecases.close_inference import CloseInference
from turbine.usecases.compare_models import CompareModels, ComparisonRequest
from turbine.usecases.judge_training import JudgeTraining, TrainingReport
from turbine.usecases.prepare_inference import PrepareInference
from turbine.usecases.promote_model import PromoteModel
from turbine.usecases.publish_artifacts import PROMISED, PublishArtifacts
from turbine.usecases.publish_predictions import FinishedTransform, PublishPredictions
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.register_model import RegisterModel, RegistrationRequest
from turbine.usecases.status_change import StatusChange

_BUCKET = "b" * 63
_NUMBER = -1.2345678901234567e-300
_LOG_LINE = 256 * 1024
"""Bytes of a log event. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
_SUBMISSIONS_TRIED = 100


@dataclass
class Product:
    """What the functions answer, by logical id, and the world with what they wrote. `stack` is the longest name."""

    stack: str
    team: str
    region: str
    training: World
    prediction: World
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    spec: RunSpec | None = None
    runs: int = 0

    @property
    def run_input(self) -> dict[str, Any]:
        """What names the run to functions."""
        assert self.spec is not None
        return {"run_id": self.spec.run_id, "team": self.team, "spec_uri": f"{self.spec.output_uri}run.json"}


def run(stack: str) -> Product:
    """Run everything once. Raises: longest.UnboundedError for a schema that bounds something no more."""
    region = longest.region()
    product = Product(stack, longest.team(), region, World(), World())
    _prepare(product)
    _train(product)
    _judge(product)
    _publish(product)
    _decide(product)
    _infer(product)
    _end(product)
    return product


def submissions_bound(product: Product) -> int | None:
    """After how many submissions `judge_training` refuses another, if every job's host is reclaimed; None for never."""
    world = World()
    world.job = job_end.Job("j", "FAILED", "Host EC2 (instance i) terminated.", queue_arn="spot")
    judge = JudgeTraining(_BUCKET, "spot", world.store, world.table, world, world)
    for submissions in range(_SUBMISSIONS_TRIED):
        report = TrainingReport(**product.run_input, cause='{"JobId": "j"}', submissions=submissions)
        try:
            judge(report)
        except TrainingFailedError:
            return submissions
    return None


def object_created(key: str) -> dict[str, Any]:
    """S3's event of an object, each of its texts as long as S3 makes it."""
    detail = {
        "version": "0",
        "bucket": {"name": _BUCKET},
        "object": {
            "key": key,
            "size": 5 * 1024**4,
            "etag": "e" * 64,
            "version-id": VERSION_ID,
            "sequencer": "F" * 64,
        },
        "request-id": "r" * 64,
        "requester": "r" * 128,
        "source-ip-address": "255.255.255.255",
        "reason": "CompleteMultipartUpload",
    }
    return _event("aws.s3", "Object Created", detail)


def _event(source: str, kind: str, detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "0" * 36,
        "detail-type": kind,
        "source": source,
        "account": longest.ACCOUNT,
        "time": "2026-11-23T20:00:00Z",
        "region": longest.region(),
        "resources": [f"arn:aws:s3:::{_BUCKET}"],
        "detail": detail,
    }


def _arn(product: Product, machine: str, name: str) -> str:
    return f"arn:aws:states:{product.region}:{longest.ACCOUNT}:execution:{product.stack}-{machine}:{name}"


def _key(folder: str) -> str:
    """The longest key below a folder, in the characters that take most room in JSON."""
    room = limits.table()["object-key"].value - len(folder) - len(".json")
    return f"{folder}{longest.WORST * room}.json"


def _uri(product: Product, model: type[Any], *way: str) -> str:
    prefix = f"s3://{_BUCKET}/datasets/{product.team}/"
    return prefix + longest.WORST * (longest.schema_bound(model, *way) - len(prefix))


def _manifest(product: Product) -> dict[str, Any]:
    """The largest manifest."""
    bound = longest.schema_bound
    recipe = max(recipes.RECIPES, key=len)
    return {
        "schema_version": 1,
        "team": product.team,
        "dataset": {
            "name": longest.dataset(),
            "source": {"type": "s3", "uri": _uri(product, manifest.Manifest, "dataset", "source", "uri")},
            "format": "parquet",
            "target": longest.WORST * bound(manifest.Manifest, "dataset", "target"),
        },
        "recipe": {
            "name": recipe,
            "hyperparameters": {"x": "x" * (manifest.HYPERPARAMETERS_MAX_BYTES - len('{"x": ""}'))},
        },
        "compute": {"nodes": manifest.NODES_MAX, "processes_per_node": manifest.PROCESSES_MAX},
        "inference": {
            "uri": _uri(product, manifest.Manifest, "inference", "uri"),
            "format": "jsonl",
            "id": longest.WORST * bound(manifest.Manifest, "inference", "id"),
            "labels": _uri(product, manifest.Manifest, "inference", "labels"),
        },
        "seed": 2**31 - 1,
    }


def _team_file(product: Product) -> str:
    """A team's file with as many guardrails as one may have."""
    recipe = max(recipes.RECIPES, key=len)
    metric = max(recipes.RECIPES[recipe], key=len)
    direction = recipes.direction_of(metric)
    guardrails = longest.schema_bound(preparing.TeamFile, "rule", "guardrails")
    rule = {
        "name": "min_delta",
        "metric": metric,
        "direction": direction,
        "min_delta": -_NUMBER,
        "guardrails": [{"metric": metric, "direction": direction, "max_worsening": -_NUMBER}] * guardrails,
    }
    budget = {"max_cost_usd_per_run": 10**9}
    return json.dumps({"team": product.team, "recipe": {"name": recipe}, "rule": rule, "budget": budget})


def _prepare(product: Product) -> None:
    world = product.training
    prepare = preparing.PrepareTraining(_BUCKET, _BUCKET, world.store, world.table, world, world.clock)
    world.store.put(S3Uri(_BUCKET, f"{TEAMS_PREFIX}{product.team}.yaml"), _team_file(product).encode())
    largest = _manifest(product)
    inputs = largest["inference"]["uri"], largest["inference"]["labels"], f"{largest['dataset']['source']['uri'][:-8]}"
    for uri, suffix in zip(inputs, ("", "", ".parquet"), strict=True):
        world.store.put(S3Uri(_BUCKET, uri.removeprefix(f"s3://{_BUCKET}/") + suffix), b"{}")
    largest["dataset"]["source"]["uri"] = f"{inputs[2]}.parquet"
    key = _key(f"manifests/{product.team}/")
    reply = _dropped(prepare, product, key, largest)
    run_id = reply["runs"][0]["run_id"]
    product.spec = RunSpec.model_validate_json(
        world.store.read(S3Uri(_BUCKET, f"runs/{product.team}/{run_id}/run.json"))
    )
    replies = [_dropped(prepare, product, _key("manifests/_batch/"), _batch(product, largest))]
    product.runs = max(len(replies[0]["runs"]) + len(replies[0]["rejected"]), 1)
    product.replies["PrepareTrainingFunction"] = {**replies[0], "needs_ingest": [], "stale": False}


def _batch(product: Product, largest: dict[str, Any]) -> dict[str, Any]:
    """As many entries as there may be; as many of them are refused, at length, as the answer names."""
    most = longest.schema_bound(manifest.BatchManifest, "runs")
    small = {
        **{name: largest[name] for name in ("schema_version", "team")},
        "dataset": {**largest["dataset"], "target": "t"},
        "recipe": {"name": largest["recipe"]["name"]},
        "compute": {"nodes": manifest.NODES_MAX},
    }
    source = f"s3://{_BUCKET}/datasets/{product.team}/"
    product.training.store.put(S3Uri(_BUCKET, f"datasets/{product.team}/d/x.parquet"), b"{}")
    accepted = {**small, "dataset": {**small["dataset"], "source": {"type": "s3", "uri": f"{source}d/"}}}
    refused = {**small, "dataset": {**small["dataset"], "source": {"type": "s3", "uri": f"{source}{REFUSED}/"}}}
    count = min(preparing.REPLIED_REFUSALS_MAX, most)
    return {"schema_version": 1, "runs": [accepted] * (most - count) + [refused] * count}


def _dropped(prepare: Any, product: Product, key: str, body: dict[str, Any]) -> dict[str, Any]:
    product.training.store.put(S3Uri(_BUCKET, key), json.dumps(body).encode())
    answer: dict[str, Any] = prepare(object_created(key), _arn(product, "training", "x" * 80))
    return answer


def _train(product: Product) -> None:
    """What a job leaves: every file that its contract promises, and metrics of the longest names."""
    assert product.spec is not None
    place = S3Uri(_BUCKET, product.spec.output_uri.removeprefix(f"s3://{_BUCKET}/"))
    bodies = dict.fromkeys(PROMISED, b"x") | {"metrics.json": _metrics(product).model_dump_json().encode()}
    for name, body in bodies.items():
        product.training.store.put(place / name, body)
    files = {
        name: {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "version_id": VERSION_ID}
        for name, body in bodies.items()
    }
    product.training.store.put(place / "_SUCCESS", json.dumps({"files": files}).encode())


def _metrics(product: Product) -> Metrics:
    """Metrics with as many names, each as long, as the schema takes. Raises: longest.UnboundedError."""
    assert product.spec is not None
    count = longest.schema_bound(Metrics, "test")
    name = longest.schema_bound(Metrics, "test", "{key}")
    rule = product.spec.rule
    wanted = [rule.metric, *(one.metric for one in rule.guardrails)]
    names = [*dict.fromkeys(wanted), *(f"{number:0{name}d}" for number in range(count))][:count]
    values = dict.fromkeys(names, _NUMBER)
    return Metrics(
        schema_version=1,
        run_id=product.spec.run_id,
        team=product.team,
        recipe=product.spec.recipe.name,
        seed=product.spec.seed,
        dataset_version=product.spec.dataset.version,
        split_id=product.spec.split.id,
        rows={"train": 10**12},
        parameters=10**12,
        test=values,
        validation=values,
        baseline=values,
        published_at=NOW,
        duration_s=1e9,
        environment={},
    )


def _judge(product: Product) -> None:
    world = World()
    judge = JudgeTraining(_BUCKET, "spot", world.store, world.table, world, world)
    product.replies["JudgeTrainingFunction"] = judge(TrainingReport(**product.run_input))
    world.job = job_end.Job("j" * 36, "FAILED", "s" * 1024, 70, "r" * 1024)
    world.log = (json.dumps({"event": "failed", "message": "m" * _LOG_LINE, "mend": "m" * _LOG_LINE}),)
    try:
        judge(TrainingReport(**product.run_input, cause=json.dumps({"JobId": world.job.job_id})))
    except TrainingError as error:
        product.failures["JudgeTrainingFunction"] = f"{error}"


def _publish(product: Product) -> None:
    world = product.training
    image = f"{longest.ACCOUNT}.dkr.ecr.{product.region}.amazonaws.com/{'r' * 256}:{'t' * 128}"
    publish = PublishArtifacts(_BUCKET, image, world.store, world, world, world.clock)
    product.replies["PublishArtifactsFunction"] = publish(ComparisonRequest(**product.run_input))


def _decide(product: Product) -> None:
    """Compare with a champion of the same run's numbers, register, promote."""
    assert product.spec is not None
    world, given = product.training, product.run_input
    version = longest.CHAMPION_VERSION - 1
    former = f"{product.spec.run_id[:-1]}x"
    folder = product.spec.output_uri.removeprefix(f"s3://{_BUCKET}/")
    for name in ("run.json", "metrics.json", "_SUCCESS"):
        body = world.store.read(S3Uri(_BUCKET, folder + name)).replace(product.spec.run_id.encode(), former.encode())
        world.store.put(S3Uri(_BUCKET, folder.replace(product.spec.run_id, former) + name), body)
    champion = {"pk": f"TEAM#{product.team}", "sk": "CHAMPION", "run_id": former, "champion_version": version}
    world.table.put(champion)
    compare = CompareModels(_BUCKET, world.store, world.table, world, world.clock)
    verdict = product.replies["CompareModelsFunction"] = compare(ComparisonRequest(**given))
    image = f"{longest.ACCOUNT}.dkr.ecr.{product.region}.amazonaws.com/{'r' * 64}:{'t' * 128}"
    register = RegisterModel(product.stack, _BUCKET, image, world.store, world.table, world.registry, world.clock)
    package = register(RegistrationRequest(**given, decision="promote"))
    product.replies["RegisterModelFunction"] = package
    promote = PromoteModel(_BUCKET, world.store, world.table, world.clock)
    promotion = Promotion(
        team=product.team,
        run_id=product.spec.run_id,
        model_package_arn=package["model_package_arn"],
        model_version=package["model_version"],
        expected_champion_version=version,
        promotion_id=f"{product.spec.run_id}-v{version + 1}",
        reason=verdict["reason"],
        actor="a" * 128,
    )
    promoted = promote(promotion)
    previous = {"previous_model_package_arn": package["model_package_arn"]}
    product.replies["PromoteModelFunction"] = promoted | previous
    world.publish("ModelPromoted", promoted["detail"])


def _infer(product: Product) -> None:
    """A promotion's inference, a dropped one that is refused, and the predictions of the first."""
    world, stack = product.prediction, product.stack
    detail = product.replies["PromoteModelFunction"]["detail"]
    arn = _arn(product, "inference", "x" * 80)
    image = f"{longest.ACCOUNT}.dkr.ecr.{product.region}.amazonaws.com/{'r' * 64}:{'t' * 128}"
    prepare = PrepareInference(
        stack, _BUCKET, _BUCKET, image, world.store, world.table, world, world, world, world.clock
    )
    prepared = prepare(_event("turbine", "ModelPromoted", detail), arn)
    key = _key(f"inference/{product.team}/")
    refused = {"schema_version": 1, "team": product.team, "input": {"uri": "s3://x/" + "y" * 1000, "format": "jsonl"}}
    world.store.put(S3Uri(_BUCKET, key), json.dumps(refused).encode())
    skipped = prepare(object_created(key), arn)
    product.replies["PrepareInferenceFunction"] = {**skipped, **prepared}
    attempt = f"{prepared['transform_name']}-r{longest.REDRIVES}-t10"
    finished = FinishedTransform(**prepared, attempt=attempt, transform_job_name=attempt)
    for uri in (finished.input_uri, finished.label_key or finished.input_uri):
        world.store.put(S3Uri(_BUCKET, uri.removeprefix(f"s3://{_BUCKET}/")), b'{"label": 1}\n')
    output = f"{finished.output_prefix_uri}{attempt}/x.out".removeprefix(f"s3://{_BUCKET}/")
    world.store.put(S3Uri(_BUCKET, output), b'{"prediction": 1}\n')
    publish = PublishPredictions(world.store, world.table, world, world.clock)
    product.replies["PublishPredictionsFunction"] = publish(finished)


def _end(product: Product) -> None:
    """A run's and an inference's failure, with the longest cause and log."""
    cause = "\U0001f600" * limits.table()["cause"].value
    world = product.training
    world.execution = Execution("FAILED", {**product.run_input, "attempt": 1}, longest.REDRIVES, "E" * 256, cause)
    world.job, world.log = job_end.Job("j" * 36, "FAILED"), ("\U0001f600" * _LOG_LINE,) * outcome.LOG_LINES
    record = RecordOutcome(world.table, world, world, world, world)
    product.replies["RecordOutcomeFunction"] = record(_ended(product, "run", product.run_input["run_id"]))
    close = CloseInference(product.prediction.table, product.prediction)
    product.prediction.execution = Execution("FAILED", {}, longest.REDRIVES, "E" * 256, cause)
    product.replies["CloseInferenceFunction"] = close(_ended(product, "inference", "x" * 80))


def _ended(product: Product, machine: str, name: str) -> StatusChange:
    detail = {"executionArn": _arn(product, machine, name), "name": name, "status": "FAILED", "stopDate": 10**13}
    return StatusChange.model_validate(_event("aws.states", "Step Functions Execution Status Change", detail))

"""The use cases, run on the largest documents that their schemas let through; and what they answer and write then.

Everything here is the product's own code on made-up input: a batch manifest of as many entries as one may hold, a
manifest of the longest names and texts, metrics of the longest names, a log of the longest lines.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cli.check.quotas import largest, limits, longest
from cli.check.quotas.largest import BUCKET
from cli.check.quotas.world import VERSION_ID, World
from turbine.domain import inference, job_end, outcome
from turbine.domain.champion import Promotion
from turbine.domain.errors import TrainingError, TrainingFailedError
from turbine.domain.run import RunSpec
from turbine.domain.uri import S3Uri, parse
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

_LOG_LINE = 256 * 1024
"""Bytes of a log event. Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
_SUBMISSIONS_TRIED = 100


@dataclass
class Product:
    """What the functions answer, by logical id, and the world with what they wrote. `stack` is the longest name."""

    stack: str
    team: str
    region: str
    image: str
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


def run(stack: str, image: str) -> Product:
    """Run everything once, in a stack of this name, with models in this image.

    Raises: longest.UnboundedError for a schema that bounds something no more.
    """
    product = Product(stack, longest.team(), longest.region(), image, World(), World())
    _prepare(product)
    _train(product)
    _judge(product)
    _publish(product)
    _decide(product)
    _infer(product)
    _end(product)
    return product


def submissions_bound(product: Product) -> int | None:
    """After how many submissions `judge_training` refuses another, if every job's host is reclaimed; None for never.

    None, too, if it does not answer with the counts that it was told.
    """
    world = World()
    world.job = job_end.Job("j", "FAILED", "Host EC2 (instance i) terminated.", queue_arn="spot")
    judge = JudgeTraining(BUCKET, "spot", world.store, world.table, world, world)
    for submissions in range(_SUBMISSIONS_TRIED):
        counts = {"submissions": submissions, "spot_submissions": submissions}
        try:
            reply = judge(TrainingReport.model_validate({**product.run_input, **counts, "cause": '{"JobId": "j"}'}))
        except TrainingFailedError:
            return submissions
        if not counts.items() <= reply.items():
            return None
    return None


def _arn(product: Product, machine: str, name: str) -> str:
    return f"arn:aws:states:{product.region}:{longest.ACCOUNT}:execution:{product.stack}-{machine}:{name}"


def _prepare(product: Product) -> None:
    """The largest manifest, for its run; and the largest batch, for its answer."""
    world, team = product.training, product.team
    prepare = preparing.PrepareTraining(BUCKET, BUCKET, world.store, world.table, world, world.clock)
    world.store.put(S3Uri(BUCKET, f"{TEAMS_PREFIX}{team}.yaml"), largest.team_file(team).encode())
    asked = largest.one_manifest(team)
    source = asked["dataset"]["source"]
    source["uri"] = f"{source['uri'][: -len('.parquet')]}.parquet"
    data = f"s3://{BUCKET}/datasets/{team}/d/"
    for uri in (source["uri"], asked["inference"]["uri"], asked["inference"]["labels"], f"{data}x.parquet"):
        world.store.put(parse(uri), b"{}")
    reply = _dropped(prepare, product, largest.key(f"manifests/{team}/"), asked)
    spec_uri = f"s3://{BUCKET}/runs/{team}/{reply['runs'][0]['run_id']}/run.json"
    product.spec = RunSpec.model_validate_json(world.store.read(parse(spec_uri)))
    batch = largest.batch_manifest(asked, data, preparing.REPLIED_REFUSALS_MAX)
    product.runs = len(batch["runs"])
    product.replies["PrepareTrainingFunction"] = _dropped(prepare, product, largest.key("manifests/_batch/"), batch)


def _dropped(prepare: Any, product: Product, key: str, body: dict[str, Any]) -> dict[str, Any]:
    product.training.store.put(S3Uri(BUCKET, key), json.dumps(body).encode())
    answer: dict[str, Any] = prepare(largest.object_created(key), _arn(product, "training", "x" * 80))
    return answer


def _train(product: Product) -> None:
    """What a job leaves: every file that its contract promises, and metrics of the longest names."""
    assert product.spec is not None
    place = parse(product.spec.output_uri)
    bodies = dict.fromkeys(PROMISED, b"x") | {
        "metrics.json": largest.metrics(product.spec).model_dump_json().encode(),
        "evaluation_blocks.json": largest.evaluation_blocks(product.spec).model_dump_json().encode(),
    }
    for name, body in bodies.items():
        product.training.store.put(place / name, body)
    files = {
        name: {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "version_id": VERSION_ID}
        for name, body in bodies.items()
    }
    product.training.store.put(place / "_SUCCESS", json.dumps({"files": files}).encode())


def _judge(product: Product) -> None:
    world = World()
    judge = JudgeTraining(BUCKET, "spot", world.store, world.table, world, world)
    product.replies["JudgeTrainingFunction"] = judge(TrainingReport(**product.run_input))
    world.job = job_end.Job("j" * 36, "FAILED", "s" * 1024, 70, "r" * 1024)
    world.log = (
        json.dumps({"event": "failed", "message": longest.WORST * _LOG_LINE, "mend": longest.WORST * _LOG_LINE}),
    )
    try:
        judge(TrainingReport(**product.run_input, cause=json.dumps({"JobId": world.job.job_id})))
    except TrainingError as error:
        product.failures["JudgeTrainingFunction"] = f"{error}"


def _publish(product: Product) -> None:
    world = product.training
    publish = PublishArtifacts(BUCKET, product.image, world.store, world, world, world.clock)
    product.replies["PublishArtifactsFunction"] = publish(ComparisonRequest(**product.run_input))


def _decide(product: Product) -> None:
    """Compare with a champion of the same run's numbers, register, promote."""
    assert product.spec is not None
    world, given = product.training, product.run_input
    version = longest.CHAMPION_VERSION - 1
    former = f"{product.spec.run_id[:-1]}x"
    champion = {"pk": f"TEAM#{product.team}", "sk": "CHAMPION", "run_id": former, "champion_version": version}
    world.table.put(champion)
    compare = CompareModels(BUCKET, world.store, world.table, world, world.clock)
    _leave_run(product, former, split_id="of other data")
    wanted = compare(ComparisonRequest(**given))
    _leave_run(product, former, split_id=product.spec.split.id)
    verdict = compare(ComparisonRequest(**given))
    product.replies["CompareModelsFunction"] = {**wanted, **verdict}
    register = RegisterModel(
        product.stack, BUCKET, product.image, world.store, world.table, world.registry, world.clock
    )
    package = register(RegistrationRequest(**given, decision="promote"))
    product.replies["RegisterModelFunction"] = package
    promote = PromoteModel(BUCKET, world.store, world.table, world.clock)
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


def _leave_run(product: Product, run_id: str, split_id: str) -> None:
    """Another run of the same numbers, measured on a test split."""
    assert product.spec is not None
    store, own = product.training.store, product.spec
    for name in ("run.json", "metrics.json", "evaluation_blocks.json", "_SUCCESS"):
        place = f"{own.output_uri}{name}"
        body = store.read(parse(place)).replace(own.run_id.encode(), run_id.encode())
        store.put(parse(place.replace(own.run_id, run_id)), body.replace(own.split.id.encode(), split_id.encode()))


def _infer(product: Product) -> None:
    """A promotion's inference, a dropped one that is refused, and the predictions of the first."""
    world, stack = product.prediction, product.stack
    detail = product.replies["PromoteModelFunction"]["detail"]
    arn = _arn(product, "inference", "x" * 80)
    prepare = PrepareInference(
        stack, BUCKET, BUCKET, product.image, world.store, world.table, world, world, world, world.clock
    )
    prepared = prepare(largest.event("turbine", "ModelPromoted", detail), arn)
    key = largest.key(f"inference/{product.team}/")
    refused = {"schema_version": 1, "team": product.team, "input": {"uri": "s3://x/" + "y" * 1000, "format": "jsonl"}}
    world.store.put(S3Uri(BUCKET, key), json.dumps(refused).encode())
    skipped = prepare(largest.object_created(key), arn)
    product.replies["PrepareInferenceFunction"] = {**skipped, **prepared}
    attempt = f"{prepared['transform_name']}-r{longest.REDRIVES}-t10"
    finished = FinishedTransform(**prepared, attempt=attempt, transform_job_name=attempt)
    for uri in (finished.input_uri, finished.label_key or finished.input_uri):
        world.store.put(parse(uri), b'{"label": 1}\n')
    name = "x" * inference.INPUT_KEY_MAX_BYTES
    world.store.put(parse(f"{finished.output_prefix_uri}{attempt}/{name}.out"), b'{"prediction": 1}\n')
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
    return StatusChange.model_validate(largest.event("aws.states", "Step Functions Execution Status Change", detail))

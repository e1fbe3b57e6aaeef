"""`prepare_inference` and `publish_predictions`, which meet at the claim and the prefix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import FakeExecutions, FakeModels
from tests.unit.turbine.arrange import DATA, PREDICTIONS, World
from turbine.domain.errors import ClaimLostError, EventNotUnderstoodError, PredictionCountError
from turbine.ports import Execution
from turbine.usecases.close_inference import CloseInference
from turbine.usecases.prepare_inference import PrepareInference
from turbine.usecases.publish_predictions import FinishedTransform, PublishPredictions
from turbine.usecases.status_change import StatusChange

INPUT = "s3://data/datasets/vision/unlabelled/"


def prepare(world: World, event: dict[str, Any], execution: str = "arn:one") -> dict[str, Any]:
    use_case = PrepareInference(
        "turbine",
        DATA,
        PREDICTIONS,
        "image:2",
        world.store,
        world.table,
        world.__dict__.setdefault("models", FakeModels()),
        executions(world),
        world.bus,
        world.clock,
    )
    return use_case(event, execution)


def executions(world: World) -> FakeExecutions:
    """Step Functions, where `arn:one` is at work."""
    running = {"arn:one": Execution("RUNNING", {}, 0, None, None)}
    made: FakeExecutions = world.__dict__.setdefault("executions", FakeExecutions(running))
    return made


def claim_of(world: World, inference_id: str) -> dict[str, Any]:
    item = world.table.get("TEAM#vision", f"INFERENCE#{inference_id}")
    assert item is not None
    return item


def promoted(version: int = 1, **changes: Any) -> dict[str, Any]:
    detail = {
        "schema_version": 1,
        "team": "vision",
        "run_id": "vision-digits-0123456789ab",
        "model_package_arn": f"arn:aws:sagemaker:us-east-1:1:model-package/turbine-vision/{version}",
        "model_version": version,
        "model_data_uri": f"s3://artifacts/registry/vision/r{version}/model.tar.gz",
        "champion_version": version,
        "promotion_id": f"p{version}",
        "reason": "better",
        "actor": "turbine",
        "inference": {"uri": INPUT, "format": "jsonl", "id": "id", "labels": None},
    }
    return {"detail-type": "ModelPromoted", "source": "turbine", "detail": detail | changes}


def finish(world: World, prepared: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Leave a transform's output and publish it."""
    name = f"{prepared['inference_id']}-r0-t0"
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    world.store[f"{prepared['output_prefix_uri']}{name}/a.jsonl.out"] = body
    return publish(world, prepared, name)


def publish(world: World, prepared: dict[str, Any], name: str) -> dict[str, Any]:
    finished = FinishedTransform.model_validate(prepared | {"attempt": name, "transform_job_name": name})
    return PublishPredictions(world.store, world.table, world.bus, world.clock)(finished)


@pytest.fixture
def inputs(world: World) -> World:
    world.store[f"{INPUT}a.jsonl"] = b'{"id": 1}\n{"id": 2}\n\n{"id": 3}'
    return world


def test_a_promotion_becomes_one_claimed_transform(inputs: World) -> None:
    reply = prepare(inputs, promoted())
    assert reply["skip"] is False
    assert reply["inference_id"] == "vision-digits-0123456789ab-c1"
    assert (reply["content_type"], reply["split_type"]) == ("application/jsonlines", "Line")
    assert reply["output_prefix_uri"] == "s3://predictions/predictions/vision/1/"
    image, archive, environment = inputs.__dict__["models"].models[reply["model_name"]]
    assert (image, archive) == ("image:2", "s3://artifacts/registry/vision/r1/model.tar.gz")
    assert len(environment) <= 16
    item = inputs.table.get("TEAM#vision", "INFERENCE#vision-digits-0123456789ab-c1")
    assert item is not None and (item["status"], item["owner"]) == ("RUNNING", "arn:one")


def test_only_the_owner_of_a_claim_goes_on(inputs: World) -> None:
    first = prepare(inputs, promoted())
    assert prepare(inputs, promoted()) == first
    other = prepare(inputs, promoted(), "arn:two")
    assert other["skip"] is True and "arn:one" in other["reason"]


def test_a_promotion_without_inference_is_skipped_and_kept(inputs: World) -> None:
    reply = prepare(inputs, promoted(inference=None))
    assert reply["skip"] is True
    item = inputs.table.get("TEAM#vision", "INFERENCE#vision-digits-0123456789ab-c1")
    assert item is not None and item["status"] == "SKIPPED"


def test_a_dropped_manifest_uses_the_newest_champion(inputs: World) -> None:
    body = {"schema_version": 1, "team": "vision", "input": {"uri": INPUT, "format": "jsonl"}}
    event = inputs.drop("inference/vision/i.json", body)
    assert "no champion" in prepare(inputs, event)["reason"]
    prepare(inputs, promoted(2))
    prepare(inputs, promoted(1), "arn:late")  # an older event that arrives after a newer one
    reply = prepare(inputs, event)
    assert (reply["skip"], reply["model_version"]) == (False, 2)
    assert reply["inference_id"].startswith("vision-drop-")
    assert len(reply["inference_id"]) <= 54


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"team": "tabular"}, "team"),
        ({"input": {"uri": "s3://data/datasets/tabular/x/", "format": "jsonl"}}, "input.uri"),
        ({"input": {"uri": "s3://data/datasets/vision/none/", "format": "jsonl"}}, "input.uri"),
        ({"input": {"uri": INPUT, "format": "csv", "labels": INPUT}}, "input"),
    ],
)
def test_a_faulty_inference_manifest_is_refused(inputs: World, change: dict[str, Any], field: str) -> None:
    good = {"schema_version": 1, "team": "vision", "input": {"uri": INPUT, "format": "jsonl"}}
    reply = prepare(inputs, inputs.drop("inference/vision/i.json", good | change))
    assert reply["skip"] is True
    (event,) = inputs.bus.of_type("ManifestRejected")
    assert event["field"] == field


def test_any_other_event_is_an_error(inputs: World) -> None:
    with pytest.raises(EventNotUnderstoodError):
        prepare(inputs, {"detail-type": "ModelHeld"})


def test_predictions_are_counted_marked_last_and_told_once(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    reply = finish(inputs, prepared, [{"id": n, "SageMakerOutput": {"prediction": "a"}} for n in range(3)])
    name = "vision-digits-0123456789ab-c1-r0-t0"
    assert reply == {
        "predictions_uri": f"s3://predictions/predictions/vision/1/{name}/",
        "records": 3,
        "evaluation": None,
    }
    assert inputs.store.written[-1].endswith("/_SUCCESS")
    item = inputs.table.get("TEAM#vision", "INFERENCE#vision-digits-0123456789ab-c1")
    assert item is not None and (item["status"], item["records"], item["attempt"]) == ("SUCCEEDED", 3, name)
    assert publish(inputs, prepared, name) == reply
    (event,) = inputs.bus.of_type("PredictionsReady")
    assert event["records"] == 3


def test_an_event_that_was_refused_is_sent_by_the_retry(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    inputs.bus.refusals = 1
    with pytest.raises(Exception, match="did not take it"):
        finish(inputs, prepared, [{"prediction": 1}] * 3)
    publish(inputs, prepared, "vision-digits-0123456789ab-c1-r0-t0")
    assert len(inputs.bus.of_type("PredictionsReady")) == 1


@pytest.mark.parametrize("count", [2, 4])
def test_a_count_other_than_the_inputs_is_not_published(inputs: World, count: int) -> None:
    prepared = prepare(inputs, promoted())
    with pytest.raises(PredictionCountError, match=f"{count} records for 3 input lines"):
        finish(inputs, prepared, [{"prediction": "a"}] * count)
    assert not any(uri.endswith("_SUCCESS") for uri in inputs.store.written)
    assert inputs.bus.events == []


@pytest.mark.parametrize(
    ("answers", "labels", "evaluation"),
    [
        (
            [{"prediction": "a", "probabilities": {"a": 1.0}}, {"prediction": "b"}, {"prediction": "a"}],
            ["a", "b", "b"],
            {"records": 3, "accuracy": pytest.approx(2 / 3)},
        ),
        (
            [{"prediction": 1.0}, {"prediction": 2.0}, {"prediction": 3.0}],
            [1.0, 2.0, 6.0],
            {"records": 3, "rmse": pytest.approx(3**0.5), "mae": pytest.approx(1.0)},
        ),
    ],
)
def test_predictions_are_evaluated_where_labels_exist(
    inputs: World, answers: list[dict[str, Any]], labels: list[Any], evaluation: dict[str, Any]
) -> None:
    uri = "s3://data/datasets/vision/labels.jsonl"
    inputs.store[uri] = "\n".join(json.dumps({"label": label}) for label in labels).encode()
    prepared = prepare(inputs, promoted(inference={"uri": INPUT, "format": "jsonl", "labels": uri}))
    assert prepared["label_key"] == uri
    assert finish(inputs, prepared, answers)["evaluation"] == evaluation


def test_a_label_too_few_is_an_error(inputs: World) -> None:
    uri = "s3://data/datasets/vision/labels.jsonl"
    inputs.store[uri] = b'{"label": 1}\n{"label": 2}\n'
    prepared = prepare(inputs, promoted(inference={"uri": INPUT, "format": "jsonl", "labels": uri}))
    with pytest.raises(PredictionCountError, match="one label"):
        finish(inputs, prepared, [{"prediction": 1.0}] * 3)


def test_a_late_event_of_a_former_champion_starts_nothing(inputs: World) -> None:
    prepare(inputs, promoted(2))
    late = prepare(inputs, promoted(1), "arn:late")
    assert late == {"skip": True, "reason": "champion 1 of vision was succeeded by champion 2"}
    assert claim_of(inputs, "vision-digits-0123456789ab-c1")["status"] == "SKIPPED"
    assert len(inputs.__dict__["models"].models) == 1


def test_an_execution_keeps_what_it_claimed_though_its_champion_was_succeeded(inputs: World) -> None:
    first = prepare(inputs, promoted(1))
    prepare(inputs, promoted(2), "arn:two")
    assert prepare(inputs, promoted(1)) == first


def drop(world: World) -> dict[str, Any]:
    body = {"schema_version": 1, "team": "vision", "input": {"uri": INPUT, "format": "jsonl"}}
    return world.drop("inference/vision/i.json", body)


def test_a_retry_keeps_the_model_of_its_claim(inputs: World) -> None:
    prepare(inputs, promoted(1), "arn:promotion")
    event = drop(inputs)
    first = prepare(inputs, event)
    prepare(inputs, promoted(2), "arn:another promotion")
    assert prepare(inputs, event) == first
    assert first["model_version"] == 1


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", None])
def test_a_dead_owner_is_succeeded_under_other_names(inputs: World, status: str | None) -> None:
    first = prepare(inputs, promoted())
    known = executions(inputs).known
    del known["arn:one"]
    if status is not None:
        known["arn:one"] = Execution(status, {}, 0, None, None)
    second = prepare(inputs, promoted(), "arn:two")
    assert (second["inference_id"], second["fencing"]) == (first["inference_id"], 2)
    assert second["transform_name"] != first["transform_name"] and len(second["transform_name"]) <= 54
    assert prepare(inputs, promoted(), "arn:two") == second
    item = claim_of(inputs, first["inference_id"])
    assert (item["owner"], item["status"]) == ("arn:two", "RUNNING")


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE", "SUCCEEDED"])
def test_an_owner_that_is_live_or_done_is_not_succeeded(inputs: World, status: str) -> None:
    prepare(inputs, promoted())
    executions(inputs).known["arn:one"] = Execution(status, {}, 0, None, None)
    assert "belongs to arn:one" in prepare(inputs, promoted(), "arn:two")["reason"]


def test_an_inference_that_is_done_is_not_done_again(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    finish(inputs, prepared, [{"prediction": "a"}] * 3)
    executions(inputs).known["arn:one"] = Execution("FAILED", {}, 0, None, None)
    assert prepare(inputs, promoted(), "arn:two")["skip"] is True


def test_of_two_that_succeed_a_dead_owner_one_goes_on(inputs: World) -> None:
    prepare(inputs, promoted())
    executions(inputs).known["arn:one"] = Execution("FAILED", {}, 0, None, None)
    executions(inputs).known["arn:three"] = Execution("RUNNING", {}, 0, None, None)
    update = inputs.table.update

    def slower(pk: str, sk: str, changes: Any, expected: Any) -> bool:
        inputs.table.update = update  # type: ignore[method-assign]
        assert prepare(inputs, promoted(), "arn:three")["skip"] is False
        return update(pk, sk, changes, expected)

    inputs.table.update = slower  # type: ignore[method-assign]
    assert "belongs to arn:three" in prepare(inputs, promoted(), "arn:two")["reason"]
    assert claim_of(inputs, "vision-digits-0123456789ab-c1")["fencing"] == 2


def test_a_redrive_of_a_succeeded_owner_publishes_nothing(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    executions(inputs).known["arn:one"] = Execution("FAILED", {}, 0, None, None)
    prepare(inputs, promoted(), "arn:two")
    with pytest.raises(ClaimLostError, match="arn:two works on it"):
        finish(inputs, prepared, [{"prediction": "a"}] * 3)
    assert not any(uri.endswith("_SUCCESS") for uri in inputs.store.written)
    assert inputs.bus.events == []


def close(world: World, status: str = "FAILED", arn: str = "arn:one", second: int = 0, **detail: Any) -> bool:
    """Hear how an execution ended."""
    known = {"input": "{}", "redriveCount": 0, "error": "E", "cause": "c" * 9000, "stopDate": 1_795_000_000_000}
    event = {
        "id": "e1",
        "time": "2026-11-23T20:10:01Z",
        "detail": {"executionArn": arn, "name": arn, "status": status, **known, **detail},
    }
    event["detail"]["stopDate"] += second * 1000  # type: ignore[index]
    return CloseInference(world.table, executions(world))(StatusChange.model_validate(event))["closed"]


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_a_failed_execution_closes_its_claim(inputs: World, status: str) -> None:
    prepared = prepare(inputs, promoted())
    assert close(inputs, status)
    item = claim_of(inputs, prepared["inference_id"])
    assert (item["status"], item["error"], len(item["cause"])) == ("FAILED", "E", 4096)
    assert item["ended_at"].startswith("2026-")
    assert not close(inputs, status)


def test_only_the_owners_failure_closes_a_claim(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    prepare(inputs, promoted(), "arn:two")  # a duplicate
    assert not close(inputs, arn="arn:two")
    assert not close(inputs, arn="arn:stopped before it claimed")
    assert not close(inputs, "SUCCEEDED")
    assert claim_of(inputs, prepared["inference_id"])["status"] == "RUNNING"


def test_a_redrives_success_opens_and_closes_the_claim_again(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    assert close(inputs)
    assert close(inputs, second=9, error="Another")
    assert not close(inputs, second=5, error="An older event")
    assert claim_of(inputs, prepared["inference_id"])["error"] == "Another"
    assert prepare(inputs, promoted()) == prepared
    assert claim_of(inputs, prepared["inference_id"])["status"] == "RUNNING"
    finish(inputs, prepared, [{"prediction": "a"}] * 3)
    assert not close(inputs, second=10**6)
    item = claim_of(inputs, prepared["inference_id"])
    assert (item["status"], item["error"], item["cause"]) == ("SUCCEEDED", None, None)


def test_a_silent_event_of_a_failure_is_asked_about(inputs: World) -> None:
    prepared = prepare(inputs, promoted())
    executions(inputs).known["arn:one"] = Execution("FAILED", {}, 0, "SageMaker.Error", "why")
    assert close(inputs, error=None, cause=None)
    item = claim_of(inputs, prepared["inference_id"])
    assert (item["error"], item["cause"]) == ("SageMaker.Error", "why")


@pytest.mark.parametrize("key", ["inference/x.json", "inference/vision/deeper/x.json"])
def test_an_inference_manifest_at_the_wrong_depth_is_refused(inputs: World, key: str) -> None:
    assert prepare(inputs, inputs.drop(key, {}))["skip"] is True
    (event,) = inputs.bus.of_type("ManifestRejected")
    assert (event["team"], event["field"]) == ("", "(key)")
    assert event["mend"].endswith("aws s3 cp FILE s3://data/inference/<team>/FILE")

"""The whole job against S3 and CloudWatch: what it writes, in which order, and how it ends."""

import hashlib
import io
import json
import os
import signal
import tarfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from botocore.exceptions import ClientError
from safetensors.torch import load_file
from torch.nn import functional

from inference.payload import JSON_LINES, parse_rows, render
from tests.unit.training.conftest import blobs
from tests.unit.training.splits import fraction, split_rows
from training import launcher
from training.data import ShardReader
from training.data.memory import BUDGET_VARIABLE
from training.predictor import Predictor
from training.spec import Split
from training.storage import Storage

SPLIT = Split(id="beef" * 4, salt="feed" * 4, validation=0.15, test=0.2)
OUTPUTS = {
    "model/model.safetensors",
    "model/config.json",
    "model/README.md",
    "model.tar.gz",
    "metrics.json",
    "evaluation.parquet",
    "evaluation_blocks.json",
    "_SUCCESS",
}


def checkpoint_of(step: int) -> set[str]:
    return {f"checkpoints/00000000-{step:012}/{name}" for name in ("state.safetensors", "_COMPLETE")}


@pytest.fixture
def run_job(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(spec_uri: str) -> int:
        monkeypatch.setenv(launcher.SPEC_VARIABLE, spec_uri)
        return launcher.main()

    return run


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def unpacked(archive: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def test_writes_every_output_and_the_marker_describes_each(bench: Any, run_job: Any, table: pa.Table) -> None:
    assert run_job(bench.put_run([bench.put_shard(table)])) == 0
    assert set(bench.output_names()) == OUTPUTS | checkpoint_of(6)
    files = json.loads(bench.output("_SUCCESS"))["files"]
    assert set(files) == OUTPUTS - {"_SUCCESS"}
    for name, described in files.items():
        body = bench.output(name)
        assert described.pop("version_id")
        assert described == {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}


def test_epochs_are_published_as_they_were(bench: Any, run_job: Any, table: pa.Table, tmp_path: Path) -> None:
    shards = [bench.put_shard(table)]
    assert run_job(bench.put_run(shards, hyperparameters={"epochs": 3}, publish_epochs=[1, 3])) == 0
    files = json.loads(bench.output("_SUCCESS"))["files"]
    names = {f"model/epochs/{epoch}/model.tar.gz" for epoch in (1, 3)}
    assert set(files) == (OUTPUTS | names) - {"_SUCCESS"}
    metrics = json.loads(bench.output("metrics.json"))
    for epoch in (1, 3):
        name = f"model/epochs/{epoch}/model.tar.gz"
        body = bench.output(name)
        assert files[name]["sha256"] == hashlib.sha256(body).hexdigest()
        assert metrics["epochs"][epoch - 1]["published"] == {name: files[name]}
        folder = unpacked(body, tmp_path / str(epoch))
        config = json.loads((folder / "config.json").read_text())
        assert (config["epoch"], config["metrics"]) == (
            epoch,
            {"validation": metrics["epochs"][epoch - 1]["validation"]},
        )
        assert Predictor.load(folder) is not None
    # The last epoch's model is the run's; an earlier one's is another.
    final = load_file(unpacked(bench.output("model.tar.gz"), tmp_path / "final") / "model.safetensors")
    first, last = (load_file(tmp_path / epoch / "model.safetensors") for epoch in ("1", "3"))
    assert all(torch.equal(final[name], last[name]) for name in final)
    assert not all(torch.equal(final[name], first[name]) for name in final)


def test_the_last_epoch_is_published_beside_the_best(bench: Any, run_job: Any, table: pa.Table, tmp_path: Path) -> None:
    guessed = pa.array(np.random.default_rng(5).integers(0, 2, len(table)))
    shard = bench.put_shard(table.set_column(table.column_names.index("class"), "class", guessed))
    hyperparameters = {"epochs": 60, "learning_rate": 0.1, "hidden": [64], "early_stopping_patience": 1}
    spec = bench.put_run([shard], hyperparameters=hyperparameters, publish_epochs=[60, "last"])
    assert run_job(spec) == 0
    epochs = json.loads(bench.output("metrics.json"))["epochs"]
    last = epochs[-1]["epoch"]
    assert epochs[-1]["validation_loss"] > min(epoch["validation_loss"] for epoch in epochs)
    assert [epoch["epoch"] for epoch in epochs if "published" in epoch] == [last] != [60]
    name = f"model/epochs/{last}/model.tar.gz"
    assert [file for file in json.loads(bench.output("_SUCCESS"))["files"] if "/epochs/" in file] == [name]
    best = load_file(unpacked(bench.output("model.tar.gz"), tmp_path / "best") / "model.safetensors")
    after = load_file(unpacked(bench.output(name), tmp_path / "last") / "model.safetensors")
    assert not all(torch.equal(best[name], after[name]) for name in best)


def test_an_epoch_that_the_run_does_not_have_is_refused_before_the_data_are_read(
    bench: Any, run_job: Any, table: pa.Table, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = bench.put_run([bench.put_shard(table)], hyperparameters={"epochs": 3}, publish_epochs=[2, 4, "last"])
    assert run_job(spec) == 78
    assert "publish_epochs names epoch 4" in last_line(capsys)["message"]


def archives_of_epochs(bench: Any, prefix: str) -> dict[str, bytes]:
    listed = bench.s3.list_objects_v2(Bucket="artifacts", Prefix=f"{prefix}model/epochs/").get("Contents", [])
    bodies = {
        key["Key"].removeprefix(prefix): bench.s3.get_object(Bucket="artifacts", Key=key["Key"]) for key in listed
    }
    return {name: found["Body"].read() for name, found in bodies.items()}


@pytest.mark.parametrize("dies", ["after the epoch", "while it is published", "when it was published"])
def test_an_attempt_that_goes_on_knows_the_epochs_of_the_one_before(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    given: dict[str, Any] = {"hyperparameters": {"epochs": 3, "dropout": 0.3}, "publish_epochs": [1, 2, "last"]}
    spec_uri = bench.put_run([bench.put_shard(table)], **given)
    upload = Storage.upload

    def dying(*arguments: Any) -> Any:
        if dies == "when it was published":
            upload(*arguments)
        raise RuntimeError("as if killed")

    if dies == "after the epoch":
        interrupted(monkeypatch, lambda: int(run_job(spec_uri)))
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Storage, "upload", dying)
            assert run_job(spec_uri) == 70
    assert run_job(spec_uri) == 0
    files = json.loads(bench.output("_SUCCESS"))["files"]
    prefix = "runs/winery/winery-wine-0123456789ab/"
    for name, described in ((name, one) for name, one in files.items() if "/epochs/" in name):
        body = bench.s3.get_object(Bucket="artifacts", Key=prefix + name, VersionId=described["version_id"])[
            "Body"
        ].read()
        assert hashlib.sha256(body).hexdigest() == described["sha256"]
    assert (
        run_job(bench.put_run([bench.put_shard(table)], output_uri="s3://artifacts/runs/winery/whole/", **given)) == 0
    )
    whole = archives_of_epochs(bench, "runs/winery/whole/")
    assert (
        set(whole)
        == {name for name in files if "/epochs/" in name}
        == {f"model/epochs/{epoch}/model.tar.gz" for epoch in (1, 2, 3)}
    )
    assert archives_of_epochs(bench, prefix) == whole


def test_the_marker_is_written_last(bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any) -> None:
    def refuse(*_arguments: Any) -> None:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "PutMetricData")

    monkeypatch.setattr("training.publishing.publish_metrics", refuse)
    assert run_job(bench.put_run([bench.put_shard(table)])) == 70
    assert set(bench.output_names()) == (OUTPUTS - {"_SUCCESS", "metrics.json"}) | checkpoint_of(6)


def test_metrics_file_and_cloudwatch_hold_the_same_numbers(bench: Any, run_job: Any, table: pa.Table) -> None:
    run_job(bench.put_run([bench.put_shard(table)], hyperparameters={"epochs": 3}))
    metrics = json.loads(bench.output("metrics.json"))
    assert sum(metrics["rows"].values()) == table.num_rows
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2, 3]
    assert set(metrics["test"]) == set(metrics["baseline"]) == set(metrics["validation"])
    published_at = datetime.fromisoformat(metrics["published_at"])
    assert published_at.second == 0
    for name, value in metrics["test"].items():
        answer = boto3.client("cloudwatch").get_metric_statistics(
            Namespace="Turbine/Training",
            MetricName=f"test_{name}",
            Dimensions=[
                {"Name": "Team", "Value": "winery"},
                {"Name": "RunId", "Value": "winery-wine-0123456789ab"},
            ],
            StartTime=published_at,
            EndTime=published_at + timedelta(seconds=60),
            Period=60,
            Statistics=["Average"],
        )
        assert [point["Average"] for point in answer["Datapoints"]] == [value]
        assert answer["Datapoints"][0]["Timestamp"].astimezone(UTC) == published_at


def test_the_archive_run_by_hand_gives_the_published_metric(
    bench: Any, run_job: Any, table: pa.Table, tmp_path: Path
) -> None:
    """Acceptance: without any of our code, from the archive and the shards alone."""
    hyperparameters = {"epochs": 5, "hidden": [8, 4], "learning_rate": 0.01}
    assert run_job(bench.put_run([bench.put_shard(table)], hyperparameters=hyperparameters)) == 0
    folder = unpacked(bench.output("model.tar.gz"), tmp_path)
    config, weights = json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")

    test_rows = split_rows(table, SPLIT).test
    features = np.stack([table[name].to_numpy() for name in config["features"]], axis=1)[test_rows]
    mean, scale = (np.array(config["normalisation"][name]) for name in ("mean", "scale"))
    hidden = torch.tensor((features - mean) / scale, dtype=torch.float32)
    for layer in ("0", "3"):
        hidden = functional.gelu(hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"])
    logits = hidden @ weights["6.weight"].T + weights["6.bias"]
    labels = torch.from_numpy(table["class"].to_numpy()[test_rows])

    test = json.loads(bench.output("metrics.json"))["test"]
    assert float(functional.cross_entropy(logits, labels)) == pytest.approx(test["log_loss"], rel=1e-6)
    assert float((logits.argmax(1) == labels).double().mean()) == pytest.approx(test["accuracy"], rel=1e-6)
    assert config["metrics"]["test"] == test


def test_the_served_archive_answers_what_was_evaluated(
    bench: Any, run_job: Any, table: pa.Table, tmp_path: Path
) -> None:
    run_job(bench.put_run([bench.put_shard(table)]))
    predictor = Predictor.load(unpacked(bench.output("model.tar.gz"), tmp_path))
    evaluation = pq.read_table(io.BytesIO(bench.output("evaluation.parquet")))
    rows = table.drop_columns(["class"]).take(evaluation["row_id"]).to_pylist()
    body = "\n".join(json.dumps(row) for row in rows).encode()
    predictions = predictor.predict(parse_rows(body, JSON_LINES, predictor.features))
    answers = [json.loads(line) for line in render(predictions, predictor.task.classes, JSON_LINES).splitlines()]
    assert [answer["prediction"] for answer in answers] == evaluation["prediction"].to_pylist()
    probabilities = [list(answer["probabilities"].values()) for answer in answers]
    assert np.array(probabilities) == pytest.approx(np.array(evaluation["probabilities"].to_pylist()), rel=1e-6)


def test_evaluation_has_one_row_a_test_example(bench: Any, run_job: Any, table: pa.Table) -> None:
    run_job(bench.put_run([bench.put_shard(table)]))
    evaluation = pq.read_table(io.BytesIO(bench.output("evaluation.parquet")))
    metrics = json.loads(bench.output("metrics.json"))
    assert evaluation.schema.field("row_id").type == pa.int64()
    assert evaluation.schema.field("probabilities").type == pa.list_(pa.float32())
    assert evaluation.num_rows == metrics["rows"]["test"]
    labels, predictions = evaluation["label"].to_numpy(), evaluation["prediction"].to_numpy()
    assert (labels == predictions).mean() == pytest.approx(metrics["test"]["accuracy"], rel=1e-12)
    assert labels.tolist() == table["class"].to_numpy()[evaluation["row_id"].to_numpy()].tolist()


def test_the_same_run_gives_the_same_archive(bench: Any, run_job: Any, table: pa.Table) -> None:
    spec_uri = bench.put_run([bench.put_shard(table)])
    run_job(spec_uri)
    first = bench.output("model.tar.gz")
    bench.s3.delete_object(Bucket="artifacts", Key="runs/winery/winery-wine-0123456789ab/_SUCCESS")
    run_job(spec_uri)
    assert bench.output("model.tar.gz") == first
    assert first[4:8] == bytes(4), "the gzip header holds a time"
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert {(entry.mtime, entry.uid, entry.mode) for entry in tar} == {(0, 0, 0o644)}


def test_a_finished_run_ends_at_once_and_changes_nothing(bench: Any, run_job: Any, table: pa.Table) -> None:
    spec_uri = bench.put_run([bench.put_shard(table)])
    bench.write("_SUCCESS", b"{}")
    assert run_job(spec_uri) == 0
    assert bench.output_names() == ["_SUCCESS"]


def test_a_second_job_that_commits_later_leaves_the_marker_alone(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any
) -> None:
    bench.write("_SUCCESS", b"the first job's")
    monkeypatch.setattr(Storage, "is_finished", lambda _self, _uri: False)
    assert run_job(bench.put_run([bench.put_shard(table)])) == 73
    assert bench.output("_SUCCESS") == b"the first job's"
    assert last_line(capsys)["error"] == "LeaseHeldError"


def test_a_second_job_finds_the_marker_before_it_writes_anything(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any
) -> None:
    """Another job commits while this one trains."""
    open_shard = ShardReader.open

    def open_while_another_commits(reader: ShardReader, *arguments: Any) -> Any:
        bench.write("_SUCCESS", b"the first job's")
        return open_shard(reader, *arguments)

    monkeypatch.setattr(ShardReader, "open", open_while_another_commits)
    assert run_job(bench.put_run([bench.put_shard(table)])) == 73
    assert set(bench.output_names()) == {"_SUCCESS"} | checkpoint_of(6)
    assert boto3.client("cloudwatch").list_metrics(Namespace="Turbine/Training")["Metrics"] == []
    assert last_line(capsys)["error"] == "LeaseHeldError"


def test_scaling_is_learnt_from_the_train_split_alone(bench: Any, run_job: Any) -> None:
    random = np.random.default_rng(3)
    feature, target = random.normal(5, 2, 120), random.normal(-40, 9, 120)
    table = pa.table({"a": feature, "y": target})
    assert run_job(bench.put_run([bench.put_shard(table)], recipe="tabular_regressor", target="y")) == 0
    normalisation = json.loads(bench.output("model/config.json"))["normalisation"]
    learnt = {
        "feature": (normalisation["mean"][0], normalisation["scale"][0]),
        "target": (normalisation["target_mean"], normalisation["target_scale"]),
    }
    train = split_rows(table, SPLIT, "y").train
    for name, column in {"feature": feature, "target": target}.items():
        assert learnt[name] == pytest.approx((column[train].mean(), column[train].std()), rel=1e-12)
        for fitted, of_all in zip(learnt[name], (column.mean(), column.std()), strict=True):
            assert fitted != pytest.approx(of_all, rel=1e-6)


def test_a_column_whose_differences_float32_does_not_see_is_learnt(bench: Any, run_job: Any) -> None:
    """Acceptance: in seconds since 1970, one minute tells the classes apart."""
    classes = np.arange(120) % 2
    shard = bench.put_shard(pa.table({"seconds": 1_700_000_000 + 60 * classes, "class": classes}))
    assert run_job(bench.put_run([shard], hyperparameters={"epochs": 5, "learning_rate": 0.1})) == 0
    assert json.loads(bench.output("metrics.json"))["test"]["accuracy"] == 1.0


def test_a_row_too_far_from_the_train_split_is_named(bench: Any, run_job: Any, capsys: Any) -> None:
    numbers = np.arange(120) * 1e-8
    far = next(row for row in range(120) if fraction(SPLIT.salt, {"a": 3e38 + row * 1e36}) < SPLIT.test)
    numbers[far] = 3e38 + far * 1e36
    assert run_job(bench.put_run([bench.put_shard(pa.table({"a": numbers, "class": np.arange(120) % 2}))])) == 65
    assert f"column 'a' is too far from the train split in row {far}" in last_line(capsys)["message"]


@pytest.mark.parametrize(
    ("changes", "exit_code", "words"),
    [
        ({"target": "colour"}, 65, "target column 'colour'"),
        ({"hyperparameters": {"epochz": 1}}, 78, "epochz"),
        ({"recipe": "mystery"}, 78, "there is no recipe 'mystery'"),
        ({"seed": "seven"}, 78, "seed"),
        ({"output_uri": "s3://artifacts"}, 78, "output_uri"),
    ],
)
def test_a_run_that_cannot_work_says_why(
    bench: Any,
    run_job: Any,
    table: pa.Table,
    capsys: Any,
    changes: dict[str, Any],
    exit_code: int,
    words: str,
) -> None:
    assert run_job(bench.put_run([bench.put_shard(table)], **changes)) == exit_code
    failed = last_line(capsys)
    assert failed["event"] == "failed"
    assert failed["exit_code"] == exit_code
    assert words in failed["message"]
    assert failed["mend"]
    assert bench.output_names() == []


def test_a_worker_with_bad_data_ends_before_it_waits_for_the_others(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any
) -> None:
    """With its own code: there is nobody to meet here."""
    for name, value in {"TORCHELASTIC_RUN_ID": "gang", "RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert run_job(bench.put_run([bench.put_shard(table)], target="colour")) == 65
    assert "colour" in last_line(capsys)["message"]


def test_sigterm_leaves_a_checkpoint_from_which_the_next_attempt_ends_with_the_same_bits(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any
) -> None:
    spec_uri = bench.put_run([bench.put_shard(table)], hyperparameters={"epochs": 3, "dropout": 0.3})
    with monkeypatch.context() as patch:
        patch.setattr("training.job._log_epoch", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert run_job(spec_uri) == 75
    assert last_line(capsys)["error"] == "RunInterruptedError"
    # The order came after the first of three epochs of three steps; the loop saw it after the next one.
    assert set(bench.output_names()) == checkpoint_of(4)

    assert run_job(spec_uri) == 0
    assert '"event": "resumed", "step": 4' in capsys.readouterr().out
    resumed, metrics = bench.output("model/model.safetensors"), json.loads(bench.output("metrics.json"))
    whole = {"output_uri": "s3://artifacts/runs/winery/whole/", "hyperparameters": {"epochs": 3, "dropout": 0.3}}
    assert run_job(bench.put_run([bench.put_shard(table)], **whole)) == 0
    body = bench.s3.get_object(Bucket="artifacts", Key="runs/winery/whole/model/model.safetensors")["Body"]
    assert resumed == body.read()
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2, 3]


def interrupted(monkeypatch: pytest.MonkeyPatch, run: Callable[[], int]) -> None:
    """By an order that comes when the first epoch has ended."""
    with monkeypatch.context() as patch:
        patch.setattr("training.job._log_epoch", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert run() == 75


@pytest.mark.parametrize("place", ["training.job.export_and_measure", "training.job.publish"])
def test_an_order_to_stop_after_the_last_step_loses_no_training(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any, place: str
) -> None:
    hyperparameters = {"epochs": 2, "dropout": 0.3, "early_stopping_patience": 1, "log_every_steps": 1}
    spec_uri = bench.put_run([bench.put_shard(table)], hyperparameters=hyperparameters)
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert run_job(spec_uri) == 75
    capsys.readouterr()
    assert run_job(spec_uri) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["started", "data_loaded", "resumed", "evaluated", "finished"]
    metrics, weights = json.loads(bench.output("metrics.json")), bench.output("model/model.safetensors")
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2]
    whole = {"output_uri": "s3://artifacts/runs/winery/whole/", "hyperparameters": hyperparameters}
    assert run_job(bench.put_run([bench.put_shard(table)], **whole)) == 0
    body = bench.s3.get_object(Bucket="artifacts", Key="runs/winery/whole/model/model.safetensors")["Body"]
    assert weights == body.read()


@pytest.mark.parametrize(
    ("before", "after", "exit_code"),
    [("1000000000", "1", 78), ("1000000000", "6000", 0), ("1", "1000000000", 0), ("1", "1", 0)],
    ids=["held, no room", "held, less room", "streamed, much room", "streamed"],
)
def test_a_resumed_run_reads_its_data_as_its_checkpoint_did(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any, before: str, after: str, exit_code: int
) -> None:
    spec_uri = bench.put_run([bench.put_shard(table)])
    monkeypatch.setenv(BUDGET_VARIABLE, before)
    interrupted(monkeypatch, lambda: int(run_job(spec_uri)))
    monkeypatch.setenv(BUDGET_VARIABLE, after)
    assert run_job(spec_uri) == exit_code
    if exit_code:
        assert "bytes no longer fit" in last_line(capsys)["message"]
        return
    resumed = bench.output("model/model.safetensors")
    monkeypatch.setenv(BUDGET_VARIABLE, before)
    assert run_job(bench.put_run([bench.put_shard(table)], output_uri="s3://artifacts/runs/winery/whole/")) == 0
    body = bench.s3.get_object(Bucket="artifacts", Key="runs/winery/whole/model/model.safetensors")["Body"]
    assert resumed == body.read()


def test_a_checkpoint_of_another_configuration_is_refused(
    bench: Any, run_job: Any, table: pa.Table, monkeypatch: Any, capsys: Any
) -> None:
    shard = bench.put_shard(table)
    with monkeypatch.context() as patch:
        patch.setattr("training.job._log_epoch", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert run_job(bench.put_run([shard])) == 75
    assert run_job(bench.put_run([shard], hyperparameters={"epochs": 2, "hidden": [8]})) == 78
    assert "is of another training: hyperparameters was" in last_line(capsys)["message"]


@pytest.mark.parametrize("spec_uri", ["", "https://example.com/run.json", "s3://artifacts/nothing.json"])
def test_a_bad_spec_uri_is_bad_configuration(bench: Any, run_job: Any, capsys: Any, spec_uri: str) -> None:
    assert run_job(spec_uri) == 78
    assert last_line(capsys)["error"] == "BadConfigurationError"


def test_a_bug_ends_with_its_traceback(bench: Any, run_job: Any, table: pa.Table, capsys: Any) -> None:
    spec_uri = bench.put_run([bench.put_shard(table)], output_uri="s3://no-such-bucket/runs/winery/x/")
    assert run_job(spec_uri) == 70
    assert "traceback" in last_line(capsys)


def test_a_run_is_summed_by_the_values_of_a_column_that_is_no_feature(bench: Any, run_job: Any) -> None:
    table = blobs(200).append_column("site", pa.array(["A", "B", None, "A"] * 50))
    dataset = {"name": "wine", "version": "feed" * 4, "format": "parquet", "target": "class", "slices": ["site"]}
    assert run_job(bench.put_run([], dataset=dataset | {"shards": [bench.put_shard(table)]})) == 0
    assert json.loads(bench.output("model/config.json"))["features"] == ["a", "b", "c"]
    sums = json.loads(bench.output("evaluation_blocks.json"))["slices"]["site"]
    rows = pq.read_table(io.BytesIO(bench.output("evaluation.parquet")))
    sites = table["site"].take(rows["row_id"]).to_pylist()
    assert dict(zip(sums["values"], sums["columns"]["rows"], strict=True)) == Counter(sites)


def test_a_slice_column_that_is_not_there_ends_the_job_before_it_trains(
    bench: Any, run_job: Any, table: pa.Table, capsys: Any
) -> None:
    dataset = {"name": "wine", "version": "feed" * 4, "format": "parquet", "target": "class", "slices": ["site"]}
    assert run_job(bench.put_run([], dataset=dataset | {"shards": [bench.put_shard(table)]})) == 65
    line = last_line(capsys)
    assert line["message"] == "slice column 'site' is not in the data set; its columns are a, b, c, class"
    assert line["mend"] == "name an existing column in the team file's rule.slice_guardrails"
    assert bench.output_names() == []

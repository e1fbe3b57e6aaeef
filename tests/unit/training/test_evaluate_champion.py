"""A champion on other data: measured as the challenger was, or told why not."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.unit.training.conftest import ARTIFACT_BUCKET, OUTPUT_URI, RUN_ID, blobs
from tests.unit.training.splits import split_rows
from training import launcher
from training.data import ShardReader, profile_dataset
from training.spec import Split, parse_evaluation_spec

CHALLENGER = "winery-wine-ba9876543210"
FOLDER = f"runs/winery/{CHALLENGER}/champions/{RUN_ID}/"
URI = f"s3://{ARTIFACT_BUCKET}/{FOLDER}"

Evaluate = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def champion(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Train the champion on a table."""

    def train(table: pa.Table, **of_run: Any) -> None:
        monkeypatch.setenv(launcher.SPEC_VARIABLE, bench.put_run([bench.put_shard(table)], **of_run))
        assert launcher.main() == 0

    return train


@pytest.fixture
def evaluate(bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Evaluate:
    """Measure the champion on another table; the exit code, and metrics.json or the log's last line."""

    def run(
        table: pa.Table, target: str = "class", slices: tuple[str, ...] = (), **of_champion: Any
    ) -> tuple[int, dict[str, Any]]:
        marker = json.loads(bench.output("_SUCCESS"))
        files = {name: marker["files"][f"model/{name}"] for name in ("config.json", "model.safetensors")}
        dataset = {"name": "wine", "version": "cafe" * 4, "format": "parquet", "target": target, "slices": slices}
        spec = {
            "schema_version": 1,
            "run_id": CHALLENGER,
            "team": "winery",
            "champion": {"run_id": RUN_ID, "model_uri": f"{OUTPUT_URI}model/", "files": files} | of_champion,
            "dataset": dataset | {"shards": [bench.put_shard(table, "other.parquet")]},
            "split": {"id": "dead" * 4, "salt": "cafe" * 4, "validation": 0.15, "test": 0.2},
            "output_uri": URI,
            "metrics": {"namespace": "Turbine/Training", "dimensions": {"RunId": CHALLENGER, "ChampionRunId": RUN_ID}},
        }
        bench.s3.put_object(Bucket=ARTIFACT_BUCKET, Key=f"{FOLDER}evaluation.json", Body=json.dumps(spec).encode())
        monkeypatch.setenv(launcher.EVALUATION_VARIABLE, f"{URI}evaluation.json")
        monkeypatch.delenv(launcher.SPEC_VARIABLE, raising=False)
        capsys.readouterr()
        code = launcher.main()
        lines = capsys.readouterr().out.splitlines()
        return code, json.loads(lines[-1]) if code else json.loads(read(bench, "metrics.json"))

    return run


def read(bench: Any, name: str) -> bytes:
    body: bytes = bench.s3.get_object(Bucket=ARTIFACT_BUCKET, Key=FOLDER + name)["Body"].read()
    return body


def moved(row_count: int = 90, by: float = 0.5) -> pa.Table:
    """The champion's classes, elsewhere."""
    table = blobs(row_count)
    return table.set_column(0, "a", pa.array(np.asarray(table["a"]) + by))


def test_on_its_own_rows_it_measures_what_its_run_did(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs(), split={"id": "dead" * 4, "salt": "cafe" * 4, "validation": 0.15, "test": 0.2})
    code, metrics = evaluate(blobs())
    own = json.loads(bench.output("metrics.json"))
    assert (code, metrics["obstacle"]) == (0, None)
    assert metrics["test"] == own["test"]
    assert metrics["rows"] == {"test": own["rows"]["test"]}
    assert read(bench, "evaluation_blocks.json") == bench.output("evaluation_blocks.json")
    assert read(bench, "evaluation.parquet") == bench.output("evaluation.parquet")


def test_new_data_give_other_numbers_and_cloudwatch_the_same(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    _, metrics = evaluate(moved())
    assert metrics["test"] != json.loads(bench.output("metrics.json"))["test"]
    assert (metrics["run_id"], metrics["champion_run_id"], metrics["split_id"]) == (CHALLENGER, RUN_ID, "dead" * 4)
    published_at = datetime.fromisoformat(metrics["published_at"])
    (point,) = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="Turbine/Training",
        MetricName="test_log_loss",
        Dimensions=[{"Name": "RunId", "Value": CHALLENGER}, {"Name": "ChampionRunId", "Value": RUN_ID}],
        StartTime=published_at,
        EndTime=published_at + timedelta(seconds=60),
        Period=60,
        Statistics=["Average"],
    )["Datapoints"]
    assert point["Average"] == metrics["test"]["log_loss"]
    marker = json.loads(read(bench, "_SUCCESS"))
    for name, described in marker["files"].items():
        assert described["sha256"] == hashlib.sha256(read(bench, name)).hexdigest()


def test_columns_are_found_by_name(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs(), split={"id": "dead" * 4, "salt": "cafe" * 4, "validation": 0.15, "test": 0.2})
    code, metrics = evaluate(blobs().select(["c", "class", "a", "b"]))
    assert code == 0
    assert metrics["test"] == json.loads(bench.output("metrics.json"))["test"]
    bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"{FOLDER}_SUCCESS")
    code, metrics = evaluate(blobs().append_column("new", pa.array([1.0] * 120)))
    assert (code, metrics["obstacle"]) == (0, None)


def test_no_row_that_it_was_trained_on_is_among_the_new_test_rows(
    bench: Any, champion: Any, evaluate: Evaluate
) -> None:
    """More rows before the old ones, and the old ones in another order."""
    old = blobs()
    champion(old, split={"id": "dead" * 4, "salt": "cafe" * 4, "validation": 0.15, "test": 0.2})
    grown = pa.concat_tables([moved(200, by=0.1), old.take(np.random.default_rng(3).permutation(120))])
    evaluate(grown)
    split = Split(id="dead" * 4, salt="cafe" * 4, validation=0.15, test=0.2)
    trained_on = old.take(split_rows(old, split).train)["a"].to_pylist()
    tested = grown.take(pq.read_table(io.BytesIO(read(bench, "evaluation.parquet")))["row_id"])["a"].to_pylist()
    assert not set(tested) & set(trained_on)
    assert set(tested) & set(old["a"].to_pylist())


def test_a_class_that_it_does_not_know_is_one_it_never_names(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    _, known = evaluate(moved(by=0.0))
    bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"{FOLDER}_SUCCESS")
    labels = np.asarray(blobs(90)["class"])
    half_new = pa.array(np.where(np.arange(90) % 4 == 0, 7, labels))
    _, metrics = evaluate(moved(by=0.0).set_column(3, "class", half_new))
    assert metrics["obstacle"] is None
    assert metrics["test"]["accuracy"] < known["test"]["accuracy"]
    assert metrics["test"]["log_loss"] > 5
    columns = json.loads(read(bench, "evaluation_blocks.json"))["columns"]
    assert {name for name in columns if name.startswith("actual/")} == {"actual/0", "actual/1", "actual/2"}
    assert sum(columns["actual/2"]) > 0 and not any(columns["predicted/2"])


def test_a_class_that_only_it_knows_comes_last(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    labels = np.where(np.arange(120) % 3 == 0, -5, np.asarray(blobs()["class"]))
    champion(blobs().set_column(3, "class", pa.array(labels)))
    code, metrics = evaluate(blobs())
    columns = json.loads(read(bench, "evaluation_blocks.json"))["columns"]
    assert (code, metrics["obstacle"]) == (0, None)
    assert sum(columns["actual/0"]) + sum(columns["actual/1"]) == metrics["rows"]["test"]
    assert not any(columns["actual/2"]) and any(columns["predicted/2"])


@pytest.mark.parametrize(
    ("table", "target", "obstacle"),
    [
        (blobs(90).drop_columns(["b"]), "class", "feature 'b' is none of the data set's"),
        (blobs(90).rename_columns(["a", "b", "c", "kind"]), "kind", "target is 'class', the data set's is 'kind'"),
        (
            blobs(90).set_column(3, "class", pa.array(["x", "y"] * 45)),
            "class",
            "the model's classes are no values of 'class': 0",
        ),
    ],
)
def test_what_it_cannot_be_put_to_is_a_result(
    bench: Any, champion: Any, evaluate: Evaluate, table: pa.Table, target: str, obstacle: str
) -> None:
    champion(blobs())
    code, metrics = evaluate(table, target)
    assert (code, metrics["test"], metrics["obstacle"]) == (0, {}, obstacle)
    assert set(json.loads(read(bench, "_SUCCESS"))["files"]) == {"metrics.json"}


def test_rows_that_it_cannot_take_are_an_obstacle_that_names_one(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    """Token ids beyond the champion's vocabulary, which a newer one may well know."""

    def sequences(rows: int, highest: int) -> pa.Table:
        tokens = np.random.default_rng(4).integers(0, 10, (rows, 4))
        tokens[:, 2] = np.arange(rows) % (highest + 1)
        columns = {f"t{place}": tokens[:, place].astype(float) for place in range(4)}
        return pa.table({**columns, "class": np.arange(rows) % 2})

    settings = {"epochs": 1, "vocabulary_size": 10, "width": 4, "heads": 1, "layers": 1}
    champion(sequences(120, 9), recipe="sequence_classifier", hyperparameters=settings)
    code, metrics = evaluate(sequences(90, 9))
    assert (code, metrics["obstacle"]) == (0, None)
    bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"{FOLDER}_SUCCESS")
    table = sequences(90, 89)
    code, metrics = evaluate(table)
    split = Split(id="dead" * 4, salt="cafe" * 4, validation=0.15, test=0.2)
    row = next(row for row in split_rows(table, split).test.tolist() if row > 9)
    assert (code, metrics["test"]) == (0, {})
    assert metrics["obstacle"].startswith(f"column 't2' holds {row} in row {row}, which is no token id")


def test_a_regressor_is_measured_in_the_datas_units(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    def prices(row_count: int) -> pa.Table:
        table = blobs(row_count)
        return table.set_column(3, "price", pa.array(1000 + 50 * np.asarray(table["a"])))

    champion(prices(120), recipe="tabular_regressor", target="price", hyperparameters={"epochs": 20})
    code, metrics = evaluate(prices(90), "price")
    assert (code, metrics["obstacle"]) == (0, None)
    assert 0 < metrics["test"]["mae"] < 100
    bench.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=f"{FOLDER}_SUCCESS")
    _, metrics = evaluate(prices(90).set_column(3, "price", pa.array(["dear"] * 90)), "price")
    assert metrics["obstacle"] == "the model answers with numbers, and 'price' holds none"


def test_labels_that_are_no_classes_any_more_are_an_obstacle(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    code, metrics = evaluate(blobs(90).set_column(3, "class", pa.array([1] * 90)))
    assert (code, metrics["test"]) == (0, {})
    assert metrics["obstacle"] == "target column 'class' has one value only: 1"


@pytest.mark.parametrize("place", ["to", "load_state_dict"])
def test_a_lack_of_memory_says_nothing_about_the_model(
    bench: Any, champion: Any, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It ends the job, which is tried again or told of; an obstacle would hold the challenger for good."""
    champion(blobs())

    def no_room(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, place, no_room)
    code, line = evaluate(moved())
    assert (code, line["event"]) == (137, "failed")
    with pytest.raises(bench.s3.exceptions.NoSuchKey):
        read(bench, "metrics.json")


def test_other_bytes_than_the_run_published_are_an_obstacle(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    files = json.loads(bench.output("_SUCCESS"))["files"]
    described = {name: files[f"model/{name}"] for name in ("config.json", "model.safetensors")}
    described["config.json"] |= {"sha256": "0" * 64}
    code, metrics = evaluate(moved(), files=described)
    assert (code, metrics["test"]) == (0, {})
    assert metrics["obstacle"].startswith(f"{OUTPUT_URI}model/config.json is not what its run has published")


def test_the_version_that_was_published_is_read(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    bench.write("model/config.json", b"{}")  # a stale job
    code, metrics = evaluate(moved())
    assert (code, metrics["obstacle"]) == (0, None)


def test_weights_that_are_gone_are_an_obstacle(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    code, metrics = evaluate(moved(), model_uri=f"{OUTPUT_URI}models/")
    assert (code, metrics["test"]) == (0, {})
    assert metrics["obstacle"] == f"{OUTPUT_URI}models/config.json is gone in the version that its run has published"


def test_a_second_job_changes_nothing(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    champion(blobs())
    evaluate(moved())
    marker = read(bench, "_SUCCESS")
    evaluate(moved(by=3.0))
    assert read(bench, "_SUCCESS") == marker


def test_a_job_overtaken_by_another_ends_well(
    bench: Any, champion: Any, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion(blobs())
    evaluate(moved())
    answers = iter([False, True])  # not there at the start, there before the results
    monkeypatch.setattr("training.storage.Storage.is_finished", lambda *_: next(answers))
    marker = read(bench, "_SUCCESS")
    code, _ = evaluate(moved(by=3.0))
    assert (code, read(bench, "_SUCCESS")) == (0, marker)


def sited(table: pa.Table, values: int = 3) -> pa.Table:
    sites = [(None, *map(str, range(1, values)))[number % values] for number in range(table.num_rows)]
    return table.append_column("site", pa.array(sites, pa.string()))


def test_it_is_summed_by_the_challengers_slices_on_the_same_rows(bench: Any, champion: Any, evaluate: Evaluate) -> None:
    """Its own run knew of none: values, folds and rows are those that the challenger's run finds in the data."""
    champion(blobs(400))
    table = sited(blobs(400), 50)
    code, metrics = evaluate(table, slices=("site",))
    assert (code, metrics["obstacle"]) == (0, None)
    theirs = json.loads(read(bench, "evaluation_blocks.json"))["slices"]["site"]
    told = parse_evaluation_spec(read(bench, "evaluation.json"), URI)
    (mine,) = profile_dataset(told.dataset, told.split, ShardReader(bench.s3), scales_inputs=True).slices.columns
    assert (mine.values, mine.folded) == (theirs["values"], theirs["folded"])
    assert mine.values[0] is None and mine.folded > 0
    assert np.bincount(mine.places).tolist() == theirs["columns"]["rows"]
    rows = pq.read_table(io.BytesIO(read(bench, "evaluation.parquet")))
    sites = table["site"].take(rows["row_id"]).to_pylist()
    hits = np.asarray(rows["label"]) == np.asarray(rows["prediction"])
    for place, value in enumerate(mine.values):
        here = np.array([site == value for site in sites])
        assert (theirs["columns"]["rows"][place], theirs["columns"]["hits"][place]) == (here.sum(), hits[here].sum())
    assert sum(theirs["columns"]["rows"]) == metrics["rows"]["test"]

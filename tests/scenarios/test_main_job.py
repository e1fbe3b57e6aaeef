"""From a manifest in S3 to a champion with predictions."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from inference.payload import JSON_LINES, parse_rows, render
from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud
from tests.unit.training.splits import fraction
from training.predictor import Predictor

pytestmark = pytest.mark.xdist_group("scenarios")
TEAMS = {"vision", "oncology", "endocrine", "winery"}


def test_the_demo_decides_eight_runs_and_both_ways(demo: KeptDemo) -> None:
    assert [(run["team"], run["round"]) for run in demo.runs()] and len(demo.runs()) == 8
    assert {run["team"] for run in demo.runs(round=1)} == TEAMS == {run["team"] for run in demo.runs(round=2)}
    assert {run["decision"] for run in demo.runs(round=1)} == {"promoted"}
    challengers = [run["decision"] for run in demo.runs(round=2)]
    assert "promoted" in challengers
    assert {"held", "rejected"} & set(challengers)
    assert {run["status"] for run in demo.runs()} == {"SUCCEEDED"}


def test_round_one_is_one_execution_that_fanned_out(demo: KeptDemo) -> None:
    first = {demo.cloud.item(f"RUN#{run['run_id']}", "RECORD")["training_execution_arn"] for run in demo.runs(round=1)}  # type: ignore[index]
    second = {demo.cloud.item(f"RUN#{run['run_id']}", "RECORD")["training_execution_arn"] for run in demo.runs(round=2)}  # type: ignore[index]
    assert len(first) == 1
    assert len(second) == 4


def test_every_first_model_beats_its_baseline(demo: KeptDemo) -> None:
    for run in demo.runs(round=1):
        metrics = demo.cloud.read_json(demo.cloud.run_uri(run["team"], run["run_id"], "metrics.json"))
        spec = demo.cloud.read_json(demo.cloud.run_uri(run["team"], run["run_id"], "run.json"))
        name, sign = spec["rule"]["metric"], 1 if spec["rule"]["direction"] == "maximize" else -1
        gain = sign * (metrics["test"][name] - metrics["baseline"][name])
        assert gain > 0.1 * abs(metrics["baseline"][name]), (
            run["team"],
            metrics["test"],
            metrics["baseline"],
        )


def test_cloudwatch_holds_the_files_numbers(demo: KeptDemo) -> None:
    for run in demo.runs():
        decision = demo.cloud.read_json(demo.cloud.run_uri(run["team"], run["run_id"], "decision.json"))
        metrics = demo.cloud.read_json(demo.cloud.run_uri(run["team"], run["run_id"], "metrics.json"))
        for name, number in decision["challenger"]["metrics"].items():
            assert number["cloudwatch"] == pytest.approx(metrics["test"][name], rel=1e-12)


def test_the_registry_approves_the_champion_and_only_it(demo: KeptDemo) -> None:
    sagemaker = demo.cloud.client("sagemaker")
    for team in TEAMS:
        champion = demo.cloud.item(f"TEAM#{team}", "CHAMPION")
        assert champion is not None
        promoted = demo.runs(team=team, decision="promoted")
        assert champion["run_id"] == promoted[-1]["run_id"]
        packages = sagemaker.list_model_packages(ModelPackageGroupName=f"turbine-{team}")["ModelPackageSummaryList"]
        approved = [p["ModelPackageArn"] for p in packages if p["ModelApprovalStatus"] == "Approved"]
        assert approved == [champion["model_package_arn"]]
        assert len(packages) >= 2


def test_predictions_are_one_for_each_unlabelled_record(demo: KeptDemo) -> None:
    for run in demo.runs(decision="promoted"):
        spec = demo.cloud.read_json(demo.cloud.run_uri(run["team"], run["run_id"], "run.json"))
        bucket = spec["inference"]["uri"].removeprefix("s3://").partition("/")[0]
        inputs = [
            json.loads(line)
            for key in demo.cloud.keys(spec["inference"]["uri"])
            for line in demo.cloud.read(f"s3://{bucket}/{key}").splitlines()
        ]
        assert run["predictions"]["records"] == len(inputs) > 0
        prediction_bucket = demo.cloud.outputs["PredictionBucketName"]
        keys = demo.cloud.keys(run["predictions"]["uri"])
        assert any(key.endswith("_SUCCESS") for key in keys)
        answers = [
            json.loads(line)
            for key in keys
            if key.endswith(".out")
            for line in demo.cloud.read(f"s3://{prediction_bucket}/{key}").splitlines()
        ]
        assert {answer["id"] for answer in answers} == {record["id"] for record in inputs}
        assert all("prediction" in answer["SageMakerOutput"] for answer in answers)


def test_a_fresh_dvc_pull_restores_the_model(demo: KeptDemo, tmp_path: Path) -> None:
    run = demo.runs(team="vision", decision="promoted")[-1]
    dvc_file = demo.cloud.read(demo.cloud.run_uri("vision", run["run_id"], "model.tar.gz.dvc"))
    (tmp_path / "model.tar.gz.dvc").write_bytes(dvc_file)
    dvc = [sys.executable, "-m", "dvc"]
    home = {
        "HOME": str(tmp_path / "home"),
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "DVC_NO_ANALYTICS": "1",
    }
    environment = {**os.environ, **demo.cloud.environment, **home}

    def call(*arguments: str) -> None:
        subprocess.run([*dvc, *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True)

    call("init", "--no-scm")
    call("remote", "add", "--default", "store", f"s3://{demo.cloud.outputs['ArtifactBucketName']}/dvc")
    call("pull", "model.tar.gz.dvc")
    pulled = (tmp_path / "model.tar.gz").read_bytes()
    assert hashlib.md5(pulled, usedforsecurity=False).hexdigest() == run["dvc"]["md5"]
    assert pulled == demo.cloud.read(demo.cloud.run_uri("vision", run["run_id"], "model.tar.gz"))


def test_the_command_pulls_a_champion_and_any_version(demo: KeptDemo, tmp_path: Path) -> None:
    first, second = demo.runs(team="vision")
    for model, run in (("vision", second), ("vision@champion", second), ("vision@1", first)):
        folder = tmp_path / model
        done = turbine("pull", model, str(folder), "--json", environment=demo.cloud.environment)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["run_id"], told["md5"]) == (run["run_id"], run["dvc"]["md5"])
        with tarfile.open(folder / "model.tar.gz") as tar:
            assert "model.safetensors" in tar.getnames()
        assert json.loads((folder / "provenance.json").read_text())["run_id"] == run["run_id"]
    again = turbine("pull", "vision", str(tmp_path / "vision"), environment=demo.cloud.environment)
    assert "was there already" in again.stdout
    refused = {"vision@0": "names no model", "vision@99": "has no model version 99", "nobody": "unknown team 'nobody'"}
    for model, words in refused.items():
        done = turbine("pull", model, str(tmp_path / "no"), environment=demo.cloud.environment)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("team", sorted(TEAMS))
def test_the_registered_archive_gives_the_registered_metric(demo: KeptDemo, team: str, tmp_path: Path) -> None:
    """The archive that the registry names, run by hand on the pinned test split."""
    champion = demo.cloud.item(f"TEAM#{team}", "CHAMPION")
    assert champion is not None
    package = demo.cloud.client("sagemaker").describe_model_package(ModelPackageName=champion["model_package_arn"])
    archive = demo.cloud.read(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path, filter="data")
    spec = demo.cloud.read_json(demo.cloud.run_uri(team, champion["run_id"], "run.json"))
    rows = []
    for shard in spec["dataset"]["shards"]:
        body = demo.cloud.read(f"s3://{shard['bucket']}/{shard['key']}")
        rows += pq.read_table(io.BytesIO(body)).to_pylist()
    target, split = spec["dataset"]["target"], spec["split"]
    test = [row for row in rows if fraction(split["salt"], without(row, target)) < split["test"]]
    answers = _answers(tmp_path, test)
    labels = [row[spec["dataset"]["target"]] for row in test]
    predicted = [answer["prediction"] for answer in answers]
    metrics = demo.cloud.read_json(demo.cloud.run_uri(team, champion["run_id"], "metrics.json"))
    assert metrics["rows"]["test"] == len(test)
    if "accuracy" in metrics["test"]:
        value, registered = (
            sum(a == b for a, b in zip(labels, predicted, strict=True)) / len(labels),
            metrics["test"]["accuracy"],
        )
    else:
        value = (sum((a - b) ** 2 for a, b in zip(labels, predicted, strict=True)) / len(labels)) ** 0.5
        registered = metrics["test"]["rmse"]
    assert value == pytest.approx(registered, rel=1e-6)


def _answers(archive: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the container answers to these rows, line for line, without its server."""
    predictor = Predictor.load(archive)
    body = "".join(json.dumps({name: row[name] for name in predictor.features}) + "\n" for row in rows).encode()
    predictions = predictor.predict(parse_rows(body, JSON_LINES, predictor.features))
    classes = json.loads((archive / "config.json").read_text())["classes"]
    return [json.loads(line) for line in render(predictions, classes, JSON_LINES).splitlines()]


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in row.items() if other != name}


def test_the_report_needs_no_network(demo: KeptDemo) -> None:
    html = demo.report.read_text()
    assert "<svg" in html
    for run in demo.runs():
        assert run["run_id"] in html
    assert not any(word in html for word in ('src="http', "<script src", 'href="http', "@import", "url(http"))


def test_other_teams_prefixes_stay_untouched(cloud: LiveCloud) -> None:
    for team in TEAMS:
        for key in cloud.keys(cloud.run_uri(team, "")):
            assert key.startswith(f"runs/{team}/{team}-")

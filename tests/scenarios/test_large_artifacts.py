"""Files that outgrow a function are published by a job, with the same code and the same result."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.conftest import turbine
from tests.scenarios.live_cloud import LiveCloud
from tests.scenarios.manifests import run_id_of, winery
from tests.scenarios.training_jobs import log_events

pytestmark = pytest.mark.xdist_group("scenarios")
VARIABLE = "PUBLISH_IN_FUNCTION_BYTES"


@pytest.fixture
def impatient(cloud: LiveCloud) -> Iterator[None]:
    """Every run's files are too many bytes for the function."""
    functions, name = cloud.client("lambda"), cloud.resource("PublishArtifactsFunction")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, VARIABLE: "1"}})
    yield
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def publishing_jobs(cloud: LiveCloud, run_id: str) -> list[dict[str, Any]]:
    listed = cloud.client("batch").list_jobs(
        jobQueue=cloud.outputs["JobQueueArn"], filters=[{"name": "JOB_NAME", "values": [f"{run_id}-publishing"]}]
    )
    return list(listed["jobSummaryList"])


def dvc_pull(cloud: LiveCloud, folder: Path) -> None:
    """What a pointer in the folder names, by plain DVC."""
    home = {"HOME": str(folder / "home"), "DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}
    store = f"s3://{cloud.outputs['ArtifactBucketName']}/dvc"
    for arguments in (
        ("init", "--no-scm"),
        ("remote", "add", "--default", "store", store),
        ("pull", "model.tar.gz.dvc"),
    ):
        subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=folder,
            env={**os.environ, **cloud.environment, **home},
            check=True,
            capture_output=True,
        )


def test_a_job_publishes_what_a_function_would(cloud: LiveCloud, impatient: None, tmp_path: Path) -> None:
    key = "manifests/winery/large.json"
    recipe = {"name": "tabular_classifier", "hyperparameters": {"epochs": 2}, "publish_epochs": [1, "last"]}
    cloud.put(key, winery(cloud, recipe=recipe))
    run_id = run_id_of(cloud, key)
    assert cloud.outcome(run_id)["status"] == "SUCCEEDED"
    entered = cloud.states_entered(cloud.execution_arn("RunMachineArn", run_id))
    assert entered[entered.index("PublishArtifacts") :][:4] == [
        *("PublishArtifacts", "IsPublished", "PublishLargeArtifacts", "CompareModels"),
    ]
    (job,) = publishing_jobs(cloud, run_id)
    assert job["status"] == "SUCCEEDED"
    (said,) = [event for event in log_events(cloud, job["jobId"]) if event["event"] == "published"]

    published = cloud.read_json(cloud.run_uri("winery", run_id, "published.json"))
    archive = cloud.read(published["model_data_uri"])
    assert published["dvc"] == said["dvc"]
    assert hashlib.md5(archive, usedforsecurity=False).hexdigest() == said["dvc"]["md5"]
    bucket = cloud.outputs["ArtifactBucketName"]
    md5 = said["dvc"]["md5"]
    assert cloud.read(f"s3://{bucket}/dvc/files/md5/{md5[:2]}/{md5[2:]}") == archive
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    assert package["model_data_uri"] == said["archive"]
    versions = cloud.client("s3").list_object_versions(
        Bucket=bucket, Prefix=said["archive"].removeprefix(f"s3://{bucket}/")
    )["Versions"]
    assert len(versions) == 1, "RegisterModel found the job's copy and made none"
    assert cloud.read(said["archive"]) == archive
    provenance = cloud.read_json(published["provenance_uri"])
    assert (provenance["run_id"], provenance["model"]["md5"]) == (run_id, md5)

    # The model as it was after its first epoch, published besides.
    model = f"winery@{package['model_version']:g}"
    done = turbine("pull", model, str(tmp_path), "--epoch", "1", "--json", environment=cloud.environment)
    assert done.returncode == 0, done.stderr
    pulled = json.loads(done.stdout)
    assert pulled["md5"] == published["epochs"]["1"]["dvc"]["md5"] != md5
    with tarfile.open(pulled["archive"]) as archived:
        config = json.loads(archived.extractfile("config.json").read())  # type: ignore[union-attr]
    assert (config["epoch"], set(config["metrics"])) == (1, {"validation"})
    assert published["epochs"]["1"]["validation"] == config["metrics"]["validation"]
    assert provenance["epochs"] == published["epochs"]
    Path(pulled["archive"]).unlink()
    dvc_pull(cloud, tmp_path)
    assert hashlib.md5(Path(pulled["archive"]).read_bytes(), usedforsecurity=False).hexdigest() == pulled["md5"]
    told = turbine("show", run_id, environment=cloud.environment).stdout
    assert f"turbine pull {model} DEST --epoch 1" in told
    assert re.search(r"published epochs: +1 \(\w+ [\d.e-]+\), 2 \(\w+ [\d.e-]+\):", told), told
    refused = turbine("pull", model, str(tmp_path), "--epoch", "3", environment=cloud.environment)
    assert refused.returncode != 0
    assert "it has published 1, 2" in refused.stderr

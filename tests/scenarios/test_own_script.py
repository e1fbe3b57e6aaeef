"""A team's own script, through the whole pipeline by the commands of its README."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

import pytest

from tests.scenarios.conftest import ROOT, KeptDemo

pytestmark = pytest.mark.xdist_group("scenarios")
EXAMPLE = ROOT / "examples/own_script"


def test_its_model_is_measured_compared_and_registered_like_any_other(demo: KeptDemo) -> None:
    run_id = _drop_by_the_readme(demo)
    cloud = demo.cloud
    metrics = cloud.read_json(cloud.run_uri("winery", run_id, "metrics.json"))
    assert metrics["recipe"] == "own_script"
    assert metrics["script"]["sha256"] == hashlib.sha256((EXAMPLE / "train.py").read_bytes()).hexdigest()
    assert metrics["test"]["accuracy"] > metrics["baseline"]["accuracy"]

    decision = cloud.item(f"RUN#{run_id}", "DECISION")
    assert decision is not None
    assert cloud.outcome(run_id)["decision"] == decision["decision"]
    measured = json.loads(json.dumps(decision["challenger"], default=float))["metrics"]
    assert {name: number["cloudwatch"] for name, number in measured.items()} == pytest.approx(metrics["test"])

    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    described = cloud.client("sagemaker").describe_model_package(ModelPackageName=package["model_package_arn"])
    expected = {"promoted": "Approved", "held": "PendingManualApproval", "rejected": "Rejected"}
    assert described["ModelApprovalStatus"] == expected[decision["decision"]]


def _drop_by_the_readme(demo: KeptDemo) -> str:
    """Its commands but for the start of a cloud, which is there; returns the run's id."""
    before = {run["run_id"] for run in demo.cloud.of_kind("run")}
    block = (EXAMPLE / "README.md").read_text().split("```sh\n")[1].split("```")[0]
    start, environment, *commands = block.splitlines()
    assert "turbine demo" in start and "local env" in environment
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands)],
        cwd=ROOT,
        env={**os.environ, **demo.cloud.environment, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (run_id,) = {run["run_id"] for run in demo.cloud.of_kind("run")} - before
    return str(run_id)

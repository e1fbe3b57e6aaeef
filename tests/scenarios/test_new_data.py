"""Data that changed: the champion is measured on the challenger's rows before they are compared."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud
from tests.scenarios.manifests import run_id_of, winery

pytestmark = pytest.mark.xdist_group("scenarios")


def new_data(cloud: LiveCloud, columns: dict[str, str] | None = None, sites: Sequence[str | None] | None = None) -> str:
    """The team's wines but for the first ten, with columns renamed, and from sites that take turns; their URI."""
    bucket = cloud.outputs["DataBucketName"]
    shards = [cloud.read(f"s3://{bucket}/{key}") for key in cloud.keys(f"s3://{bucket}/datasets/winery/wine/v1/")]
    table = pa.concat_tables([pq.read_table(io.BytesIO(shard)) for shard in shards]).slice(10)
    table = table.rename_columns([(columns or {}).get(name, name) for name in table.column_names])
    if sites is not None:
        table = table.append_column("site", pa.array([sites[row % len(sites)] for row in range(table.num_rows)]))
    body = io.BytesIO()
    pq.write_table(table, body)
    place = f"datasets/winery/wine/{uuid.uuid4().hex[:8]}/"
    cloud.put(f"{place}part-0.parquet", body.getvalue())
    return f"s3://{bucket}/{place}"


def run_on(cloud: LiveCloud, uri: str) -> dict[str, Any]:
    """Train on the data at a URI; the run's execution, once it has ended."""
    dataset = winery(cloud)["dataset"] | {"source": {"type": "s3", "uri": uri}}
    key = f"manifests/winery/new-{uuid.uuid4().hex[:8]}.json"
    cloud.put(key, winery(cloud, dataset=dataset))
    run_id = run_id_of(cloud, key)
    cloud.outcome(run_id)
    return cloud.ended(cloud.execution_arn("RunMachineArn", run_id))


def test_a_champion_is_measured_on_new_data_and_both_compared(demo: KeptDemo) -> None:
    cloud = demo.cloud
    champion = cloud.item("TEAM#winery", "CHAMPION")
    assert champion is not None
    own = cloud.read_json(cloud.run_uri("winery", champion["run_id"], "metrics.json"))

    execution = run_on(cloud, new_data(cloud))

    assert execution["status"] == "SUCCEEDED", execution
    entered = cloud.states_entered(execution["executionArn"])
    assert entered.count("EvaluateChampion") == 1 and entered.count("CompareModels") == 2
    run_id = json.loads(execution["output"])["run_id"]
    decision = cloud.read_json(cloud.run_uri("winery", run_id, "decision.json"))
    mine, theirs = decision["challenger"], decision["champion"]
    assert theirs["run_id"] == champion["run_id"]
    assert mine["split_id"] == theirs["split_id"] != own["split_id"]
    measured = cloud.read_json(theirs["source"])
    for name, value in measured["test"].items():
        assert theirs["metrics"][name]["file"] == theirs["metrics"][name]["cloudwatch"] == value
    assert decision["delta"] is not None and "Held: the champion" not in decision["reason"]
    shown = turbine("show", run_id, environment=cloud.environment).stdout
    assert f"the champion was measured on this run's test rows: {theirs['source']}" in shown
    folder = cloud.run_uri("winery", run_id, f"champions/{champion['run_id']}/")
    blocks = [
        cloud.read_json(f"{place}evaluation_blocks.json")["columns"]
        for place in (cloud.run_uri("winery", run_id), folder)
    ]
    assert blocks[0]["rows"] == blocks[1]["rows"]
    assert [name for name in blocks[0] if name.startswith("actual/")] == [
        name for name in blocks[1] if name.startswith("actual/")
    ]


def test_a_column_that_is_gone_holds_the_challenger_and_names_it(demo: KeptDemo) -> None:
    execution = run_on(demo.cloud, new_data(demo.cloud, {"alcohol": "ethanol"}))
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert output["decision"] == "held"
    assert "feature 'alcohol' is none of the data set's. turbine promote replaces it by hand." in output["reason"]


def test_a_site_that_the_better_mean_hides_is_looked_at(demo: KeptDemo) -> None:
    """A column of names slices both evaluations on the same rows; it is no feature of either model."""
    cloud = demo.cloud
    team_file = "config/teams/winery.yaml"
    bucket = cloud.outputs["DataBucketName"]
    before = cloud.read(f"s3://{bucket}/{team_file}")
    team = yaml.safe_load(before)
    guardrail = {"column": "site", "metric": "log_loss", "max_worsening": 0.0, "min_rows": 5}
    team["rule"]["slice_guardrails"] = [guardrail]
    cloud.put(team_file, json.dumps(team).encode())
    try:
        execution = run_on(cloud, new_data(cloud, sites=("hill", "valley", None)))
    finally:
        cloud.put(team_file, before)

    assert execution["status"] == "SUCCEEDED", execution
    run_id = json.loads(execution["output"])["run_id"]
    decision = cloud.read_json(cloud.run_uri("winery", run_id, "decision.json"))
    (seen,) = decision["slices"]
    assert {one["value"] for one in seen["slices"]} == {"hill", "valley", None}
    metrics = cloud.read_json(cloud.run_uri("winery", run_id, "metrics.json"))
    assert sum(one["rows"] for one in seen["slices"]) == metrics["rows"]["test"]
    for whose in ("challenger", "champion"):
        mean = sum(one["rows"] * one[whose] for one in seen["slices"]) / metrics["rows"]["test"]
        assert mean == pytest.approx(decision[whose]["metrics"]["log_loss"]["file"])
    worse = [one for one in seen["slices"] if one["is_judged"] and one["challenger"] > one["champion"] + 1e-12]
    assert ("the log_loss where 'site' is" in decision["reason"]) == bool(worse)
    assert "site" not in cloud.read_json(cloud.run_uri("winery", run_id, "model/config.json"))["features"]
    assert (
        "log_loss by site, which may not worsen by more than 0:"
        in turbine("show", run_id, environment=cloud.environment).stdout
    )

"""A refused manifest costs nothing and says what to mend."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.conftest import KeptDemo, turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.manifests import winery

pytestmark = pytest.mark.xdist_group("scenarios")


def _dataset(cloud: LiveCloud, **changes: Any) -> dict[str, Any]:
    return winery(cloud)["dataset"] | changes


def _at(cloud: LiveCloud, uri: str) -> dict[str, Any]:
    return winery(cloud, dataset=_dataset(cloud, source={"type": "s3", "uri": uri}))


# What is dropped, the field that is named, and a word of the problem or its mend.
BAD: dict[str, tuple[Callable[[LiveCloud], bytes | dict[str, Any]], str, str]] = {
    "not_json": (lambda cloud: b"team: winery", "(file)", "is not JSON"),
    "too_large": (lambda cloud: json.dumps(winery(cloud)).encode() + b" " * 70_000, "(file)", "65536"),
    "unknown_field": (lambda cloud: winery(cloud, recepi={"name": "x"}), "recepi", "not a known field"),
    "unknown_recipe": (lambda cloud: winery(cloud, recipe={"name": "clasifier"}), "recipe.name", "clasifier"),
    "other_team": (lambda cloud: winery(cloud, team="vision"), "team", "winery"),
    "other_bucket": (
        lambda cloud: _at(cloud, "s3://somebody-elses-bucket/datasets/winery/"),
        "dataset.source.uri",
        "somebody-elses-bucket",
    ),
    "other_teams_data": (
        lambda cloud: _at(cloud, f"s3://{cloud.outputs['DataBucketName']}/datasets/vision/digits/v1/"),
        "dataset.source.uri",
        "datasets/winery/",
    ),
    "points_at_nothing": (
        lambda cloud: _at(cloud, f"s3://{cloud.outputs['DataBucketName']}/datasets/winery/none/"),
        "dataset.source.uri",
        "a .parquet shard",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_it_starts_no_run_and_names_the_field_the_cause_and_the_mend(demo: KeptDemo, kind: str) -> None:
    cloud = demo.cloud
    make, field, word = BAD[kind]
    runs_before = {run["run_id"] for run in cloud.of_kind("run")}
    name = f"{kind}-{uuid.uuid4().hex[:8]}.json"
    key = f"manifests/winery/{name}"
    with cloud.listening("ManifestRejected") as heard:
        cloud.put(key, make(cloud))

        def look() -> dict[str, Any] | None:
            return next((r for r in cloud.of_kind("rejection") if name in r["manifest_uri"]), None)

        rejection = wait_for(look, f"the refusal of {name}")
        (event,) = wait_for(lambda: [e for e in heard() if name in e["detail"]["manifest_uri"]] or None, "its event")
    assert rejection["field"] == field
    assert rejection["mend"]
    assert word in f"{rejection['problem']} {rejection['mend']}"
    for told in ("field", "problem", "mend"):
        assert event["detail"][told] == rejection[told]
    assert {run["run_id"] for run in cloud.of_kind("run")} == runs_before
    assert cloud.read(f"s3://{cloud.outputs['DataBucketName']}/{key}")
    shown = json.loads(turbine("runs", "--json", environment=cloud.environment).stdout)
    assert name in json.dumps(shown)
    assert rejection["mend"] in json.dumps(shown, ensure_ascii=False)


def test_an_unknown_team_is_refused(demo: KeptDemo) -> None:
    cloud = demo.cloud
    name = f"unknown-{uuid.uuid4().hex[:8]}.json"
    cloud.put(f"manifests/nobody/{name}", winery(cloud, team="nobody"))
    rejection = wait_for(
        lambda: next((r for r in cloud.of_kind("rejection") if name in r["manifest_uri"]), None),
        "the refusal",
    )
    assert rejection["field"] == "team"
    assert "teams apply" in rejection["mend"]


def test_the_good_entries_of_a_batch_start_and_the_bad_one_is_named(demo: KeptDemo) -> None:
    cloud = demo.cloud
    name = f"half-good-{uuid.uuid4().hex[:8]}.json"
    good, bad = winery(cloud), winery(cloud, recipe={"name": "none"})
    cloud.put(f"manifests/_batch/{name}", {"schema_version": 1, "runs": [good, bad]})
    rejection = wait_for(
        lambda: next((r for r in cloud.of_kind("rejection") if name in r["manifest_uri"]), None),
        "the refusal",
    )
    assert rejection["field"] == "runs.1.recipe.name"
    run = wait_for(
        lambda: next((r for r in cloud.of_kind("run") if name in r["manifest_uri"]), None),
        "the good entry's run",
    )
    assert cloud.outcome(run["run_id"])["status"] == "SUCCEEDED"

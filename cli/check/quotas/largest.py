"""The largest documents that the schemas let through: manifests, a team's file, metrics, and AWS's events.

Texts are as long as their fields may be, of the character that takes most room in JSON.
"""

from __future__ import annotations

import json
from typing import Any

from cli.check.quotas import limits, longest
from cli.check.quotas.world import NOW, REFUSED, VERSION_ID
from turbine.domain import manifest, recipes
from turbine.domain.evaluation import EvaluationBlocks, SliceSums
from turbine.domain.inference import INPUT_KEY_MAX_BYTES
from turbine.domain.metrics import Metrics
from turbine.domain.run import RunSpec
from turbine.domain.team import TeamFile

BUCKET = "b" * 63
_NUMBER = -1.2345678901234567e-300
"""A number whose text is as long as a double's can be."""
_ROWS = 10**12


def object_created(key: str) -> dict[str, Any]:
    """S3's event of an object, each of its texts as long as S3 makes it."""
    detail = {
        "version": "0",
        "bucket": {"name": BUCKET},
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
    return event("aws.s3", "Object Created", detail)


def event(source: str, kind: str, detail: Any) -> dict[str, Any]:
    """An event as EventBridge hands it to a target."""
    return {
        "version": "0",
        "id": "0" * 36,
        "detail-type": kind,
        "source": source,
        "account": longest.ACCOUNT,
        "time": "2026-11-23T20:00:00Z",
        "region": longest.region(),
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": detail,
    }


def key(folder: str) -> str:
    """The longest key below a folder, in the characters that take most room in JSON."""
    room = limits.table()["object-key"].value - len(folder) - len(".json")
    return f"{folder}{longest.WORST * room}.json"


def _uri(team: str, model: type[Any], *way: str) -> str:
    """The longest URI below a team's prefix, of an object whose key may be an input's."""
    bucket, folder = f"s3://{BUCKET}/", f"datasets/{team}/"
    most = min(longest.schema_bound(model, *way), len(bucket) + INPUT_KEY_MAX_BYTES)
    return bucket + folder + longest.WORST * (most - len(bucket + folder))


def one_manifest(team: str) -> dict[str, Any]:
    """The largest manifest."""
    bound = longest.schema_bound
    recipe = max(recipes.RECIPES, key=len)
    return {
        "schema_version": 1,
        "team": team,
        "dataset": {
            "name": longest.dataset(),
            "source": {"type": "s3", "uri": _uri(team, manifest.Manifest, "dataset", "source", "uri")},
            "format": "parquet",
            "target": longest.WORST * bound(manifest.Manifest, "dataset", "target"),
        },
        "recipe": {
            "name": recipe,
            "hyperparameters": {"x": "x" * (manifest.HYPERPARAMETERS_MAX_BYTES - len('{"x": ""}'))},
        },
        "compute": {"nodes": manifest.NODES_MAX, "processes_per_node": manifest.PROCESSES_MAX},
        "inference": {
            "uri": _uri(team, manifest.Manifest, "inference", "uri"),
            "format": "jsonl",
            "id": longest.WORST * bound(manifest.Manifest, "inference", "id"),
            "labels": _uri(team, manifest.Manifest, "inference", "labels"),
        },
        "seed": 2**31 - 1,
    }


def team_file(team: str) -> str:
    """A team's file with as many guardrails as one may have, also by the values of columns."""
    recipe = max(recipes.RECIPES, key=len)
    metric = max(recipes.RECIPES[recipe], key=len)
    direction = recipes.direction_of(metric)
    guardrails = longest.schema_bound(TeamFile, "rule", "guardrails")
    slices = longest.schema_bound(TeamFile, "rule", "slice_guardrails")
    column = longest.schema_bound(TeamFile, "rule", "slice_guardrails", "[]", "column")
    rule = {
        "name": "min_delta",
        "metric": metric,
        "direction": direction,
        "min_delta": -_NUMBER,
        "guardrails": [{"metric": metric, "direction": direction, "max_worsening": -_NUMBER}] * guardrails,
        "slice_guardrails": [
            {"column": text, "metric": metric, "max_worsening": -_NUMBER, "min_rows": 2 * _ROWS}
            for text in _texts(slices, column)
        ],
    }
    budget = {"max_cost_usd_per_run": 10**9}
    return json.dumps({"team": team, "recipe": {"name": recipe}, "rule": rule, "budget": budget})


def evaluation_blocks(spec: RunSpec) -> EvaluationBlocks:
    """An evaluation with as many slices as there may be, of the longest names and numbers, each with too few rows."""
    count = longest.schema_bound(EvaluationBlocks, "slices", "{value}", "values")
    name = longest.schema_bound(EvaluationBlocks, "slices", "{value}", "values", "[]")
    rows = [float(_ROWS)] * (count + 1)
    columns = {"rows": rows, "actual/0": rows, "predicted/0": rows, "hits/0": [-_NUMBER * _ROWS] * (count + 1)}
    slices = {
        column: SliceSums(values=list(_texts(count, name)), folded=_ROWS, columns=columns)
        for column in spec.rule.slice_columns
    }
    return EvaluationBlocks(columns={"rows": [sum(rows)]}, slices=slices)


def _texts(count: int, most: int) -> list[str]:
    """So many texts, all as long as that."""
    return [f"{number:02}".ljust(most, longest.WORST) for number in range(count)]


def batch_manifest(largest: dict[str, Any], data: str, refusals: int) -> dict[str, Any]:
    """As many entries as there may be, of which `refusals` are refused at length; the others find shards at `data`."""
    most = longest.schema_bound(manifest.BatchManifest, "runs")
    small = {
        **{name: largest[name] for name in ("schema_version", "team")},
        "dataset": {**largest["dataset"], "target": "t"},
        "recipe": {"name": largest["recipe"]["name"]},
        "compute": {"nodes": manifest.NODES_MAX},
    }
    accepted, refused = (
        {**small, "dataset": {**small["dataset"], "source": {"type": "s3", "uri": uri}}}
        for uri in (data, f"{data}{REFUSED}/")
    )
    count = min(refusals, most)
    return {"schema_version": 1, "runs": [accepted] * (most - count) + [refused] * count}


def metrics(spec: RunSpec) -> Metrics:
    """Metrics with as many names, each as long, as the schema takes. Raises: longest.UnboundedError."""
    count = longest.schema_bound(Metrics, "test")
    name = longest.schema_bound(Metrics, "test", "{key}")
    rule = spec.rule
    wanted = [rule.metric, *(one.metric for one in rule.guardrails)]
    names = [*dict.fromkeys(wanted), *(f"{number:0{name}d}" for number in range(count))][:count]
    values = dict.fromkeys(names, _NUMBER)
    return Metrics(
        schema_version=1,
        run_id=spec.run_id,
        team=spec.team,
        recipe=spec.recipe.name,
        seed=spec.seed,
        dataset_version=spec.dataset.version,
        split_id=spec.split.id,
        rows={"train": 10**12},
        parameters=10**12,
        test=values,
        validation=values,
        baseline=values,
        published_at=NOW,
        duration_s=1e9,
        environment={},
    )

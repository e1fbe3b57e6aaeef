"""A small world for the use cases: two teams with files and data, and runs that ended."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes import FakeBus, FakeClock, FakeMetrics, FakeRegistry, FakeStore, FakeTable
from turbine.domain.run import RunReference
from turbine.domain.uri import parse
from turbine.usecases.prepare_training import PrepareTraining

DATA, ARTIFACTS, PREDICTIONS = "data", "artifacts", "predictions"

TEAM_FILE = """
team: {team}
recipe: {{name: image_classifier, hyperparameters: {{epochs: 8}}}}
dataset:
  name: digits
  source: {{type: s3, uri: "s3://data/datasets/{team}/digits/"}}
  format: parquet
  target: label
rule: {{name: min_delta, metric: accuracy, direction: maximize, min_delta: 0.005}}
budget: {{max_cost_usd_per_run: 60}}
"""


@dataclass
class World:
    """The fakes that a test's use cases share."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeStore = field(default_factory=FakeStore)
    table: FakeTable = field(default_factory=FakeTable)
    bus: FakeBus = field(default_factory=FakeBus)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    def __post_init__(self) -> None:
        self.registry = FakeRegistry(self.clock)

    def add_team(self, team: str, more: str = "") -> None:
        self.store[f"s3://data/config/teams/{team}.yaml"] = (TEAM_FILE.format(team=team) + more).encode()
        self.store[f"s3://data/datasets/{team}/digits/part-0.parquet"] = b"shard zero"
        self.store[f"s3://data/datasets/{team}/digits/part-1.parquet"] = b"shard one"

    def prepare(self) -> PrepareTraining:
        return PrepareTraining(DATA, ARTIFACTS, self.store, self.table, self.bus, self.clock)

    def drop(self, key: str, body: Any, sequencer: str = "01") -> dict[str, Any]:
        """Put a manifest and make the event that S3 sends for it."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.store[f"s3://data/{key}"] = raw
        return object_created(key, self.store.version_of(f"s3://data/{key}"), sequencer, len(raw))

    def spec_uri(self, run: dict[str, Any]) -> str:
        """Where a prepared run's spec lies, as the training machine puts it together."""
        return f"s3://artifacts/runs/{run['team']}/{run['run_id']}/run.json"

    def finished_run(
        self,
        team: str = "vision",
        test: dict[str, float] | None = None,
        *,
        name: str = "m",
        published: bool = True,
        versions: bool = False,
    ) -> RunReference:
        """Prepare a run and leave what its training job leaves; with `versions` its marker names them."""
        event = self.drop(f"manifests/{team}/{name}.json", manifest(team))
        (run,) = self.prepare()(event, "arn:execution")["runs"]
        spec = json.loads(self.store[self.spec_uri(run)])
        prefix = spec["output_uri"]
        measured = test or {"accuracy": 0.97, "log_loss": 0.1}
        files = {
            "metrics.json": json.dumps(metrics_document(spec, measured, self.clock())).encode(),
            "evaluation.parquet": b"rows",
            "model.tar.gz": f"archive of {run['run_id']}".encode(),
            "model/model.safetensors": b"weights",
            "model/config.json": b"{}",
        }
        for file, body in files.items():
            self.store[prefix + file] = body
        marker = {
            n: _entry(b) | ({"version_id": self.store.version_of(prefix + n)} if versions else {})
            for n, b in files.items()
        }
        self.store[f"{prefix}_SUCCESS"] = json.dumps({"fencing": 1, "files": marker}).encode()
        if published:
            for metric, value in measured.items():
                self.metrics.put(run["run_id"], f"test_{metric}", self.clock(), value)
        return RunReference(run_id=run["run_id"], team=team, spec_uri=self.spec_uri(run))

    def champion_measured(
        self,
        evaluation_uri: str,
        test: dict[str, float],
        *,
        obstacle: str | None = None,
        hits: list[float] | None = None,
    ) -> None:
        """Leave what the job `EvaluateChampion` leaves; `hits` are those of blocks of one row each."""
        spec = json.loads(self.store[evaluation_uri])
        champion, prefix = spec["champion"]["run_id"], spec["output_uri"]
        document = {
            "schema_version": 1,
            "run_id": spec["run_id"],
            "team": spec["team"],
            "champion_run_id": champion,
            "dataset_version": spec["dataset"]["version"],
            "split_id": spec["split"]["id"],
            "rows": {"test": 20},
            "test": test,
            "obstacle": obstacle,
            "published_at": self.clock().isoformat(),
        }
        files = {"metrics.json": document}
        if hits is not None:
            files["evaluation_blocks.json"] = {"schema_version": 1, "columns": {"rows": [1] * len(hits), "hits": hits}}
        for name, content in files.items():
            self.store[prefix + name] = json.dumps(content).encode()
        for name, value in test.items():
            self.metrics.put(f"{spec['run_id']}/{champion}", f"test_{name}", self.clock(), value)
        marker = {name: {"version_id": self.store.version_of(prefix + name)} for name in files}
        self.store.put_if_absent(parse(f"{prefix}_SUCCESS"), json.dumps({"files": marker}).encode())


def manifest(team: str = "vision", **changes: Any) -> dict[str, Any]:
    """A good manifest with top-level fields changed."""
    good = {
        "schema_version": 1,
        "team": team,
        "dataset": {
            "name": "digits",
            "source": {"type": "s3", "uri": f"s3://data/datasets/{team}/digits/"},
            "format": "parquet",
            "target": "label",
            "sha256": None,
        },
        "recipe": {"name": "image_classifier", "hyperparameters": {"epochs": 8}},
    }
    return good | changes


def metrics_document(spec: dict[str, Any], test: dict[str, float], published_at: datetime) -> dict[str, Any]:
    """`metrics.json` of a run."""
    return {
        "schema_version": 1,
        "run_id": spec["run_id"],
        "team": spec["team"],
        "recipe": spec["recipe"]["name"],
        "seed": spec["seed"],
        "dataset_version": spec["dataset"]["version"],
        "split_id": spec["split"]["id"],
        "rows": {"train": 65, "validation": 15, "test": 20},
        "parameters": 10,
        "test": test,
        "validation": test,
        "baseline": {"accuracy": 0.1, "log_loss": 2.3},
        "epochs": [],
        "started_at": "2026-11-23T20:00:00Z",
        "ended_at": "2026-11-23T20:00:03Z",
        "duration_s": 3.0,
        "published_at": published_at.isoformat(),
        "environment": {"python": "3.13", "torch": "2.13.0", "device": "cpu", "world_size": 1},
    }


def object_created(key: str, version_id: str, sequencer: str = "01", size: int = 1) -> dict[str, Any]:
    """S3's event on EventBridge."""
    return {
        "version": "0",
        "id": "e1",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": DATA},
            "object": {"key": key, "size": size, "etag": "0", "version-id": version_id, "sequencer": sequencer},
        },
    }


def _entry(body: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}

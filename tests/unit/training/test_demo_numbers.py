"""The demo's two rounds, trained for real: what examples/README.md says of them is what comes out."""

import json
from pathlib import Path
from string import Template
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.demo.datasets import DATASETS, build
from training import launcher
from turbine.domain import manifest, run, team
from turbine.domain.cause import ManifestCause
from turbine.domain.rules import RULES, Sample

ROOT = Path(__file__).parents[3]
DATA_BUCKET, ARTIFACT_BUCKET = "data", "artifacts"
TEAMS = [dataset.team for dataset in DATASETS]

# As in examples/README.md: baseline, first round, challenger, and what the team's rule says of the last.
EXPECTED = {
    "vision": (0.0897, 0.946, 0.984, "promote"),
    "oncology": (0.689, 0.0400, 0.157, "reject"),
    "endocrine": (69.5, 57.0, 57.16, "hold"),
    "winery": (1.112, 0.230, 0.0496, "promote"),
}


def expanded(path: Path) -> str:
    return Template(path.read_text()).substitute(DataBucket=DATA_BUCKET)


def first_round() -> dict[str, manifest.Manifest]:
    runs = manifest.parse_batch(json.loads(expanded(ROOT / "examples/first_round.json"))).runs
    return {entry["team"]: manifest.parse(entry, None, DATA_BUCKET) for entry in runs}


def challenger(name: str) -> manifest.Manifest:
    return manifest.parse(json.loads(expanded(ROOT / f"examples/challengers/{name}.json")), name, DATA_BUCKET)


def team_file(name: str) -> team.TeamFile:
    return team.parse(expanded(ROOT / f"config/teams/{name}.yaml").encode())


@pytest.mark.parametrize("name", TEAMS)
def test_a_scheduled_run_equals_the_first_round(name: str) -> None:
    scheduled = team.scheduled_manifest(team_file(name), DATA_BUCKET)
    assert scheduled.model_copy(update={"compute": first_round()[name].compute}) == first_round()[name]


def test_every_team_file_has_a_data_set_and_a_challenger() -> None:
    assert sorted(path.stem for path in (ROOT / "config/teams").glob("*.yaml")) == sorted(TEAMS)
    assert sorted(path.stem for path in (ROOT / "examples/challengers").glob("*.json")) == sorted(TEAMS)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    build(root)
    return root


def test_the_data_sets_are_the_same_bytes_every_time(datasets: Path, tmp_path: Path) -> None:
    build(tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == 13
    for path in written:
        assert (tmp_path / path).read_bytes() == (datasets / path).read_bytes(), path


def test_what_is_predicted_was_never_trained_on(datasets: Path) -> None:
    folder = datasets / "winery/wine"
    trained_on = {tuple(row.values())[:-1] for row in pq.read_table(folder / "v1").to_pylist()}
    lines = (folder / "unlabelled/part-0.jsonl").read_text().splitlines()
    unlabelled = {tuple(json.loads(line).values())[1:] for line in lines}
    assert len(lines) == len(unlabelled) == 18
    assert len(trained_on) == 178 - 18
    assert not unlabelled & trained_on


@pytest.mark.parametrize("name", TEAMS)
def test_both_rounds_end_as_the_readme_says(
    name: str, datasets: Path, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(first_round()[name], "1" * 64, datasets, bench, monkeypatch)
    second = trained(challenger(name), "2" * 64, datasets, bench, monkeypatch)
    rule = team_file(name).rule
    measured = (first["baseline"][rule.metric], first["test"][rule.metric], second["test"][rule.metric])
    assert measured == pytest.approx(EXPECTED[name][:3], rel=0.02)
    judge = RULES[rule.name]
    assert judge(rule, Sample(first["test"]), Sample(first["baseline"])).decision == "promote"
    assert judge(rule, Sample(second["test"]), Sample(first["test"])).decision == EXPECTED[name][3]


def trained(
    asked: manifest.Manifest, cause_key: str, datasets: Path, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The metrics.json of a run of the job itself on what `asked` points to."""
    source_key = asked.dataset.source.uri.removeprefix(f"s3://{DATA_BUCKET}/")
    run_id = f"{asked.team}-{cause_key[:12]}"
    spec = run.spec_of(
        asked,
        cause=ManifestCause(
            kind="manifest",
            key=cause_key,
            bucket=DATA_BUCKET,
            object_key="manifests/x.json",
            version_id="1",
            sequencer="1",
        ),
        run_id=run_id,
        shards=tuple(shards(datasets, source_key, bench)),
        source_key=source_key,
        rule=team_file(asked.team).rule,
        plan=None,
        nodes=1,
        artifact_bucket=ARTIFACT_BUCKET,
        created_at="2026-11-23T20:00:00Z",
    )
    prefix = run.run_prefix(asked.team, run_id)
    bench.s3.put_object(Bucket=ARTIFACT_BUCKET, Key=f"{prefix}run.json", Body=spec.model_dump_json().encode())
    monkeypatch.setenv(launcher.SPEC_VARIABLE, f"{spec.output_uri}run.json")
    assert launcher.main() == 0
    metrics: dict[str, Any] = json.loads(
        bench.s3.get_object(Bucket=ARTIFACT_BUCKET, Key=f"{prefix}metrics.json")["Body"].read()
    )
    return metrics


def shards(datasets: Path, source_key: str, bench: Any) -> list[run.Shard]:
    found = []
    for path in sorted((datasets / source_key.removeprefix("datasets/")).glob("*.parquet")):
        answer = bench.s3.put_object(Bucket=DATA_BUCKET, Key=source_key + path.name, Body=path.read_bytes())
        found.append(
            run.Shard(
                bucket=DATA_BUCKET,
                key=source_key + path.name,
                version_id=answer["VersionId"],
                etag=answer["ETag"].strip('"'),
                size_bytes=path.stat().st_size,
            )
        )
    return found

"""What the demo plays: four first models from one batch manifest, then a challenger of each team, all at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import drop_manifest, placeholders, threads
from cli.cloud import Cloud
from cli.demo.details import RunDetails, read_all
from cli.deployment import laptop
from cli.observe.drops import Drop
from cli.observe.follow import Ended, Follower
from cli.progress import ProgressView

BuildDatasets = Callable[[Path], object]
FIRST_ROUND = Path("examples/first_round.json")
CHALLENGERS = Path("examples/challengers")
_UPLOADS_AT_ONCE = 4


class Stopwatch:
    """Seconds by phase; the phases follow each other, so they add up to the whole."""

    def __init__(self) -> None:
        self.split_s: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.split_s[name] = self.split_s.get(name, 0.0) + time.monotonic() - started


def play(
    cloud: Cloud,
    project_dir: Path,
    data_dir: Path,
    *,
    build_datasets: BuildDatasets,
    seed: int | None,
    timeout_s: float,
    view: ProgressView,
    watch: Stopwatch,
) -> list[RunDetails]:
    """Deploy, play both rounds, and read what came of them.

    Raises: CommandError when a deployment fails or a round is not over after `timeout_s`.
    """
    with watch.phase("deploy"), threads.pool(1) as pool:
        building = pool.submit(build_datasets, data_dir)
        laptop.deploy(cloud, project_dir, view.phase)
        view.phase("uploading the data sets")
        building.result()
        upload(cloud, data_dir)
    follower = Follower(cloud, view)
    with watch.phase("round_one"):
        view.phase("round one: one batch manifest, four first models")
        first = follower.follow([_drop_first(cloud, project_dir, seed)], "round 1", timeout_s)
    with watch.phase("round_two"):
        view.phase("round two: four challengers at once")
        second = follower.follow(_drop_challengers(cloud, project_dir, seed), "round 2", timeout_s)
    with watch.phase("report"):
        view.phase("reading what the runs left")
        return read_all(cloud, [_sorted(first), _sorted(second)])


def upload(cloud: Cloud, data_dir: Path) -> None:
    """Put every file below `data_dir` under `datasets/`, a few at once."""
    s3, bucket = cloud.client("s3"), cloud.output("DataBucketName")

    def put(path: Path) -> None:
        s3.upload_file(str(path), bucket, f"datasets/{path.relative_to(data_dir).as_posix()}")

    with threads.pool(_UPLOADS_AT_ONCE) as pool:
        list(pool.map(put, sorted(path for path in data_dir.rglob("*") if path.is_file())))


def _drop_first(cloud: Cloud, project_dir: Path, seed: int | None) -> Drop:
    path = project_dir / FIRST_ROUND
    return drop_manifest.put_text(
        cloud, _text(cloud, path, seed), f"manifests/{drop_manifest.BATCH_FOLDER}/{path.name}"
    )


def _drop_challengers(cloud: Cloud, project_dir: Path, seed: int | None) -> list[Drop]:
    paths = sorted((project_dir / CHALLENGERS).glob("*.json"))
    texts = [(path, _text(cloud, path, seed)) for path in paths]
    return [drop_manifest.put_text(cloud, text, f"manifests/{path.stem}/{path.stem}.json") for path, text in texts]


def _text(cloud: Cloud, path: Path, seed: int | None) -> str:
    """A manifest of the examples, expanded, with another seed if one is asked for."""
    text = placeholders.expand(path.read_text(), cloud.outputs, place=str(path))
    if seed is None:
        return text
    document = json.loads(text)
    for manifest in document.get("runs", [document]):
        manifest["seed"] = seed
    return json.dumps(document, indent=2)


def _sorted(ended: list[Ended]) -> list[Ended]:
    return sorted(ended, key=lambda run: run.team)

"""The demo's four data sets, built from scikit-learn's real ones into Parquet shards.

A tenth of each set's rows, chosen by a fixed permutation, is kept away from training: written without
labels, it is what the promoted model predicts. The same versions of the libraries write the same bytes, so
the data set's version, and with it the split, is the same on every run of the demo.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

SHUFFLE_SEED = 2026
UNLABELLED_SHARE = 0.1
VERSION_FOLDER = "v1"
UNLABELLED_FOLDER = "unlabelled"


@dataclass(frozen=True)
class Table:
    """Shapes: `features` (n, f) float64 in the order of `names`; `labels` (n,)."""

    names: list[str]
    features: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class DemoDataset:
    """Where one team's data came from and how it is laid out."""

    team: str
    name: str
    target: str
    shards: int
    load: Callable[[], Table]


@dataclass(frozen=True)
class BuiltDataset:
    """`folder` holds `v1/*.parquet` and `unlabelled/part-0.jsonl`."""

    team: str
    name: str
    folder: Path
    labelled_rows: int
    unlabelled_rows: int


def _digits() -> Table:
    bunch = load_digits()
    names = [f"pixel_{position}" for position in range(bunch.data.shape[1])]
    return Table(names, bunch.data, bunch.target)


def _breast_cancer() -> Table:
    bunch = load_breast_cancer()
    return Table(_column_names(bunch.feature_names), bunch.data, bunch.target_names[bunch.target])


def _diabetes() -> Table:
    bunch = load_diabetes(scaled=False)
    return Table(_column_names(bunch.feature_names), bunch.data, bunch.target)


def _wine() -> Table:
    bunch = load_wine()
    return Table(_column_names(bunch.feature_names), bunch.data, bunch.target_names[bunch.target])


def _column_names(names: list[str]) -> list[str]:
    return [str(name).replace(" ", "_").replace("/", "_per_") for name in names]


DATASETS = (
    DemoDataset("vision", "digits", "label", 3, _digits),
    DemoDataset("oncology", "breast-cancer", "diagnosis", 2, _breast_cancer),
    DemoDataset("endocrine", "diabetes", "progression", 2, _diabetes),
    DemoDataset("winery", "wine", "cultivar", 2, _wine),
)


def build(root: Path) -> list[BuiltDataset]:
    """Write every data set below `root/<team>/<dataset>/`, as it goes below `s3://DataBucket/datasets/`."""
    return [build_one(dataset, root) for dataset in DATASETS]


def build_one(dataset: DemoDataset, root: Path) -> BuiltDataset:
    """Write one data set below `root/<team>/<dataset>/`."""
    folder = root / dataset.team / dataset.name
    table = dataset.load()
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(table.labels))
    unlabelled, labelled = np.split(order, [round(len(order) * UNLABELLED_SHARE)])
    _write_shards(table, labelled, dataset, folder / VERSION_FOLDER)
    _write_unlabelled(table, unlabelled, dataset, folder / UNLABELLED_FOLDER)
    return BuiltDataset(dataset.team, dataset.name, folder, len(labelled), len(unlabelled))


def _write_shards(table: Table, rows: np.ndarray, dataset: DemoDataset, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, shard_rows in enumerate(np.array_split(rows, dataset.shards)):
        columns = {name: table.features[shard_rows, position] for position, name in enumerate(table.names)}
        columns[dataset.target] = table.labels[shard_rows]
        pq.write_table(pa.table(columns), folder / f"part-{number}.parquet")


def _write_unlabelled(table: Table, rows: np.ndarray, dataset: DemoDataset, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "part-0.jsonl").open("w") as file:
        for row in rows:
            record = {
                "id": f"{dataset.name}-{row}",
                **dict(zip(table.names, table.features[row].tolist(), strict=True)),
            }
            file.write(json.dumps(record) + "\n")

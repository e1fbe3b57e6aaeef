"""Samples a second of batches from memory over the gather floor.

The floor is a bare loop of `index_select` over the same rows in the same batches, in an order that is there
beforehand; ours makes the orders, one an epoch. Both take turns in one process; the ratio is the median over pairs.

    python benchmarks/loader.py --json
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "batch_jobs"), str(ROOT)]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import torch  # noqa: E402

from benchmarks.local_shards import LocalShards, pin  # noqa: E402
from benchmarks.measure import arguments, median, publish, ratios, seconds, spread, take_turns  # noqa: E402
from training.data import Profile, open_training_data, profile_dataset  # noqa: E402
from training.spec import Dataset, Split  # noqa: E402
from training.tasks import Classification  # noqa: E402

CPU = torch.device("cpu")
SEED = 7


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    profile = _profile(given.rows, given.features)
    publish(_measure(profile, given.batch_size, given.pairs), given.json)


def _profile(rows: int, features: int) -> Profile:
    random = np.random.default_rng(SEED)
    numbers = pa.FixedSizeListArray.from_arrays(random.normal(size=rows * features).astype(np.float32), features)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part-0.parquet"
        pq.write_table(pa.table({"x": numbers, "class": random.integers(0, 10, rows)}), path)
        dataset = Dataset(name="d", version="v", format="parquet", target="class", shards=[pin(path)])
        split = Split(id="s", salt="salt", validation=0.1, test=0.1)
        profile = profile_dataset(dataset, split, LocalShards(), scales_inputs=True)
    assert profile.fits_in_memory
    return profile


def _measure(profile: Profile, batch_size: int, pairs: int) -> dict[str, Any]:
    task = Classification.fit(profile.labels, "class")
    data = open_training_data(profile, task, batch_size, SEED, rank=0, size=1, device=CPU, resident=True)
    features, targets = _tensors(profile, task)
    rows = len(targets)
    epochs = range(pairs + 1)
    orders = iter([torch.from_numpy(np.random.default_rng([SEED, epoch]).permutation(rows)) for epoch in epochs])
    epoch_numbers = iter(epochs)

    def floor() -> None:
        for batch in next(orders).split(batch_size):
            features.index_select(0, batch)
            targets.index_select(0, batch)

    def ours() -> None:
        for _ in data.batches(next(epoch_numbers)):
            pass

    seconds(floor), seconds(ours)  # the first turn touches the memory for the first time
    floor_s, ours_s = take_turns(pairs, lambda: seconds(floor), lambda: seconds(ours))
    over = ratios(floor_s, ours_s)  # samples a second go as one over the time
    return {
        "loader_over_gather": median(over),
        "loader_over_gather_quartiles": spread(over),
        "samples_per_s": median([rows / took for took in ours_s]),
        "gather_samples_per_s": median([rows / took for took in floor_s]),
        "pairs": pairs,
        "rows": rows,
        "features": features.shape[1],
        "batch_size": batch_size,
    }


def _tensors(profile: Profile, task: Classification) -> tuple[torch.Tensor, torch.Tensor]:
    """The train split, as whoever has it in memory anyway. Shapes: (n, f) float32, (n,) int64."""
    blocks = list(profile.held_out("train"))
    features = np.concatenate([profile.normalisation.apply(block.features) for block in blocks])
    return torch.from_numpy(features), torch.from_numpy(np.concatenate([task.encode(block.labels) for block in blocks]))


if __name__ == "__main__":
    main()

"""Trains on data larger than memory, and shows that what the job takes does not grow with the data.

Synthetic data sets of several sizes go to an S3 on a loopback port (moto, in a process of its own). Of each, the
training command runs in a fresh process, from the run spec to its _SUCCESS, with a memory budget for data far below
the data's size: profile, one epoch, validation, export, evaluation. Its peak is the kernel's ru_maxrss, beside that
of a run whose data are next to nothing. Nothing is left on the disk.

    python benchmarks/large_data.py --json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "batch_jobs"), str(ROOT)]

from benchmarks.loopback_aws import BUCKET, FEATURES, loopback_aws, put_run, put_shard  # noqa: E402
from benchmarks.measure import arguments, publish  # noqa: E402
from training.data.cache import FOLDER_VARIABLE, LIMIT_VARIABLE  # noqa: E402
from training.data.memory import BUDGET_VARIABLE  # noqa: E402

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

HYPERPARAMETERS = {"epochs": 1, "batch_size": 1024, "hidden": [64]}
SHARD_ROWS = 160_000  # about 42 MB
BASELINE_ROWS = 2_000
GIGABYTE, MEGABYTE = 10**9, 10**6


@dataclass(frozen=True)
class Trained:
    """What one run of the job took."""

    data_bytes: int
    train_rows: int
    peak_bytes: int
    wall_s: float
    profile_s: float
    epoch_s: float


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.5, 2.0])
    parser.add_argument("--budget-mb", type=int, default=256, help="memory for data")
    parser.add_argument("--cache-mb", type=int, default=600, help="disk for shards: less than the data, so some go")
    given = parser.parse_args()
    with loopback_aws() as s3:
        baseline = _trained(s3, [BASELINE_ROWS], given.budget_mb, given.cache_mb)
        runs = [_trained(s3, _shards_of(size), given.budget_mb, given.cache_mb) for size in given.gigabytes]
    publish(_results(baseline, runs, given.budget_mb), given.json)


def _results(baseline: Trained, runs: list[Trained], budget_mb: int) -> dict[str, Any]:
    small, large = runs[0], runs[-1]
    return {
        "peak_rss_mb": round(large.peak_bytes / MEGABYTE),
        "peak_large_over_small": round(large.peak_bytes / small.peak_bytes, 3),
        "data_large_over_small": round(large.data_bytes / small.data_bytes, 3),
        "baseline_rss_mb": round(baseline.peak_bytes / MEGABYTE),
        "budget_mb": budget_mb,
        "samples_per_s": round(large.train_rows / large.epoch_s),
        "profile_mb_per_s": round(large.data_bytes / MEGABYTE / large.profile_s),
        "runs": [
            {
                "data_mb": round(run.data_bytes / MEGABYTE),
                "train_rows": run.train_rows,
                "peak_rss_mb": round(run.peak_bytes / MEGABYTE),
                "over_baseline_mb": round((run.peak_bytes - baseline.peak_bytes) / MEGABYTE),
                "profile_s": round(run.profile_s, 1),
                "epoch_s": round(run.epoch_s, 1),
                "wall_s": round(run.wall_s, 1),
            }
            for run in runs
        ],
    }


def _shards_of(gigabytes: float) -> list[int]:
    """The rows of each shard of a data set of about that size."""
    return [SHARD_ROWS] * max(1, round(gigabytes * GIGABYTE / (SHARD_ROWS * (FEATURES * 4 + 1))))


def _trained(s3: "S3Client", shard_rows: list[int], budget_mb: int, cache_mb: int) -> Trained:
    run_id = f"bench-{sum(shard_rows)}"
    shards = [put_shard(s3, f"{run_id}/{number}.parquet", number, rows) for number, rows in enumerate(shard_rows)]
    variables = put_run(s3, run_id, shards, HYPERPARAMETERS)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **variables,
            BUDGET_VARIABLE: str(budget_mb * 2**20),
            FOLDER_VARIABLE: f"{folder}/cache",
            LIMIT_VARIABLE: str(cache_mb * MEGABYTE),
            "TURBINE_SCRATCH_DIR": folder,
        }
        events, peak_bytes = _run_job(environment)
    for shard in shards:
        s3.delete_object(Bucket=BUCKET, Key=shard["key"])
    at = {name: when for name, (when, _) in events.items()}
    return Trained(
        data_bytes=sum(shard["size_bytes"] for shard in shards),
        train_rows=events["data_loaded"][1]["rows"]["train"],
        peak_bytes=peak_bytes,
        wall_s=at["finished"] - at["started"],
        profile_s=at["data_loaded"] - at["started"],
        epoch_s=at["epoch"] - at["data_loaded"],
    )


def _run_job(environment: dict[str, str]) -> tuple[dict[str, tuple[float, dict[str, Any]]], int]:
    """The training command's log, the last line of each event with the time it came at, and its peak resident bytes."""
    job = subprocess.Popen([sys.executable, "-m", "training"], env=environment, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    events = {}
    for line in job.stdout:
        fields = json.loads(line)
        events[fields["event"]] = (time.monotonic(), fields)
    _, status, usage = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode:
        raise SystemExit(f"the job ended with {job.returncode}: {events.get('failed')}")
    return events, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()

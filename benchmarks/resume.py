"""Kills training jobs at random and compares how their runs end with how they end undisturbed.

Each run is the training command of the image against an AWS on a loopback port, killed at least once and started
again, as Batch's next attempt would be, until it is finished. Every tenth run trains in three processes, and another
tenth in two. SIGKILL takes the launcher and its workers at once, as a lost host does; SIGTERM goes to the launcher
alone. After half of the kills the local disk is gone too. A kill counts only after at least one step beyond start or
resume. A third of the runs are killed once more after their last step, while they export or publish; who has finished
by then was not killed.

    bit_equal               runs whose weights are those of the undisturbed run, byte for byte
    max_lost_over_interval  the most steps done again after a kill, over checkpoint interval + steps in one commit + 1
    inside_commit           share of the kills at which a checkpoint was being written or uploaded: at the moment of
                            the kill the job stands still, and what is on its disk but not complete in S3 counts
    after_last_step         how many of the kills came after the last step
    controls                the same resume without the generators' states, and without the place in the data's
                            order: how many of so many runs ended with equal weights all the same

    python benchmarks/resume.py --kills 50 --json
"""

import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "batch_jobs"), str(ROOT)]

import boto3  # noqa: E402

from benchmarks.killed_job import BETWEEN_COMMITS, SCRATCH_VARIABLE, Attempt, LastWord, Order, run_attempt  # noqa: E402
from benchmarks.loopback_aws import BUCKET, loopback_aws, put_run, put_shard  # noqa: E402
from benchmarks.measure import arguments, median, publish  # noqa: E402
from training import errors  # noqa: E402
from training.data.cache import FOLDER_VARIABLE  # noqa: E402
from training.lease import TABLE_VARIABLE  # noqa: E402

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

TABLE = "training"
ROWS, BATCH_SIZE, EPOCHS = 8_192, 128, 8
INTERVAL_STEPS = 40  # not a divisor of an epoch's steps: checkpoints fall at many places in the data's order
HYPERPARAMETERS = {
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "hidden": [512, 512, 512],
    "dropout": 0.2,
    "max_gradient_norm": 1.0,
    "log_every_steps": 1,
}
KILLS_A_RUN, WEIGHTS = (1, 2, 3), (6, 3, 1)
SHARE_KILLED_LATE = 1 / 3
LATE: tuple[LastWord, ...] = ("epoch", "evaluated")
PROCESSES = {4: 2, 9: 3}  # by the last digit of a run's number
RUNS_A_CONTROL = 3
CONTROLS = ("generators", "place")
EXIT_CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: errors.INTERRUPTED}


@dataclass
class Run:
    """One run and all its attempts; `sha256` is that of its weights."""

    run_id: str
    processes: int
    attempts: list[Attempt] = field(default_factory=list)
    sha256: str = ""

    @property
    def killed(self) -> list[tuple[Attempt, int]]:
        """The attempts that were killed, each with how many of its steps the next one did again."""
        pairs = zip(self.attempts, self.attempts[1:], strict=False)
        return [(before, before.last_step - after.resumed_at) for before, after in pairs if before.killed]

    @property
    def lost_over_interval(self) -> float:
        """The worst of its kills. Work goes on during a commit, and is lost with it: the longest one that ended."""
        commit = max((steps for attempt in self.attempts for steps in attempt.commits), default=0)
        return max((lost / (INTERVAL_STEPS + commit + 1) for _, lost in self.killed), default=0.0)


class Bench:
    """Runs of one data set, each with a host of its own: a folder for its disk."""

    def __init__(self, s3: "S3Client", folder: Path) -> None:
        self._s3 = s3
        self._folder = folder
        self._shards = [put_shard(s3, f"shards/{number}.parquet", number, ROWS // 4) for number in range(4)]

    def run(self, run_id: str, processes: int, orders: Iterable[Order] = (), forgotten: str | None = None) -> Run:
        """Start attempt after attempt until the run is finished, killing each as the next of `orders` says.

        Raises: SystemExit when an attempt ends in another way than it should.
        """
        compute = {"processes_per_node": processes, "checkpoint_every_steps": INTERVAL_STEPS}
        variables = put_run(self._s3, run_id, self._shards, HYPERPARAMETERS, compute)
        output_uri, host = f"s3://{BUCKET}/runs/bench/{run_id}/", self._folder / run_id
        variables |= {
            TABLE_VARIABLE: TABLE,
            "AWS_BATCH_JOB_ID": f"job-{run_id}",
            SCRATCH_VARIABLE: str(host),
            FOLDER_VARIABLE: str(host / "cache"),
        }
        run = Run(run_id, processes)
        for order in (*orders, None):
            host.mkdir(exist_ok=True)
            variables["AWS_BATCH_JOB_ATTEMPT"] = str(len(run.attempts) + 1)
            attempt = run_attempt(self._s3, variables, output_uri, order, forgotten)
            run.attempts.append(attempt)
            expected = EXIT_CODES[attempt.killed] if attempt.killed else errors.FINISHED
            was_late = order is not None and order.after is not None and attempt.killed is None
            if attempt.exit_code != expected or (order is not None) != (attempt.killed is not None or was_late):
                raise SystemExit(f"{run_id}: {attempt}, expected exit code {expected}")
            if was_late:
                break
            if order is not None and order.dice.random() < 0.5:
                shutil.rmtree(host)
        weights = self._s3.get_object(Bucket=BUCKET, Key=f"runs/bench/{run_id}/model/model.safetensors")["Body"]
        run.sha256 = hashlib.sha256(weights.read()).hexdigest()
        return run


def measure(kills: int, seed: int, at_once: int, bench: Bench) -> dict[str, Any]:
    dice = random.Random(seed)
    undisturbed = {processes: bench.run(f"whole-{processes}", processes) for processes in (1, 2, 3)}
    last_step = undisturbed[1].attempts[0].last_step

    def killed(number: int) -> Run:
        mine = random.Random(f"{seed}-{number}")  # its own: runs beside each other would share one in any order
        (count,) = mine.choices(KILLS_A_RUN, WEIGHTS)
        orders = [Order(mine.choice(tuple(EXIT_CODES)), last_step, mine) for _ in range(count)]
        if mine.random() < SHARE_KILLED_LATE:
            orders.append(Order(mine.choice(tuple(EXIT_CODES)), last_step, mine, mine.choice(LATE)))
        run = bench.run(f"killed-{number}", PROCESSES.get(number % 10, 1), orders)
        told = (
            f"{attempt.killed!r} at step {attempt.last_step}, {attempt.phase}, {lost} lost"
            for attempt, lost in run.killed
        )
        print(f"{run.run_id}: {'; '.join(told)}", file=sys.stderr)
        return run

    with ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(killed, range(kills)))
    return {
        "kills": sum(bool(run.killed) for run in runs),
        "bit_equal": sum(run.sha256 == undisturbed[run.processes].sha256 for run in runs),
        "max_lost_over_interval": round(max(run.lost_over_interval for run in runs), 3),
        **_describe(runs),
        "steps_of_a_run": last_step,
        "seed": seed,
        "controls": _controls(bench, undisturbed[1], dice),
    }


def _describe(runs: list[Run]) -> dict[str, Any]:
    killed = [kill for run in runs for kill in run.killed]
    by_signal = {number.name: [lost for attempt, lost in killed if attempt.killed == number] for number in EXIT_CODES}
    commits = [steps for run in runs for attempt in run.attempts for steps in attempt.commits]
    return {
        "kills_in_all": len(killed),
        "inside_commit": round(sum(attempt.phase != BETWEEN_COMMITS for attempt, _ in killed) / len(killed), 3),
        "after_last_step": sum(attempt.after is not None for attempt, _ in killed),
        "phases": dict(Counter(attempt.phase for attempt, _ in killed)),
        "lost_steps": {
            name: {"kills": len(lost), "median": median(lost), "max": max(lost)}
            for name, lost in by_signal.items()
            if lost
        },
        "interval_steps": INTERVAL_STEPS,
        "commit_steps": {"median": median(commits), "max": max(commits)},
    }


def _controls(bench: Bench, undisturbed: Run, dice: random.Random) -> dict[str, str]:
    """A resume that forgets something must be seen to end otherwise, or equal bits would prove nothing."""
    order = Order(signal.SIGTERM, undisturbed.attempts[0].last_step, dice)
    equal = {}
    for forgotten in CONTROLS:
        runs = [bench.run(f"without-{forgotten}-{number}", 1, [order], forgotten) for number in range(RUNS_A_CONTROL)]
        equal[f"without_{forgotten}"] = f"{sum(run.sha256 == undisturbed.sha256 for run in runs)} of {len(runs)}"
    return equal


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="runs, each killed at least once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="runs beside each other")
    given = parser.parse_args()
    with loopback_aws() as s3, tempfile.TemporaryDirectory() as folder:
        os.environ["OMP_NUM_THREADS"] = "1"
        boto3.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        results = measure(given.kills, given.seed, given.at_once, Bench(s3, Path(folder)))
    publish(results, given.json)
    proves_nothing = [name for name, equal in results["controls"].items() if not equal.startswith("0 of")]
    if results["bit_equal"] < results["kills"] or results["kills"] < given.kills or proves_nothing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""Four teams' runs, from manifests to predictions, while the embedded cloud is killed again and again.

`python -m tests.faults.team_runs --runs 6 --kills 5 --seed 1`: one undisturbed run, then disturbed ones. In each the
cloud gets kill -9 at moments spread over it, one host with a job at work is reclaimed, and `turbine local up` brings
the cloud back. Every run must end once, no epoch may be trained twice, and everything that came of it must equal what
came of the undisturbed one. Prints one JSON object; exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import drop_manifest, placeholders
from cli.cloud import DEFAULT_STACK, Cloud
from cli.demo import datasets
from cli.demo.scenario import FIRST_ROUND, upload
from cli.embedded import state
from tests.scenarios.conftest import ROOT, turbine
from tests.scenarios.live_cloud import LiveCloud, wait_for
from tests.scenarios.training_jobs import jobs_of

TEAMS = 4
EPOCHS_TIMES = 6  # the demo's jobs are over too soon to be disturbed
LIMIT_S = 300


@dataclass(frozen=True)
class Came:
    """What came of the runs, by team: equal between two plays if nothing was lost and nothing done twice."""

    results: dict[str, dict[str, Any]]
    kills: int
    reclaimed: int
    wall_s: float


class Play:
    """Four runs on a cloud of their own, in `folder`."""

    def __init__(self, folder: Path, seed: int, epochs_times: int = EPOCHS_TIMES) -> None:
        self.state_dir = folder / "state"
        self._random = random.Random(seed)
        self._epochs_times = epochs_times

    def play(self, kills: int, data: Path) -> Came:
        """Drop, disturb, and wait for the end. Raises: AssertionError for anything that was not done once."""
        started_s = time.monotonic()
        with self._cloud():
            self._drop(data)
            reclaimed = 0
            for number in range(kills):
                time.sleep(self._random.uniform(0.2, 5.0))
                if number == kills // 2:
                    reclaimed = self._reclaim()
                self._kill()
                self._up("--empty")
            live = self._live()
            wait_for(lambda: _is_over(live) or None, "the end of the four runs", LIMIT_S)
            results = {run["team"]: _result(live, run) for run in live.of_kind("run")}
            assert len(live.of_kind("run")) == len(results) == TEAMS
            return Came(results, kills, reclaimed, round(time.monotonic() - started_s, 1))

    @contextlib.contextmanager
    def _cloud(self) -> Iterator[None]:
        try:
            self._up()
            yield
        finally:
            turbine("local", "down", "--state-dir", str(self.state_dir))

    def _up(self, *more: str) -> None:
        done = turbine("local", "up", "--state-dir", str(self.state_dir), *more)
        assert done.returncode == 0, done.stderr[-3000:]

    def _kill(self) -> None:
        running = state.read(self.state_dir)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        wait_for(lambda: None if running.answers() else True, "the death of the cloud")

    def _reclaim(self) -> int:
        """Take the host of a job that is at work away, if there is one; how many were taken."""
        done = turbine("local", "hosts", "--state-dir", str(self.state_dir), "--json")
        hosts = [host["instanceId"] for host in json.loads(done.stdout)["hosts"] if host["isSpot"]]
        if not hosts:
            return 0
        arguments = (self._random.choice(hosts), "--notice", "5", "--state-dir", str(self.state_dir))
        return int(turbine("local", "reclaim", *arguments).returncode == 0)

    def _drop(self, data: Path) -> None:
        running = state.read(self.state_dir)
        assert running is not None
        cloud = Cloud.explicit(running.credentials, DEFAULT_STACK)
        upload(cloud, data)
        document = json.loads(placeholders.expand((ROOT / FIRST_ROUND).read_text(), cloud.outputs, place="first round"))
        for manifest in document["runs"]:
            manifest["recipe"]["hyperparameters"]["epochs"] *= self._epochs_times
        drop_manifest.put_text(cloud, json.dumps(document), "manifests/_batch/first_round.json")

    def _live(self) -> LiveCloud:
        running = state.read(self.state_dir)
        assert running is not None
        keys = running.credentials
        return LiveCloud(
            {
                "AWS_ENDPOINT_URL": running.endpoint,
                "AWS_ACCESS_KEY_ID": keys.access_key_id,
                "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
                "AWS_DEFAULT_REGION": running.region,
            }
        )


def _is_over(cloud: LiveCloud) -> bool:
    """Whether every run has its outcome, and a promoted one its predictions."""
    runs = cloud.of_kind("run")
    return len(runs) == TEAMS and all(_ended(cloud, run) for run in runs)


def _ended(cloud: LiveCloud, run: dict[str, Any]) -> bool:
    outcome = cloud.item(f"RUN#{run['run_id']}", "OUTCOME")
    if outcome is None:
        return False
    assert outcome["status"] == "SUCCEEDED", outcome
    return outcome["decision"] != "promoted" or bool(_predictions(cloud, run["team"]))


def _predictions(cloud: LiveCloud, team: str) -> str:
    """The digest of the published predictions; empty while there are none."""
    bucket = cloud.outputs["PredictionBucketName"]
    keys = cloud.keys(f"s3://{bucket}/predictions/{team}/")
    if not any(key.endswith("_SUCCESS") for key in keys):
        return ""
    lines = [cloud.read(f"s3://{bucket}/{key}") for key in sorted(keys) if key.endswith(".out")]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _result(cloud: LiveCloud, run: dict[str, Any]) -> dict[str, Any]:
    """What came of a run. Raises: AssertionError for what was done twice."""
    team, run_id = run["team"], run["run_id"]
    epochs = Counter(_epochs(cloud, run_id))
    assert epochs and set(epochs.values()) == {1}, f"{run_id} trained epochs twice: {epochs}"
    assert sorted(epochs) == list(range(1, len(epochs) + 1)), f"{run_id} left epochs out: {sorted(epochs)}"
    packages = cloud.client("sagemaker").list_model_packages(ModelPackageGroupName=f"turbine-{team}")
    approvals = [package["ModelApprovalStatus"] for package in packages["ModelPackageSummaryList"]]
    history = [number for number in range(1, 9) if cloud.item(f"TEAM#{team}", f"CHAMPION#{number:08d}")]
    files = cloud.read_json(cloud.run_uri(team, run_id, "_SUCCESS"))["files"]
    return {
        "epochs": len(epochs),
        "test": cloud.read_json(cloud.run_uri(team, run_id, "metrics.json"))["test"],
        "weights": files["model/model.safetensors"]["sha256"],
        "decision": (cloud.item(f"RUN#{run_id}", "OUTCOME") or {})["decision"],
        "approvals": approvals,
        "champions": history,
        "predictions": _predictions(cloud, team),
    }


def _epochs(cloud: LiveCloud, run_id: str) -> Iterator[int]:
    """The numbers of the epochs that the run's jobs report, in every attempt."""
    logs = cloud.client("logs")
    for job in jobs_of(cloud, run_id):
        (described,) = cloud.client("batch").describe_jobs(jobs=[job["jobId"]])["jobs"]
        for attempt in described["attempts"]:
            page = logs.get_log_events(
                logGroupName=cloud.outputs["JobLogGroupName"],
                logStreamName=attempt["container"]["logStreamName"],
                startFromHead=True,
            )
            lines = [event["message"] for event in page["events"] if event["message"].startswith("{")]
            yield from (event["epoch"] for event in map(json.loads, lines) if event["event"] == "epoch")


def main() -> int:
    """Play, compare and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.team_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/team_runs"))
    given = parser.parse_args()
    folder = given.folder.resolve()
    data = folder / "datasets"
    datasets.build(data)
    undisturbed = Play(folder / f"{given.seed}-undisturbed-{os.getpid()}", 0).play(0, data)
    print(f"undisturbed: {undisturbed.wall_s} s", file=sys.stderr, flush=True)
    played = []
    for number in range(given.runs):
        seed = given.seed * 1000 + number
        came = Play(folder / f"{seed}-{os.getpid()}", seed).play(given.kills, data)
        is_equal = came.results == undisturbed.results
        told = {
            "seed": seed,
            "kills": came.kills,
            "reclaimed": came.reclaimed,
            "equal": is_equal,
            "wall_s": came.wall_s,
        }
        print(json.dumps(told), file=sys.stderr, flush=True)
        played.append(told)
        if not is_equal:
            print(json.dumps([came.results, undisturbed.results], indent=1), file=sys.stderr, flush=True)
    print(json.dumps({"undisturbed": undisturbed.results, "runs": played}))
    return 0 if all(one["equal"] for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())

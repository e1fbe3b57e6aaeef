"""A run's checkpoints on an S3 in this process and a disk of the test's own."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.training.conftest import ARTIFACT_BUCKET, OUTPUT_URI, Workbench
from training.checkpoint import Checkpoints

PREFIX = OUTPUT_URI.removeprefix(f"s3://{ARTIFACT_BUCKET}/") + "checkpoints/"
FINGERPRINT = {"recipe": "tabular_classifier", "dataset_version": "feed"}
PATIENCE_S = 60.0


def state(step: int) -> dict[str, Tensor]:
    """Another one for each step."""
    return {"weight": torch.full((3, 2), float(step)), "step": torch.tensor(step)}


class Job:
    """The checkpoints of one holder of the lease; each host has its disk."""

    def __init__(self, bench: Workbench, folder: Path, fencing: int, fingerprint: dict[str, str]) -> None:
        self.checkpoints = Checkpoints(bench.s3, OUTPUT_URI, folder, fingerprint, fencing)

    def save(self, *steps: int) -> None:
        for step in steps:
            assert self.checkpoints.save(step, state(step), {"epoch": step})
            self.checkpoints.wait(PATIENCE_S)

    def newest_step(self) -> int | None:
        """Of the newest checkpoint, which is whole."""
        snapshot = self.checkpoints.newest()
        if snapshot is None:
            return None
        assert all(torch.equal(tensor, state(snapshot.step)[name]) for name, tensor in snapshot.tensors.items())
        assert snapshot.facts == {"epoch": snapshot.step}
        return snapshot.step


class Run:
    """One run, its jobs and what is left in S3."""

    def __init__(self, bench: Workbench, folder: Path) -> None:
        self.s3 = bench.s3
        self._bench = bench
        self._folder = folder
        self._hosts = 0

    def job(self, fencing: int, host: str | None = None, fingerprint: dict[str, str] = FINGERPRINT) -> Job:
        """On a host of its own, if none is named."""
        self._hosts += 1
        return Job(self._bench, self._folder / (host or f"host-{self._hosts}"), fencing, fingerprint)

    def local_file(self, host: str, name: str) -> Path:
        return self._folder / host / ARTIFACT_BUCKET / PREFIX.removesuffix("checkpoints/") / name

    def files(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=ARTIFACT_BUCKET, Prefix=PREFIX)
        return [entry["Key"].removeprefix(PREFIX) for entry in listed.get("Contents", [])]

    def read(self, name: str) -> bytes:
        return self.s3.get_object(Bucket=ARTIFACT_BUCKET, Key=PREFIX + name)["Body"].read()

    def write(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=ARTIFACT_BUCKET, Key=PREFIX + name, Body=body)

    def delete(self, name: str) -> None:
        self.s3.delete_object(Bucket=ARTIFACT_BUCKET, Key=PREFIX + name)


@pytest.fixture
def run(bench: Workbench, tmp_path: Path) -> Run:
    return Run(bench, tmp_path)


class Log:
    """The lines of the job's log so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._lines: list[dict[str, Any]] = []

    def lines(self, event: str) -> list[dict[str, Any]]:
        self._lines += [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return [line for line in self._lines if line["event"] == event]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)

"""Four teams' first runs on a cloud that is killed twice meanwhile: once each, and as good as the demo's.

A share of `python -m tests.faults.team_runs`, which kills more often and compares more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.demo import datasets
from tests.faults.team_runs import Play
from tests.scenarios.conftest import KeptDemo

pytestmark = pytest.mark.xdist_group("scenarios")


def test_each_run_ends_once_and_as_undisturbed(demo: KeptDemo, tmp_path: Path) -> None:
    data = tmp_path / "datasets"
    datasets.build(data)
    came = Play(tmp_path, seed=7, epochs_times=1).play(2, data)
    undisturbed = {run["team"]: run for run in demo.runs(round=1)}
    assert came.results.keys() == undisturbed.keys()
    for team, result in came.results.items():
        assert result["test"] == undisturbed[team]["metrics"], team
        assert (result["decision"], result["approvals"], result["champions"]) == ("promoted", ["Approved"], [1])
        assert result["predictions"]

"""A benchmark that others rely on prints what they were promised, here at its smallest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROMISED = {
    *("ours_s", "floor_s", "over_floor", "metaflow_s", "metaflow_over_ours", "cold_s", "torch_warm_s"),
    "torch_cold_over_warm",
}
SMALLEST = ("--pairs", "2", "--cold-turns", "1", "--torch-turns", "0")


def printed(name: str, *options: str) -> dict[str, Any]:
    """The one object that a benchmark prints."""
    command = [sys.executable, str(ROOT / f"benchmarks/{name}.py"), "--json", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_the_imports_benchmark_measures_a_function_over_its_floor() -> None:
    results = printed("imports", "--function", "close_inference", "--pairs", "2")
    assert results["functions"].keys() == {"close_inference"}
    assert results["cpu_s"]["close_inference"] > 0 and results["floor_cpu_s"]["close_inference"] > 0


def test_the_orchestration_benchmark_prints_its_keys() -> None:
    results = printed("orchestration", *SMALLEST)
    assert results.keys() >= PROMISED
    assert min(results[name] for name in ("ours_s", "floor_s", "over_floor", "cold_s")) > 0
    # What was not measured is not made up.
    assert [results[name] for name in ("metaflow_s", "metaflow_over_ours", "torch_warm_s")] == [None] * 3

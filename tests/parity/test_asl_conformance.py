"""State machines answer as AWS did: the recorded cases beside this project, run as their README says.

The cases stay where they are, outside of this project; where they are not, this is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "asl-conformance"
LEAST_RATE = 0.98
LEAST_MEAN_OF_AREAS = 0.93
LIMIT_S = 240

pytestmark = pytest.mark.skipif(
    not (CORPUS / "public.jsonl").exists(),
    reason="the recorded cases are not beside this checkout: ../shared/asl-conformance/public.jsonl",
)


@pytest.fixture(scope="module")
def summary(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the recorded cases' own runner says of the running cloud."""
    result = tmp_path_factory.mktemp("asl") / "result.json"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": f"LOCALKEY{cloud['account_id']}",
        "AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"],
        "AWS_DEFAULT_REGION": cloud["region"],
    }
    command = [sys.executable, str(CORPUS / "run.py"), str(CORPUS / "public.jsonl"), "--workers", "4"]
    subprocess.run([*command, "--json", str(result)], env=environment, check=True, timeout=LIMIT_S)
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def test_the_recorded_cases_pass(summary: dict[str, Any]) -> None:
    missed = "\n".join(f"{miss['id']}: {miss['verdict']}" for miss in summary["misses"])
    assert summary["rate"] >= LEAST_RATE, missed
    assert summary["mean_of_areas"] >= LEAST_MEAN_OF_AREAS, missed


def test_nothing_succeeds_that_failed_on_aws(summary: dict[str, Any]) -> None:
    assert summary["false_success"] == 0

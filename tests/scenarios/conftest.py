"""One demonstration, kept running: every scenario looks into it or adds to it.

`TARGET=aws` runs the scenarios that need no demo against the stack that the standard AWS variables point at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.check.iam import usage
from tests.scenarios.accesses import Accesses
from tests.scenarios.live_cloud import LiveCloud

ROOT = Path(__file__).parents[2]
STRICTNESS = {"TURBINE_LOCAL_STRICT": os.environ.get("TURBINE_TEST_STRICT", "1")}
"""All scenarios run with IAM deciding what roles may do; `TURBINE_TEST_STRICT=0` leaves it out."""
WITNESSES = ROOT / "build/iam/witnesses.json"
NEEDED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@dataclass(frozen=True)
class KeptDemo:
    """What `turbine demo --json --keep` printed, and the cloud it left running.

    `asked`: what roles were allowed and denied until then. `accesses`: the same, growing.
    """

    cloud: LiveCloud
    printed: dict[str, Any]
    report: Path
    asked: list[dict[str, Any]]
    accesses: Accesses

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """The demo's runs whose fields equal `wanted`."""
        return [run for run in self.printed["runs"] if all(run[name] == value for name, value in wanted.items())]


def turbine(
    *arguments: str, environment: dict[str, str] | None = None, limit_s: float = 280
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, from the project's root."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core'}",
            "NO_COLOR": "1",
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptDemo]:
    if "PYTEST_XDIST_WORKER" in os.environ:  # two workers with a demo each would fill the machine and share nothing
        assert "@scenarios" in os.environ["PYTEST_CURRENT_TEST"], "xdist does not keep the group together"
    state_dir = tmp_path_factory.mktemp("demo") / "state"
    report = state_dir.parent / "report.html"
    done = turbine(
        *("demo", "--json", "--keep", "--state-dir", str(state_dir), "--report", str(report)), environment=STRICTNESS
    )
    try:
        assert done.returncode == 0, done.stderr[-6000:]
        exports = turbine("local", "env", "--state-dir", str(state_dir)).stdout
        environment = dict(
            line.removeprefix("export ").partition("=")[::2]
            for line in exports.splitlines()
            if line.startswith("export ")
        )
        environment = {name: value.strip("'\"") for name, value in environment.items()}
        assert environment.keys() >= set(NEEDED)
        accesses = Accesses(state_dir / usage.LEDGER, usage.granted(ROOT))
        asked = accesses.news("the demo")
        yield KeptDemo(LiveCloud(environment), json.loads(done.stdout), report, asked, accesses)
        accesses.write(WITNESSES)
    finally:
        turbine("local", "down", "--state-dir", str(state_dir))


@pytest.fixture(autouse=True)
def nothing_is_denied(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test in which a role is denied something fails, unless it says by `denials_expected` that it is about that."""
    if "demo" not in request.fixturenames:
        yield
        return
    demo: KeptDemo = request.getfixturevalue("demo")
    yield
    came = demo.accesses.news(request.node.nodeid.rpartition("/")[2].partition("@")[0])  # xdist adds the group
    if request.node.get_closest_marker("denials_expected") is None:
        assert demo.accesses.denials(came) == []


@pytest.fixture(scope="session")
def cloud(demo: KeptDemo) -> LiveCloud:
    return demo.cloud


@pytest.fixture(scope="session")
def botany(demo: KeptDemo) -> str:
    """A fifth team, added by the commands of the README and nothing else; returns its first run's id."""
    section = (ROOT / "README.md").read_text().split("## Add a team")[1].split("\n## ")[0]
    commands = section.split("```sh\n")[1].split("```")[0]
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=ROOT,
        env={**os.environ, **demo.cloud.environment, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (run,) = [run for run in demo.cloud.of_kind("run") if run["team"] == "botany"]
    return str(run["run_id"])

"""One embedded cloud for all parity tests, started as users start it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 60


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What `cloud.json` of the running cloud says; the process ends with the session."""
    state = tmp_path_factory.mktemp("cloud")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "local_cloud", "--state-dir", str(state), "--project-dir", str(ROOT)]
    with (state / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--parent-pid", str(os.getpid())],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    ready = state / "cloud.json"
    deadline = time.monotonic() + START_LIMIT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the embedded cloud did not start:\n{(state / 'cloud.log').read_text()[-4000:]}")
        time.sleep(0.05)
    yield {**json.loads(ready.read_text()), "state_dir": state}
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def client(cloud: dict[str, Any]) -> Callable[..., Any]:
    """`client("s3")`: a boto3 client of the running cloud; `account=` speaks for another account."""
    made: dict[tuple[str, str], Any] = {}

    def make(service: str, account: str | None = None) -> Any:
        key = (service, account or cloud["account_id"])
        if key not in made:
            create: Any = boto3.session.Session().client
            made[key] = create(
                service,
                region_name=cloud["region"],
                endpoint_url=cloud["endpoint"],
                aws_access_key_id=f"LOCALKEY{key[1]}",
                aws_secret_access_key=cloud["secret_access_key"],
                config=Config(retries={"max_attempts": 0}, max_pool_connections=20),
            )
        return made[key]

    return make


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """`wait_until(check, limit_s)`: what `check` returns once it is truthy; fails the test when it never is."""

    def wait(check: Callable[[], Any], limit_s: float = 20, every_s: float = 0.05) -> Any:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if found := check():
                return found
            time.sleep(every_s)
        return pytest.fail(f"did not happen within {limit_s} s: {check}")

    return wait

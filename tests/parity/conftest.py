"""One embedded cloud for all parity tests, started as users start it: a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_cloud import credentials
from local_cloud.accounts import access_key
from local_cloud.hosts import Access

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 240  # a busy machine is no failure


@contextlib.contextmanager
def running_cloud(
    state: Path,
    *arguments: str,
    module: Sequence[str] = ("local_cloud",),
    variables: Mapping[str, str] | None = None,
    may_die: bool = False,
    is_owned: bool = True,
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A cloud's process, and what its `cloud.json` says; the process ends with the block.

    One that `may_die` while it starts has said nothing then. `is_owned`: all that it has started ends with it, however
    it ends.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TURBINE_"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment |= {"PYTHONPATH": str(ROOT), **(variables or {})}
    command = [sys.executable, "-m", *module, "--state-dir", str(state), "--project-dir", str(ROOT), *arguments]
    command += ["--parent-pid", str(os.getpid())] if is_owned else []
    with (state / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    ready = state / "cloud.json"
    deadline = time.monotonic() + START_LIMIT_S
    while not ready.exists():
        if may_die and process.poll() == -signal.SIGKILL:
            break
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the embedded cloud did not start:\n{(state / 'cloud.log').read_text()[-4000:]}")
        time.sleep(0.02)
    try:
        yield process, {**json.loads(ready.read_text()), "state_dir": state} if ready.exists() else {}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What `cloud.json` of the running cloud says; the process ends with the session."""
    with running_cloud(tmp_path_factory.mktemp("cloud")) as (_, written):
        yield written


def access_to(cloud: dict[str, Any]) -> Access:
    """What reaches a running cloud's own paths."""
    return Access(cloud["endpoint"], cloud["access_key_id"], cloud["secret_access_key"])


def client_maker(cloud: dict[str, Any]) -> Callable[..., Any]:
    """`client("s3")`: a boto3 client of a running cloud; `account=` speaks for another account."""
    made: dict[tuple[str, str], Any] = {}
    create: Any = boto3.session.Session().client  # one session: each reads botocore's endpoints, which takes long
    lock = threading.Lock()

    def make(service: str, account: str | None = None) -> Any:
        key = (service, account or cloud["account_id"])
        with lock:
            return made.get(key) or _make(key)

    def _make(key: tuple[str, str]) -> Any:
        signing = access_key(credentials.read(cloud["state_dir"]), key[1])
        made[key] = create(
            key[0],
            region_name=cloud["region"],
            endpoint_url=cloud["endpoint"],
            aws_access_key_id=signing.access_key_id,
            aws_secret_access_key=signing.secret_access_key,
            config=Config(retries={"max_attempts": 0}, max_pool_connections=20),
        )
        return made[key]

    return make


@pytest.fixture(scope="session")
def client(cloud: dict[str, Any]) -> Callable[..., Any]:
    """Clients of the one running cloud."""
    return client_maker(cloud)


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

"""The command itself, as SageMaker starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.server import CONTAINER_MODEL_FOLDER, bind_host, serve

BATCH_JOBS = Path(__file__).parents[3] / "batch_jobs"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(model_folder: Path, port: int) -> "subprocess.Popen[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BATCH_JOBS),
        "SM_MODEL_DIR": str(model_folder),
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    command = [sys.executable, "-m", "inference", "serve"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def served(classifier: Path) -> Iterator[str]:
    port = free_port()
    server = start(classifier, port)
    assert server.stdout is not None
    assert json.loads(server.stdout.readline()) == {
        "event": "serving",
        "host": "127.0.0.1",
        "port": port,
        "features": 3,
    }
    yield f"http://127.0.0.1:{port}"
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=30)


def test_answers_on_the_given_port(served: str, row: Any) -> None:
    with urllib.request.urlopen(f"{served}/ping", timeout=30) as answer:
        assert answer.status == 200
    request = urllib.request.Request(f"{served}/invocations", row().encode(), {"content-type": "application/jsonlines"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["prediction"] in {"no", "yes, really"}


def test_a_folder_without_a_model_ends_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path))
    assert serve() == 65
    assert str(tmp_path) in json.loads(capsys.readouterr().out)["message"]


def test_every_interface_only_in_sagemakers_container(tmp_path: Path) -> None:
    assert bind_host(CONTAINER_MODEL_FOLDER) == "0.0.0.0"
    assert bind_host(tmp_path) == "127.0.0.1"

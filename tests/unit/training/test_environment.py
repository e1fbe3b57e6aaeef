"""What a model's provenance tells of the job's surroundings."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from typing import Any

import pytest

from training.environment import METADATA_VARIABLE, environment


@pytest.fixture
def agent() -> Iterator[Any]:
    """A container agent on loopback; `told` is what it answers."""

    class Agent(BaseHTTPRequestHandler):
        told = b"{}"

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.told)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_all_installed_packages_and_their_hash() -> None:
    told = environment("cpu", 2)
    assert (told["device"], told["world_size"], told["image"]) == ("cpu", 2, None)
    assert told["packages"]["torch"] == told["torch"] == metadata.version("torch")
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(told["packages"].items()))
    assert told["packages_sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_the_image_is_what_the_agent_says(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(METADATA_VARIABLE, f"http://127.0.0.1:{agent.server_port}")
    agent.RequestHandlerClass.told = json.dumps({"Image": "repo:0.1.0", "ImageID": "sha256:abc", "Name": "x"}).encode()
    assert environment("cpu", 1)["image"] == {"name": "repo:0.1.0", "id": "sha256:abc"}


@pytest.mark.parametrize("told", [b"", b"[]", b"{}", b"null"])
def test_an_agent_that_says_nothing_useful_costs_nothing(
    agent: Any, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(METADATA_VARIABLE, f"http://127.0.0.1:{agent.server_port}")
    agent.RequestHandlerClass.told = told
    assert environment("cpu", 1)["image"] is None


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "file:///etc/passwd", "nothing"])
def test_no_agent_costs_nothing(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(METADATA_VARIABLE, endpoint)
    assert environment("cpu", 1)["image"] is None

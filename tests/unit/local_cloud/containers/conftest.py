"""Containers of a state directory of the test's own; none is left when it ends."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud import settings
from local_cloud.containers import container, folder
from local_cloud.containers.container import Container

Start = Callable[..., Container]


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(tmp_path, tmp_path, 1))
    yield tmp_path
    for left in folder.all_of(tmp_path):
        left.remove()


@pytest.fixture
def start(state_dir: Path) -> Iterator[Start]:
    """`start(program, …)`: a container that runs a Python program, or `command` instead."""
    begun: list[Container] = []

    def begin(
        program: str = "", *, command: list[str] | None = None, container_id: str = "", **more: object
    ) -> Container:
        container_id = container_id or secrets.token_hex(6)
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "HOSTNAME": container_id}
        given = {"cores": [], "timeout_s": None, "stop_timeout_s": 0.1, **more}
        command = command or [sys.executable, "-S", "-c", program]
        begun.append(container.start(container_id, command, state_dir, environment, **given))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()

"""An attempt's end: by itself, by its timeout, by a stop, with its host; the image is a folder of this test."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from local_cloud import settings
from local_cloud.batch import attempt as attempts
from local_cloud.batch.attempt import Attempt
from local_cloud.batch.instances import Instance, Signal
from local_cloud.batch.node import Node
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.ordering import Resources
from local_cloud.batch.retries import TIMED_OUT
from local_cloud.container_logs import LogStream
from local_cloud.images.root import Image

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
Make = Callable[..., Attempt]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`make(program, …)`: an attempt of one node that runs a Python program."""
    (tmp_path / "image").mkdir()
    image = Image("i", tmp_path / "image", "/", {}, (sys.executable, "-S", "-c"), ())
    monkeypatch.setattr(attempts, "build", lambda _: image)
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(tmp_path / "state", tmp_path, 1))

    def attempt(program: str, *, stop_timeout_s: float = 0.1, **more: object) -> Attempt:
        spec = NodeSpec("i", (program,), {}, Resources(1, 64), {})
        host = Instance("123456789012", "us-east-1", False, "cluster", {})
        stream = LogStream("123456789012", "us-east-1", "group", "stream")
        streams.append(stream)
        states = attempts.states_on([host])
        return Attempt("a", [spec], [{}], [stream], [host], states, stop_timeout_s, **more)  # type: ignore[arg-type]

    streams: list[LogStream] = []
    with mock_aws():
        yield attempt
        for stream in streams:
            stream.close()


def test_its_exit_code_is_its_end(make: Make) -> None:
    end = make("raise SystemExit(65)").run()
    assert (end.exit_code, end.status_reason, end.reason) == (65, "Essential container in task exited", "")


def test_too_long_is_stopped_and_killed_after_the_stop_timeout(make: Make) -> None:
    end = make(DEAF, timeout_s=1.0).run()
    assert (end.exit_code, end.status_reason) == (137, TIMED_OUT)


def test_one_that_ends_well_once_it_is_told_that_it_took_too_long_took_too_long(make: Make) -> None:
    obedient = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(60)"
    end = make(obedient, timeout_s=1.0, stop_timeout_s=30).run()
    assert (end.exit_code, end.status_reason) == (0, TIMED_OUT)


def test_a_stop_is_not_forgotten_when_the_container_ignores_it(make: Make) -> None:
    stop = Signal()
    stop.set()
    assert make(DEAF, stop_requested=stop).run().exit_code in (137, 143)


def test_a_stop_ends_the_sleep(make: Make) -> None:
    stop = Signal()
    began = time.monotonic()
    later = threading.Timer(0.2, stop.set)
    end = make("import time; time.sleep(60)", stop_requested=stop, started=later.start).run()
    assert end.exit_code in (137, 143)
    assert time.monotonic() - began < 30


def test_nobody_looks_while_nothing_happens(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[float] = []
    heed = Node.heed

    def counted(self: Node) -> None:
        looked.append(time.monotonic())
        heed(self)

    monkeypatch.setattr(Node, "heed", counted)
    assert make("import time; time.sleep(0.5)").run().exit_code == 0
    assert len(looked) <= 5


def test_what_is_needed_to_find_its_processes_again_is_noted(make: Make, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    attempt = make(f"import os; open({str(seen)!r}, 'w').write(os.environ['HOSTNAME'] + ' ' + str(os.getpid()))")
    attempt.run()
    (state,) = attempt.states
    assert state.log_offset == 0
    assert seen.read_text() == f"{state.container_id} {state.pid}"
    assert state.instance_id == attempt.hosts[0].instance_id


def test_files_of_an_earlier_cloud_are_swept(make: Make, tmp_path: Path) -> None:
    left, kept = (tmp_path / "state" / "jobs" / name / "0" for name in ("a", "b"))
    for folder in (left, kept):
        folder.mkdir(parents=True)
    attempts.sweep({kept.parent})
    assert (left.exists(), kept.exists()) == (False, True)
    assert make("pass").run().exit_code == 0


@pytest.mark.parametrize("ending", ["is_lost", "is_going"])
def test_whose_host_goes_has_no_exit_code(make: Make, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_cloud.batch.node.SHUTDOWN_GRACE_S", 0.1)
    attempt = make(DEAF)
    getattr(attempt.hosts[0], ending).set()
    end = attempt.run()
    assert end.exit_code is None
    assert end.status_reason == f"Host EC2 (instance {attempt.hosts[0].instance_id}) terminated."

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import EndpointConnectionError

from cli import exit_codes, interrupts
from cli.embedded import daemon, own_cloud, process_tree, state
from cli.errors import CommandError, InterruptedBySignal

DAEMON = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--state-dir") + 1])
port = int(sys.argv[sys.argv.index("--port") + 1])
print("words of the daemon", flush=True)
BODY
"""
READY = (
    'value = {"pid": os.getpid(), "port": port, "endpoint": "http://127.0.0.1", "account_id": "1", "region": "r",\n'
    '         "access_key_id": "k", "secret_access_key": "s"}\n'
    '(folder / "draft").write_text(json.dumps(value))\n'
    '(folder / "draft").rename(folder / "cloud.json")\n'
    '(folder / "environment").write_text(json.dumps(dict(os.environ)))\n'
    "time.sleep(60)\n"
)


def _project(tmp_path: Path, body: str) -> Path:
    """A project whose `local_cloud` does what the test wants."""
    package = tmp_path / "project" / "local_cloud"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(DAEMON.replace("BODY", body))
    return package.parent


def free_port() -> int:
    """A port of the loopback interface that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_daemon_is_started_apart_without_the_callers_aws_proxy_and_python_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for proxy in ("HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, "http://proxy.invalid:1")
    process = daemon.start(tmp_path / "s", 5, project_dir=_project(tmp_path, READY), parent_pid=7)
    cloud = daemon.wait_ready(process, tmp_path / "s")
    assert os.getsid(process.pid) == process.pid
    assert (cloud.pid, cloud.port) == (process.pid, 5)

    daemon.end(process.pid, lambda: process.poll() is not None)
    environment = json.loads((tmp_path / "s" / "environment").read_text())
    assert not [name for name in environment if name.startswith(("AWS_", "PYTHON")) or "PROXY" in name.upper()]
    assert "words of the daemon" in daemon.log_tail(tmp_path / "s")


def test_a_daemon_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    process = daemon.start(tmp_path / "s", 5, project_dir=_project(tmp_path, "raise SystemExit(3)"))
    with pytest.raises(CommandError, match=r"(?s)ended with code 3.*words of the daemon") as raised:
        daemon.wait_ready(process, tmp_path / "s")
    assert raised.value.exit_code == exit_codes.NO_CLOUD


def test_a_daemon_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    process = daemon.start(tmp_path / "s", 5, project_dir=_project(tmp_path, "time.sleep(60)"))
    with pytest.raises(CommandError, match="not ready"):
        daemon.wait_ready(process, tmp_path / "s", timeout_s=0.1)
    assert process.poll() is not None


def test_a_daemon_that_ignores_sigterm_is_killed_with_what_it_started(tmp_path: Path) -> None:
    body = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "(folder / 'child').write_text(str(child.pid))\n" + READY
    )
    process = daemon.start(tmp_path / "s", 5, project_dir=_project(tmp_path, body))
    daemon.wait_ready(process, tmp_path / "s")
    daemon.end(process.pid, lambda: process.poll() is not None, timeout_s=0.1)
    process.wait()
    assert not process_tree.lives(int((tmp_path / "s" / "child").read_text()))


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="is taken"):
            daemon.require_free(taken.getsockname()[1])
    daemon.require_free(free_port())


def test_a_state_file_of_a_cloud_that_is_gone_is_told_as_stale(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    fields = {"pid": gone.pid, "port": 1, "endpoint": "e", "account_id": "1", "region": "r"}
    text = json.dumps({**fields, "access_key_id": "k", "secret_access_key": "s"})
    (tmp_path / state.STATE_FILE).write_text(text)
    with pytest.raises(CommandError, match="is gone") as raised:
        state.require_running(tmp_path)
    assert f"turbine local up --state-dir {tmp_path}" in str(raised.value.next_step)


def test_a_live_pid_whose_port_is_silent_is_no_cloud(tmp_path: Path) -> None:
    """After a reboot the pid of the file may be anybody's."""
    cloud = state.RunningCloud(tmp_path, os.getpid(), free_port(), "e", "1", "r", "k", "s")
    assert not cloud.answers()


def test_no_state_file_and_a_broken_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no embedded cloud is running"):
        state.require_running(tmp_path)
    (tmp_path / state.STATE_FILE).write_text("{")
    with pytest.raises(CommandError, match="cannot be read"):
        state.read(tmp_path)


def test_an_own_cloud_ends_with_its_block_however_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = _project(tmp_path, READY)
    started = []
    start = daemon.start

    def start_here(state_dir: Path, port: int, *, parent_pid: int | None, **how: Any) -> subprocess.Popen[bytes]:
        started.append((start(state_dir, port, parent_pid=parent_pid, project_dir=project, **how), parent_pid))
        return started[-1][0]

    monkeypatch.setattr(daemon, "start", start_here)
    monkeypatch.setattr(interrupts, "ignore", lambda: None)  # keep this process's handlers
    with pytest.raises(KeyboardInterrupt), own_cloud.own_cloud(tmp_path / "s", keep=True):
        raise KeyboardInterrupt
    assert started[-1][0].poll() is not None

    with own_cloud.own_cloud(tmp_path / "s", keep=False):
        assert started[-1][1] == os.getpid()
    assert started[-1][0].poll() is not None

    with own_cloud.own_cloud(tmp_path / "s", keep=True):
        assert started[-1][1] is None
    kept = started[-1][0]
    assert kept.poll() is None
    kept.kill()
    kept.wait()


@pytest.mark.parametrize("error", [InterruptedBySignal(2), KeyboardInterrupt(), CommandError("not ready")])
def test_a_daemon_that_did_not_get_ready_before_an_interrupt_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def interrupted(process: subprocess.Popen[bytes], _state_dir: Path) -> NoReturn:
        waited_for.append(process)
        raise error

    waited_for: list[subprocess.Popen[bytes]] = []
    project = _project(tmp_path, "time.sleep(60)")
    monkeypatch.setattr(daemon, "start", partial(daemon.start, project_dir=project))
    monkeypatch.setattr(daemon, "wait_ready", interrupted)
    with pytest.raises(type(error)):
        daemon.start_ready(tmp_path / "s", 5, parent_pid=None)
    assert waited_for[0].poll() is not None


def test_an_error_of_a_cloud_that_died_is_told_as_its_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "start", partial(daemon.start, project_dir=_project(tmp_path, READY)))
    monkeypatch.setattr(interrupts, "ignore", lambda: None)
    with (
        pytest.raises(CommandError, match=r"(?s)cloud died.*words of the daemon") as raised,
        own_cloud.own_cloud(tmp_path / "s", keep=False) as cloud,
    ):
        os.kill(cloud.pid, signal.SIGKILL)
        os.waitid(os.P_PID, cloud.pid, os.WEXITED | os.WNOWAIT)
        raise EndpointConnectionError(endpoint_url=cloud.endpoint)
    assert raised.value.exit_code == exit_codes.NO_CLOUD
    assert raised.value.place == str(tmp_path / "s" / state.LOG_FILE)


def test_an_error_beside_a_living_cloud_stays_what_it_is(tmp_path: Path) -> None:
    cloud = state.RunningCloud(tmp_path, os.getpid(), 1, "e", "1", "r", "k", "s")
    with pytest.raises(EndpointConnectionError), daemon.death_told(cloud):
        raise EndpointConnectionError(endpoint_url="e")


def test_a_file_is_no_state_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for use in (state.read, state.make_folder):
        with pytest.raises(CommandError, match="cannot be a state directory") as raised:
            use(file)
        assert raised.value.exit_code == exit_codes.REFUSED

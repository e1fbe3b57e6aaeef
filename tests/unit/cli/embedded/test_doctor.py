"""What the doctor finds, and the command that it names for it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands.local import app
from cli.embedded import daemon, doctor
from cli.embedded.doctor import FAIL, OK, WARN, Finding
from local_cloud import credentials, settings
from local_cloud.containers import container

GONE = 2**22 + 1  # above the largest pid


def finding(state_dir: Path, check: str, port: int | None = None) -> Finding:
    (found,) = [one for one in doctor.examine(state_dir, port) if one.check == check]
    return found


@pytest.fixture(autouse=True)
def inspected(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the installation says of itself; asking takes two seconds."""
    said: dict[str, Any] = {"moto": doctor._pinned("moto"), "replaced": 3, "missing": []}
    run = lambda *_, **__: SimpleNamespace(stdout=json.dumps(said))  # noqa: E731
    monkeypatch.setattr(doctor.subprocess, "run", run)
    return said


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def cloud_file(state_dir: Path, pid: int, port: int = 1) -> Path:
    path = state_dir / "cloud.json"
    told = {"pid": pid, "port": port, "endpoint": f"http://127.0.0.1:{port}", "account_id": "1", "region": "r"}
    path.write_text(json.dumps({**told, "access_key_id": "k", "secret_access_key": "s"}))
    path.chmod(0o600)
    return path


def test_nothing_is_wrong_with_a_new_directory_and_nothing_is_made(tmp_path: Path) -> None:
    assert {one.status for one in doctor.examine(tmp_path / "new")} == {OK}
    assert not (tmp_path / "new").exists()


def test_another_moto_and_missing_symbols_are_named(state_dir: Path, inspected: dict[str, Any]) -> None:
    inspected |= {"moto": "1.0", "missing": ["moto.s3:Gone"]}
    assert finding(state_dir, "moto").status == WARN
    assert finding(state_dir, "replacements").status == FAIL
    assert "moto.s3:Gone" in finding(state_dir, "replacements").detail


def test_an_installation_that_cannot_be_imported_is_told(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise subprocess.CalledProcessError(
            1, "python", stderr="Traceback\nModuleNotFoundError: No module named 'moto'\n"
        )

    monkeypatch.setattr(doctor.subprocess, "run", run)
    found = finding(state_dir, "moto")
    assert (found.status, found.next) == (FAIL, "make setup")
    assert "No module named 'moto'" in found.detail


@pytest.mark.parametrize(("version", "status"), [((3, 10), FAIL), ((3, 11), OK), ((3, 13), OK), ((3, 14), FAIL)])
def test_the_python_version(version: tuple[int, int], status: str) -> None:
    assert doctor._python(version).status == status


def test_a_directory_that_others_may_look_into_is_a_warning(state_dir: Path) -> None:
    assert finding(state_dir, "state directory").status == OK
    state_dir.chmod(0o755)
    assert finding(state_dir, "state directory").next == f"chmod 700 {state_dir}"


def test_a_directory_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert doctor._directory(tmp_path / "file").status == FAIL


def test_a_lock_without_a_cloud_that_answers_fails(state_dir: Path) -> None:
    (state_dir / "lock").write_text("4711")
    assert finding(state_dir, "lock").status == OK
    with (state_dir / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = finding(state_dir, "lock")
    assert (found.status, "kill 4711" in (found.next or "")) == (FAIL, True)


def test_a_dead_cloud_and_a_broken_state_file_are_told(state_dir: Path) -> None:
    path = cloud_file(state_dir, GONE)
    found = finding(state_dir, "cloud")
    assert (found.status, found.next) == (WARN, f"turbine local up --state-dir {state_dir}")
    path.write_text("{")
    assert finding(state_dir, "cloud").status == FAIL


def test_a_running_cloud_is_well(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        cloud_file(state_dir, os.getpid(), port)
        assert finding(state_dir, "cloud").status == OK
        assert finding(state_dir, "port").detail == f"{port} is the cloud's"


def test_a_taken_port_fails(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert finding(state_dir, "port", listener.getsockname()[1]).status == FAIL
        taken = listener.getsockname()[1]
    assert finding(state_dir, "port", taken).status == OK


@pytest.mark.parametrize("name", ["credentials.json", "cloud.json"])
def test_keys_that_others_can_read_fail(state_dir: Path, name: str) -> None:
    credentials.load_or_make(state_dir)
    cloud_file(state_dir, GONE)
    assert finding(state_dir, "credentials").status == OK
    (state_dir / name).chmod(0o640)
    assert finding(state_dir, "credentials").status == FAIL
    assert (state_dir / name).stat().st_mode & 0o777 == 0o640, "it changes nothing"


def test_keys_that_are_none_fail(state_dir: Path) -> None:
    (state_dir / credentials.FILE).write_text("{}")
    (state_dir / credentials.FILE).chmod(0o600)
    assert finding(state_dir, "credentials").status == FAIL


@pytest.mark.parametrize(("free", "status"), [(10 * 2**30, OK), (2**30, WARN), (2**20, FAIL)])
def test_the_disk(state_dir: Path, free: int, status: str) -> None:
    assert doctor._disk(state_dir, lambda _: SimpleNamespace(free=free)).status == status


def test_a_clock_that_was_set_back_is_a_warning(state_dir: Path) -> None:
    path = state_dir / "cloud.log"
    path.write_text("")
    written = path.stat().st_mtime
    assert doctor._clock(state_dir, written).status == OK
    assert doctor._clock(state_dir, written - 600).status == WARN


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
def test_processes_of_a_dead_cloud_are_named_and_those_of_a_live_one_are_not(state_dir: Path) -> None:
    home = {"HOME": f"{state_dir}/jobs/1/home"}
    with subprocess.Popen([sys.executable, "-S", "-c", "print('', flush=True); input()"], env=home,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left:  # fmt: skip
        assert left.stdout is not None
        left.stdout.readline()
        assert finding(state_dir, "processes").next == f"kill -9 {left.pid}"
        cloud_file(state_dir, os.getpid())
        assert finding(state_dir, "processes").status == OK
        left.kill()
    (state_dir / "cloud.json").unlink()
    assert finding(state_dir, "processes").status == OK


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
def test_containers_that_go_on_without_a_cloud_are_named_with_both_ways_out(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # `inspected` keeps subprocess.run from everybody
    monkeypatch.setattr(doctor, "_moto", lambda: iter(()))
    monkeypatch.setattr(settings, "_current", settings.CloudSettings(state_dir, state_dir, 1))
    (state_dir / "lock").touch()
    environment = {"PATH": os.environ["PATH"], "HOSTNAME": "c1", "HOME": f"{state_dir}/jobs/1/home"}
    begun = container.start("c1", ["sleep", "600"], state_dir, environment, cores=[], timeout_s=None, stop_timeout_s=1)
    try:
        found = finding(state_dir, "containers")
        assert (found.status, f"c1 (process {begun.pid}" in found.detail) == (WARN, True)
        assert "local up" in str(found.next) and "local down" in str(found.next)
        assert finding(state_dir, "processes").status == OK, "they are a job's, not leftovers"
        with (state_dir / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert finding(state_dir, "containers").status == OK, "a cloud has them"
        assert daemon.end_containers(state_dir) == ["c1"]
        assert finding(state_dir, "containers").status == OK
    finally:
        begun.end()


def test_the_exit_code_and_the_json(state_dir: Path) -> None:
    told = CliRunner().invoke(app, ["doctor", "--json", "--state-dir", str(state_dir)])
    assert (told.exit_code, json.loads(told.stdout)["healthy"]) == (0, True)
    (state_dir / "cloud.json").write_text("{")
    told = CliRunner().invoke(app, ["doctor", "--json", "--state-dir", str(state_dir)])
    answer = json.loads(told.stdout)
    assert (told.exit_code, answer["healthy"]) == (1, False)
    assert {"check", "status", "detail", "next"} == set(answer["checks"][0])
    told = CliRunner().invoke(app, ["doctor", "--state-dir", str(state_dir)])
    assert (told.exit_code, "fail" in told.stdout) == (1, True)

"""A container and its shim: what is kept of it, how it ends, what a killed shim leaves."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cloud.containers import container, folder, shim
from local_cloud.containers.container import Container
from local_cloud.containers.folder import Exit, Folder, Found
from local_cloud.containers.output import lines
from local_cloud.containers.shim import Lines, Spec
from tests.unit.local_cloud.containers.conftest import Start

LIMIT_S = 30
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"


def ended(begun: Container) -> Exit | None:
    over = threading.Event()
    begun.watch(over.set)
    assert over.wait(LIMIT_S)
    assert not begun.is_running()
    return begun.exit()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def said(begun: Container) -> list[str]:
    return [line for _, line in lines(begun.folder.output.read_bytes())] if begun.folder.output.exists() else []


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_its_output_and_its_end_are_kept(start: Start) -> None:
    begun = start("import sys; print('out'); print('err', file=sys.stderr); print('no end', end=''); sys.exit(3)")
    assert ended(begun) == Exit(3)
    assert said(begun) == ["out", "err", "no end"]
    assert begun.folder.look() is Found.ENDED


def test_a_signal_is_its_end(start: Start) -> None:
    assert ended(start("import os; os.kill(os.getpid(), 9)")) == Exit(-9)


def test_it_sees_its_place_and_no_handle_of_its_shim(start: Start, state_dir: Path) -> None:
    begun = start("import os; print(os.getcwd()); print(sorted(os.listdir('/proc/self/fd')))")
    ended(begun)
    assert said(begun) == [str(state_dir), "['0', '1', '2', '3']"]  # the last one lists


def test_sigpipe_ends_what_it_starts(start: Start) -> None:
    begun = start(command=["cat", "/proc/self/status"])  # no Python, which would ignore these two by itself
    ended(begun)
    (ignored,) = [int(line.split()[1], 16) for line in said(begun) if line.startswith("SigIgn")]
    assert not [name for name in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM) if ignored & 1 << name - 1]


@pytest.mark.parametrize("command", [["no-such-program"], ["a\0b"]])
def test_what_cannot_be_started_says_why(state_dir: Path, command: list[str]) -> None:
    with pytest.raises(OSError, match=r"No such file|Invalid argument"):
        container.start("c0", command, state_dir, {"HOSTNAME": "c0"}, cores=[], timeout_s=None, stop_timeout_s=1.0)
    assert container.look("c0") is Found.ENDED


def test_a_stop_is_a_request_and_then_an_order(start: Start) -> None:
    polite = start("import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up'); time.sleep(600)")
    until(lambda: said(polite))
    polite.stop(600)
    assert ended(polite) == Exit(7)
    deaf = start(DEAF)
    until(lambda: said(deaf))
    deaf.stop(0.05)
    assert ended(deaf) == Exit(-9)


def test_time_is_up_without_a_cloud(start: Start) -> None:
    assert ended(start(DEAF, timeout_s=0.3)) == Exit(-9, timed_out=True)


def test_what_it_started_ends_with_it(start: Start) -> None:
    begun = start(
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\nprint(child.pid)"
    )
    assert ended(begun) == Exit(0)
    assert not lives(int(said(begun)[0]))


def test_one_that_is_lost_has_no_end(start: Start) -> None:
    begun = start(DEAF)
    begun.lose()
    assert ended(begun) is None
    assert begun.folder.look() is Found.LOST


def test_a_terminated_shim_takes_its_container_along(start: Start) -> None:
    begun = start(DEAF)
    shim_pid, pid = begun.folder.shim(), begun.pid
    assert shim_pid and pid
    os.kill(shim_pid, signal.SIGTERM)
    assert ended(begun) is None
    assert not lives(pid)


def test_what_a_killed_shim_leaves_is_ended_by_who_looks(start: Start) -> None:
    begun = start(DEAF)
    shim_pid, pid = begun.folder.shim(), begun.pid
    assert shim_pid and pid
    until(lambda: said(begun))
    os.kill(shim_pid, signal.SIGKILL)
    until(lambda: begun.folder.shim() is None)
    assert lives(pid)
    assert begun.folder.look() is Found.LOST
    until(lambda: not lives(pid))


def test_a_shim_that_hangs_is_ended_with_its_container(start: Start) -> None:
    begun = start(DEAF)
    shim_pid, pid = begun.folder.shim(), begun.pid
    assert shim_pid and pid
    os.kill(shim_pid, signal.SIGSTOP)
    begun.folder.end(patience_s=0.1)
    until(lambda: not lives(pid))


def test_a_container_is_found_again_and_heard(start: Start) -> None:
    container_id = start(DEAF).folder.container_id
    assert container.look(container_id) is Found.RUNS
    found = container.again(container_id)
    until(lambda: said(found))
    found.stop(0)
    assert ended(found) == Exit(-9)
    found.end()


def test_one_that_nobody_has_begun_begins_no_more(state_dir: Path) -> None:
    late = folder.folder_of(state_dir, "late")
    late.make()
    control = late.open_control()
    assert container.look("late") is Found.NEVER_BEGAN
    assert not late.claim(), "it had looked for the container before it was forbidden"
    os.close(control)


def test_a_shim_that_has_opened_the_lock_is_forbidden_too(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = folder.folder_of(state_dir, "late")
    late.make()
    flock = fcntl.flock

    def forbidden_first(handle: int, operation: int) -> None:
        monkeypatch.setattr(folder.fcntl, "flock", flock)
        assert late.look() is Found.NEVER_BEGAN
        flock(handle, operation)

    monkeypatch.setattr(folder.fcntl, "flock", forbidden_first)
    assert not late.claim()


@dataclass
class Touch:
    """A container that touches `ran`, and a shim of its own for it: a child of the test."""

    place: Folder
    ran: Path

    def body(self) -> bytes:
        environment = {**os.environ, "HOSTNAME": self.place.container_id}
        cwd = str(self.ran.parent)
        return Spec(str(self.place.path), ["touch", str(self.ran)], cwd, environment, [], None, 1.0).encoded()

    def run(self, body: bytes, before: Callable[[], None] = lambda: None) -> None:
        reads, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reads)
                before()
                shim.run(body, report)
            finally:
                os._exit(0)
        os.close(report)
        os.waitpid(pid, 0)
        os.close(reads)
        self.place.await_end()


@pytest.fixture
def touch(state_dir: Path) -> Touch:
    place = folder.folder_of(state_dir, "touch")
    place.make()
    return Touch(place, state_dir / "ran")


@pytest.mark.parametrize("is_whole", [True, False])
def test_only_a_whole_specification_starts_anything(touch: Touch, is_whole: bool) -> None:
    """A cloud that dies while it tells the shim what to run."""
    body = touch.body()
    touch.run(body if is_whole else body[:-1])
    assert touch.ran.exists() == is_whole
    assert touch.place.look() is (Found.ENDED if is_whole else Found.NEVER_BEGAN)


def test_nothing_runs_before_it_is_written_which_process_it_is(touch: Touch) -> None:
    def killed_before_it_writes() -> None:
        shim.Folder.write_pid = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]

    touch.run(touch.body(), killed_before_it_writes)
    assert touch.place.look() is Found.NEVER_BEGAN
    assert not touch.ran.exists()


def test_a_container_is_claimed_once(start: Start) -> None:
    begun = start(DEAF)
    assert not begun.folder.claim()
    with pytest.raises(FileExistsError):
        start(DEAF, container_id=begun.folder.container_id)


def test_another_fork_server_is_begun_when_one_was_killed(start: Start) -> None:
    assert ended(start("pass")) == Exit(0)
    server = container._FORK_SERVER._process
    assert server is not None
    server.kill()
    server.wait()
    assert ended(start("pass")) == Exit(0)


def test_a_container_outlives_the_fork_server(start: Start) -> None:
    begun = start("import sys, time; print('up'); time.sleep(0.5); sys.exit(5)")
    server = container._FORK_SERVER._process
    assert server is not None
    server.kill()
    server.wait()
    assert ended(begun) == Exit(5)


def test_lines_are_whole_and_their_times_never_go_back() -> None:
    taken = Lines()
    assert taken.feed(b"a\r\nb", 5) == b"5 a\n"
    assert taken.feed(b"c\n\n", 3) == b"5 bc\n"
    assert taken.feed(b"rest", 7) == b""
    assert taken.finish(8) == b"8 rest\n"
    assert taken.finish(9) == b""


def test_a_line_too_long_for_the_log_is_cut() -> None:
    size = shim.LONGEST_LINE_BYTES
    taken = Lines()
    assert taken.feed(b"x" * size, 1) == b""
    assert taken.feed(b"xy", 2) == b"2 " + b"x" * size + b"\n2 xy\n"
    assert taken.feed(b"z\n", 3) == b"3 z\n"


def test_its_interpreter_has_the_standard_library_only() -> None:
    """A shim is a copy of the fork server: what that imports, each of them carries."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(shim.__file__).parents[2])!r})\n"
        "import local_cloud.containers.fork_server, local_cloud.watchdog\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    out = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['local_cloud']"

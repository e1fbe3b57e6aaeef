"""Gangs of real processes that do nothing but end, in all the ways there are: none of them imports torch."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from training.errors import LeaseHeldError, NodeLostError, TrainingJobError, WorkerFailedError
from training.interruption import Interruption
from training.launch.gang import Gang
from training.launch.peers import Peer
from training.launch.rendezvous import Node, rendezvous_port
from training.launch.supervision import Patience

PATIENCE = Patience(checkpoint_s=20, failure_s=0.3, silence_s=1.5)
LONG_S = 60.0

# What a worker of these tests can do, before `RANK` chooses what it does.
SCRIPT = """
import json, os, signal, sys, time
rank, orders = int(os.environ["RANK"]), []
def tell(name, text=""):
    with open(os.environ["FOLDER"] + "/" + name, "a") as file:
        file.write(text + "\\n")
def heed(number, frame):
    orders.append(number)
    tell(f"sigterm-{rank}")
def hang():  # as in a collective whose other side is gone
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell(f"ready-{rank}")
    time.sleep(60)
def work_until_stopped(seconds, code):  # as a training loop does that writes a checkpoint
    signal.signal(signal.SIGTERM, heed)
    tell(f"ready-{rank}")
    while not orders:
        time.sleep(0.01)
    time.sleep(seconds)
    tell(f"checkpoint-{rank}")
    sys.exit(code)
def fail(code, message, follows=False, takes=0.0):  # as a worker does that says why before its process ends
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    words = dict(error="AnError", message=message, mend="mend it", exit_code=code, rank=rank, follows=follows)
    with open(os.environ["TURBINE_LAST_WORDS"], "w") as file:
        json.dump(words | {"at": time.time()}, file)
    tell(f"ready-{rank}")
    time.sleep(takes)
    sys.exit(code)
def when_ready(*ranks):
    while not all(os.path.exists(os.environ["FOLDER"] + f"/ready-{other}") for other in ranks):
        time.sleep(0.01)
"""


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> str:
    """One of its own, so that tests which run side by side meet at ports of their own."""
    return f"winery-{os.getpid()}-{request.node.name}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def command(*endings: str) -> list[str]:
    chosen = "\n".join(f"if rank == {rank}: {ending}" for rank, ending in enumerate(endings))
    return [sys.executable, "-S", "-c", SCRIPT + chosen]


def await_files(folder: Path, *names: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < deadline, f"{names} did not come"
        threading.Event().wait(0.01)


def ending(run: Callable[[], int]) -> tuple[int, str]:
    """The exit code, and what the log would say about it."""
    try:
        return run(), ""
    except TrainingJobError as error:
        return error.exit_code, error.message


def run_alone(run_id: str, *endings: str, interruption: Interruption | None = None) -> int:
    gang = Gang(run_id, Node(), len(endings), interruption or Interruption(), PATIENCE)
    return gang.run(7, command(*endings))


@pytest.mark.parametrize(
    ("endings", "code"),
    [
        (["sys.exit(0)", "sys.exit(0)"], 0),
        (["sys.exit(65)", "sys.exit(65)"], 65),
        (["sys.exit(78)", "sys.exit(0)"], 78),
        (["sys.exit(73)", "hang()"], 73),
        (["sys.exit(70)", "work_until_stopped(0, 75)"], 70),
        (["os.kill(os.getpid(), 9)", "hang()"], 137),
        (["os.kill(os.getpid(), 11)", "hang()"], 139),
        (["sys.exit(1)", "hang()"], 1),
    ],
)
def test_the_gang_ends_with_the_code_of_the_worker_that_failed(
    endings: list[str], code: int, run_id: str, folder: Path
) -> None:
    """Also when the other one hangs, and whatever it says once it is stopped."""
    assert ending(lambda: run_alone(run_id, *endings))[0] == code


def test_a_killed_worker_is_named(run_id: str, folder: Path) -> None:
    with pytest.raises(WorkerFailedError, match="worker 1 on the main node was killed by SIGKILL") as caught:
        run_alone(run_id, "hang()", "os.kill(os.getpid(), 9)")
    assert "batch_size" in caught.value.mend


def test_the_worker_that_is_the_cause_speaks_for_all(run_id: str, folder: Path) -> None:
    """Also when one that it took along ends first."""
    taken_along = "when_ready(1, 2); fail(70, 'Connection closed by peer', follows=True)"
    later = "when_ready(1); fail(70, 'the next fault', takes=0.2)"
    with pytest.raises(WorkerFailedError, match="the cause") as caught:
        run_alone(run_id, taken_along, "fail(70, 'the cause', takes=0.2)", later)
    assert (caught.value.exit_code, caught.value.kind, caught.value.rank) == (70, "AnError", 1)
    assert caught.value.mend == "mend it"


def test_the_cause_has_time_to_speak_after_one_that_it_took_along(run_id: str, folder: Path) -> None:
    """It ends its part of the collective first, and says why only then."""
    cause = "tell('ready-1'); time.sleep(0.4); fail(65, 'the cause')"
    taken_along = "when_ready(1); fail(70, 'Connection closed by peer', follows=True)"
    assert ending(lambda: run_alone(run_id, taken_along, cause)) == (65, "the cause")


def test_one_that_hangs_after_a_neighbour_is_gone_is_stopped(run_id: str, folder: Path) -> None:
    taken_along = "when_ready(1); fail(70, 'Connection closed by peer', follows=True)"
    assert ending(lambda: run_alone(run_id, taken_along, "hang()")) == (70, "Connection closed by peer")


def test_a_code_counts_that_was_said_before_the_others_were_stopped(run_id: str, folder: Path) -> None:
    ends = ending(lambda: run_alone(run_id, "when_ready(1); sys.exit(70)", "fail(65, 'bad data', takes=0.2)"))
    assert ends == (65, "bad data")


def test_words_with_another_code_than_the_end_are_not_the_cause(run_id: str, folder: Path) -> None:
    """The process died later, of something else."""
    with pytest.raises(WorkerFailedError, match="worker 0 on the main node was killed by SIGKILL"):
        run_alone(run_id, "sys.exit = lambda _: os.kill(os.getpid(), 9); fail(65, 'bad data')")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"message": "half"}'])
def test_words_that_are_none_are_not_heard(run_id: str, folder: Path, text: str) -> None:
    assert run_alone(run_id, f"open(os.environ['TURBINE_LAST_WORDS'], 'w').write({text!r}); sys.exit(65)") == 65


def test_workers_asked_to_stop_are_asked_once_and_get_the_time_for_a_checkpoint(
    run_id: str, folder: Path, threads: ThreadPoolExecutor
) -> None:
    """Also when the first is done long before the last, and that one takes longer than a failed gang would give."""
    interruption = Interruption()
    slow = "work_until_stopped(1.5, 75)"
    running = threads.submit(run_alone, run_id, "work_until_stopped(0, 75)", slow, interruption=interruption)
    await_files(folder, "ready-0", "ready-1")
    interruption.reason = "Spot notice"
    assert running.result(LONG_S) == 75
    assert (folder / "checkpoint-1").exists()
    assert (folder / "sigterm-1").read_text() == "\n"


def test_a_worker_that_ends_as_interrupted_leaves_the_others_time(run_id: str, folder: Path) -> None:
    assert run_alone(run_id, "when_ready(1); sys.exit(75)", "work_until_stopped(1.0, 75)") == 75
    assert (folder / "checkpoint-1").exists()


def test_a_worker_that_does_not_stop_is_killed_and_the_run_tried_again(
    run_id: str, folder: Path, threads: ThreadPoolExecutor
) -> None:
    interruption = Interruption()
    gang = Gang(run_id, Node(), 1, interruption, Patience(checkpoint_s=0.2))
    running = threads.submit(gang.run, 7, command("hang()"))
    await_files(folder, "ready-0")
    interruption.reason = "SIGTERM"
    assert running.result(LONG_S) == 75


def test_a_run_that_finishes_in_spite_of_the_order_to_stop_is_finished(
    run_id: str, folder: Path, threads: ThreadPoolExecutor
) -> None:
    interruption = Interruption()
    running = threads.submit(run_alone, run_id, "work_until_stopped(0, 0)", interruption=interruption)
    await_files(folder, "ready-0")
    interruption.reason = "SIGTERM"
    assert running.result(LONG_S) == 0


def test_a_lost_lease_kills_the_workers_before_they_write(
    run_id: str, folder: Path, threads: ThreadPoolExecutor
) -> None:
    gang = Gang(run_id, Node(), 1, Interruption(), PATIENCE)
    running = threads.submit(gang.run, 7, command("work_until_stopped(0, 75)"))
    await_files(folder, "ready-0")
    gang.abandon("another job has taken it over")
    with pytest.raises(LeaseHeldError, match="taken it over"):
        running.result(LONG_S)
    assert not (folder / "sigterm-0").exists()
    assert not (folder / "checkpoint-0").exists()


def test_workers_find_what_torchrun_would_give_them(run_id: str, folder: Path) -> None:
    dump = "import json; tell(f'environment-{rank}', json.dumps(dict(os.environ)))"
    assert run_alone(run_id, dump, dump) == 0
    first, second = (json.loads((folder / f"environment-{rank}").read_text()) for rank in range(2))
    assert {name: second[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")} == {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
    }
    assert (first["MASTER_ADDR"], first["GLOO_SOCKET_IFNAME"], first["NCCL_SOCKET_IFNAME"]) == (
        "127.0.0.1",
        "lo",
        "=lo",
    )
    assert first["TURBINE_FENCING"] == "7"


def test_an_interface_that_somebody_chose_stays(run_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "=eth7")
    assert run_alone(run_id, "tell('seen', os.environ['NCCL_SOCKET_IFNAME'])") == 0
    assert (folder / "seen").read_text() == "=eth7\n"


class TestTwoNodes:
    """Both on this host; `other` plays a node that behaves as a test wants."""

    @pytest.fixture
    def both(self, run_id: str, folder: Path, threads: ThreadPoolExecutor) -> Callable[..., list[tuple[int, str]]]:
        def run(
            *endings: str, interruption: Interruption | None = None, before: Callable[[], None] | None = None
        ) -> list:
            interruptions = [Interruption(), interruption or Interruption()]
            nodes = [Node(0, 2), Node(1, 2, "127.0.0.1")]
            gangs = [Gang(run_id, *each, PATIENCE) for each in zip(nodes, (1, 1), interruptions, strict=True)]
            # The child is there before the main node.
            running = [threads.submit(ending, partial(gang.run, 7, command(*endings))) for gang in gangs[::-1]]
            if before:
                before()
            return [each.result(LONG_S) for each in running[::-1]]

        return run

    @pytest.fixture
    def other(self, run_id: str, folder: Path) -> Callable[[], Peer]:
        """A node 1 whose launcher says only what the test says."""

        def knock() -> Peer:
            deadline = time.monotonic() + LONG_S
            while True:
                try:
                    line = socket.create_connection(("127.0.0.1", rendezvous_port(run_id)))
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < deadline
            peer = Peer(line)
            peer.send(run_id=run_id, order=1, processes=1)
            assert peer.first_message(deadline)["first_rank"] == 1
            return peer

        return knock

    @pytest.fixture
    def main(self, run_id: str, threads: ThreadPoolExecutor) -> Callable[[str], "Future[int]"]:
        def run(*endings: str) -> "Future[int]":
            gang = Gang(run_id, Node(0, 2), 1, Interruption(), PATIENCE)
            return threads.submit(gang.run, 7, command(*endings))

        return run

    def test_both_finish(self, both: Callable[..., list]) -> None:
        assert both("sys.exit(0)", "sys.exit(0)") == [(0, ""), (0, "")]

    def test_ranks_and_fencing_go_round(self, both: Callable[..., list], folder: Path) -> None:
        names = ("RANK", "WORLD_SIZE", "GROUP_RANK", "TURBINE_FENCING")
        dump = f"tell('seen', ' '.join(os.environ[name] for name in {names}))"
        both(dump, dump)
        assert sorted((folder / "seen").read_text().splitlines()) == ["0 2 0 7", "1 2 1 7"]

    def test_one_nodes_failure_ends_both_with_its_code(self, both: Callable[..., list], folder: Path) -> None:
        main, child = both("hang()", "when_ready(0); sys.exit(65)")
        assert main == (65, "a worker on node 1 (counted from the main one) ended with exit code 65")
        assert child == (65, "")

    @pytest.mark.parametrize("cause", [0, 1])
    def test_both_say_what_the_worker_said_that_is_the_cause(
        self, both: Callable[..., list], folder: Path, cause: int
    ) -> None:
        endings = ["fail(70, 'the cause')"] * 2
        endings[1 - cause] = f"when_ready({cause}); fail(70, 'Connection closed by peer', follows=True)"
        assert both(*endings) == [(70, "the cause"), (70, "the cause")]

    def test_what_a_vanished_neighbour_leaves_behind_is_not_the_cause(self, both: Callable[..., list]) -> None:
        main, child = both("when_ready(1); sys.exit(70)", "tell('ready-1'); os.kill(os.getpid(), 9)")
        assert (main[0], child[0]) == (137, 137)
        assert "worker 1 on node 1" in main[1]

    def test_an_order_to_one_node_stops_both(self, both: Callable[..., list], folder: Path) -> None:
        interruption = Interruption()

        def stop() -> None:
            await_files(folder, "ready-0", "ready-1")
            interruption.reason = "SIGTERM"

        endings = ["work_until_stopped(1.0, 75)", "work_until_stopped(0, 75)"]
        assert both(*endings, interruption=interruption, before=stop) == [(75, ""), (75, "")]
        assert (folder / "checkpoint-0").exists()

    @pytest.mark.parametrize("ends_of_itself", [True, False])
    def test_a_node_that_hangs_up_is_lost(
        self,
        main: Callable[..., "Future[int]"],
        other: Callable[[], Peer],
        folder: Path,
        ends_of_itself: bool,
        capsys: Any,
    ) -> None:
        """Its neighbour's worker gets a broken connection, or notices nothing."""
        running = main("tell('ready-0'); time.sleep(0.5); sys.exit(70)" if ends_of_itself else "hang()")
        peer = other()
        await_files(folder, "ready-0")
        peer.close()
        with pytest.raises(NodeLostError, match=r"node 1 .* is lost: its launcher is gone") as caught:
            running.result(LONG_S)
        assert caught.value.exit_code == 75
        assert "checkpoint" in caught.value.mend
        lost = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "node_lost" in line]
        assert [event["node"] for event in lost] == [1]

    def test_a_silent_node_is_lost(
        self, main: Callable[..., "Future[int]"], other: Callable[[], Peer], folder: Path
    ) -> None:
        running = main("hang()")
        peer = other()
        with pytest.raises(NodeLostError, match=r"nothing was heard of it for [12]\."):
            running.result(LONG_S)
        peer.close()

    def test_a_node_that_speaks_is_not_lost(
        self, main: Callable[..., "Future[int]"], other: Callable[[], Peer], folder: Path
    ) -> None:
        running = main("tell('ready-0'); when_ready(1); sys.exit(0)")
        peer = other()
        await_files(folder, "ready-0")
        started = time.monotonic()
        while time.monotonic() - started < PATIENCE.silence_s + 0.5:
            peer.send()
            threading.Event().wait(0.2)
        assert not running.done()
        (folder / "ready-1").touch()
        peer.send(ended=0, reason="")
        assert running.result(LONG_S) == 0
        peer.close()

    def test_a_lost_main_node_ends_the_others(self, run_id: str, folder: Path, threads: ThreadPoolExecutor) -> None:
        gang = Gang(run_id, Node(1, 2, "127.0.0.1"), 1, Interruption(), PATIENCE)
        with socket.create_server(("127.0.0.1", rendezvous_port(run_id))) as listener:
            running = threads.submit(gang.run, 0, command("pass", "hang()"))
            listener.settimeout(LONG_S)
            main = Peer(listener.accept()[0])
        main.send(first_rank=1, world_size=2, fencing=7, store_port=1)
        await_files(folder, "ready-1")
        main.close()
        with pytest.raises(NodeLostError, match="the main node is lost"):
            running.result(LONG_S)

"""One line between two nodes."""

import socket
import threading
from collections.abc import Iterator

import pytest

from training.launch.peers import LONGEST_LINE, Peer


@pytest.fixture
def line() -> Iterator[tuple[Peer, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = socket.create_connection(listener.getsockname())
        here = Peer(listener.accept()[0])
    here.wait_at_most(10)
    with there:
        yield here, there
    here.close()


def test_messages_come_whole_however_they_are_cut(line: tuple[Peer, socket.socket]) -> None:
    here, there = line
    there.sendall(b'{"a": 1}\n{"b"')
    assert here.receive() == [{"a": 1}]
    there.sendall(b": 2}\n{}\n")
    assert here.receive() == [{"b": 2}, {}]


def test_what_comes_with_the_first_message_is_kept(line: tuple[Peer, socket.socket]) -> None:
    here, there = line
    there.sendall(b'{"start": 1}\n{"stop": 2}\n')
    assert here.first_message(deadline=1e9) == {"start": 1}
    assert here.receive() == [{"stop": 2}]


def test_a_line_without_end_is_refused(line: tuple[Peer, socket.socket]) -> None:
    here, there = line
    sender = threading.Thread(target=there.sendall, args=(b"x" * (2 * LONGEST_LINE),))
    sender.start()
    with pytest.raises(ValueError, match="does not end"):
        for _ in range(2 * LONGEST_LINE):
            here.receive()
    here.close()
    sender.join()


def test_a_line_that_is_cut_is_closed(line: tuple[Peer, socket.socket]) -> None:
    here, there = line
    there.close()
    assert (here.receive(), here.is_closed) == ([], True)


def test_speaking_into_a_cut_line_is_no_error(line: tuple[Peer, socket.socket]) -> None:
    here, there = line
    there.close()
    while not here.is_closed:
        here.send(ended=0)

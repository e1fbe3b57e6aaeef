"""Work ahead in a thread that neither runs away, nor hangs, nor outlives its iterator."""

import threading
from collections.abc import Generator

import pytest

from training.data.background import WorkAhead
from training.errors import BadDataError


def test_items_come_in_order_and_then_end() -> None:
    def produce(_stop: threading.Event) -> Generator[int, None, None]:
        yield from range(5)

    with WorkAhead(produce, 1, "numbers") as items:
        assert list(items) == [0, 1, 2, 3, 4]
        assert list(items) == []


def test_it_is_no_further_ahead_than_allowed() -> None:
    made: list[int] = []
    reached = threading.Event()

    def produce(_stop: threading.Event) -> Generator[int, None, None]:
        for number in range(100):
            made.append(number)
            if number == 3:
                reached.set()
            yield number

    with WorkAhead(produce, 2, "numbers") as items:
        next(items), next(items)
        assert reached.wait(10)
        assert made == [0, 1, 2, 3]
    assert made == [0, 1, 2, 3]


def test_an_error_is_raised_where_items_are_taken() -> None:
    def produce(_stop: threading.Event) -> Generator[int, None, None]:
        yield 1
        raise BadDataError("shard x is torn", "write it again")

    with WorkAhead(produce, 1, "numbers") as items:
        assert next(items) == 1
        for _ in range(2):
            with pytest.raises(BadDataError, match="shard x is torn"):
                next(items)


@pytest.mark.parametrize("taken", [0, 1])
def test_closing_ends_the_thread_and_what_it_held_open(taken: int) -> None:
    started, closed = threading.Event(), threading.Event()

    def produce(stop: threading.Event) -> Generator[int, None, None]:
        started.set()
        try:
            yield 1
            stop.wait(60)  # a long download
            yield 2
        finally:
            closed.set()

    with WorkAhead(produce, 1, "held") as items:
        assert started.wait(10)
        for _ in range(taken):
            next(items)
    assert "held" not in {thread.name for thread in threading.enumerate()}
    assert closed.is_set()

"""An iterator that works ahead in a thread."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Produce = Callable[[threading.Event], Generator[Item, None, None]]


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


class WorkAhead(Generic[Item]):
    """What `produce` yields, made in a thread that is up to `ahead` items further than who takes them.

    `produce` gets an event that is set when nobody wants more. An error in the thread is raised where the items
    are taken. Closing it, or leaving it as a context manager, ends the thread.
    """

    def __init__(self, produce: Produce[Item], ahead: int, name: str) -> None:
        self._stop = threading.Event()
        self._room = threading.Semaphore(ahead)
        self._items: SimpleQueue[Item | _Ended] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(produce,), name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        item = self._items.get()
        if isinstance(item, _Ended):
            self._items.put(item)  # for whoever asks again
            raise StopIteration if item.error is None else item.error
        self._room.release()
        return item

    def __enter__(self) -> "WorkAhead[Item]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stop.set()
        self._room.release()
        self._thread.join()

    def _run(self, produce: Produce[Item]) -> None:
        error: BaseException | None = None
        try:
            with closing(produce(self._stop)) as items:
                while self._is_wanted():
                    self._items.put(next(items))
        except StopIteration:
            pass
        except BaseException as problem:  # noqa: BLE001 - raised in __next__
            error = problem
        self._items.put(_Ended(error))

    def _is_wanted(self) -> bool:
        """Waits for room before an item is made, so that no more than `ahead` wait in memory."""
        self._room.acquire()
        return not self._stop.is_set()

"""The one way to write: what has changed since the last commit, in one transaction.

Whoever changes state and lets others see it commits first: a request before its answer (`requests`), background work
where it finishes a step. A commit takes along all that is noted, so what is written is never older than what depends
on it.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from local_cloud import crash_points
from local_cloud.durability import pickling
from local_cloud.durability.references import References
from local_cloud.durability.store import Cell, Store
from local_cloud.durability.tracked import TrackedList, changes

_LOG = logging.getLogger(__name__)
BACKENDS = "backends"
EXTRAS = "extras"
SWEEP_EVERY_S = 0.5
_TRIES = 20
_lock = threading.RLock()
_thread = threading.local()
_store: Store | None = None
_written: dict[Cell, bytes] = {}
_references = References()
_extras: dict[str, Callable[[], Any]] = {}
_stopping = threading.Event()
_is_failing = False


class CannotKeepError(RuntimeError):
    """State that cannot be written. The call that changed it has not happened, as far as anyone can rely on it."""


def keep_extra(name: str, read: Callable[[], Any]) -> None:
    """Have what `read` returns written as one cell, with the service `name`: state of ours that is in no backend."""
    _extras[name] = read


def use(store: Store, written: dict[Cell, bytes], references: References) -> None:
    """Write into `store` from now on; `written` are the hashes of the cells as they are."""
    global _store, _references
    _store, _references = store, references
    _written.update(written)


def is_used() -> bool:
    """Whether anything is kept at all."""
    return _store is not None


def store() -> Store:
    """The store in use. Raises: RuntimeError without one."""
    if _store is None:
        raise RuntimeError("no state is kept: call use first")
    return _store


def together() -> AbstractContextManager[bool]:
    """Changes made while this is held are in one commit, or all in the next. Held briefly, and over no call."""
    return _lock


@contextmanager
def answering() -> Iterator[None]:
    """While a request is served: what it sets going begins at the end of the block, so once it is written.

    Also when it could not be written: the caller is told of a failure, but what it did is there for all to see.
    """
    waiting: list[Callable[[], object]] = []
    _thread.afterwards = waiting
    try:
        yield
    finally:
        _thread.afterwards = None
        for work in waiting:
            work()


def afterwards(work: Callable[[], object]) -> None:
    """Do something once the request that this thread serves is written; now, if it serves none."""
    waiting = getattr(_thread, "afterwards", None)
    if waiting is None:
        work()
    else:
        waiting.append(work)


def require_writable() -> None:
    """After a commit that failed: write what that left, before anything else is done that could not be written either.

    A client that calls again and again while the disk is full would else do it each time. Raises: CannotKeepError.
    """
    if _is_failing:
        commit(())


def keep(services: Iterable[str] | None = ()) -> None:
    """`commit` for background work, which no caller could be told of a full disk: it stays noted, and is logged."""
    try:
        commit(services)
    except CannotKeepError:
        _LOG.exception("not written yet")


def commit(services: Iterable[str] | None = None) -> None:
    """Write all that is noted, and the backends of `services` where they differ; of all services if None.

    Nothing without a store. Raises: CannotKeepError; what was noted stays so for the next commit.
    """
    global _is_failing
    if _store is None:
        return
    with _lock:
        crash_points.arrive("before-commit")
        taken = changes.take()
        try:
            contents: Contents = {}
            puts, removals = _entries(taken.entries, contents)
            wanted = None if services is None else {*services, *taken.services}
            backends = _steadily(lambda: _backends(wanted, contents))
            puts = {**taken.cells, **puts, **backends}
            refers = {cell: contents.get(cell, {}) for cell in (*puts, *removals)}
            if puts or removals or taken.dropped:
                large = {sha256: body for found in refers.values() for sha256, body in found.items()}
                _store.commit(puts, removals, large, taken.dropped, _references.unused_after(refers))
        except Exception as error:
            changes.put_back(taken)
            _is_failing = True
            raise CannotKeepError(_reason(_store, error)) from error
        _is_failing = False
        for cell, found in refers.items():
            _references.note(cell, found)
        _written.update({cell: hash_of(body) for cell, body in backends.items()})
        crash_points.arrive("after-commit")


def _reason(store: Store, error: Exception) -> str:
    if isinstance(error, sqlite3.Error):
        return (
            f"{store.path} cannot be written ({error}): see whether there is room in {store.path.parent} (df -h), "
            "then call again. What was answered before is kept"
        )
    return f"the state cannot be written: {type(error).__name__}: {error}"


Contents = dict[Cell, dict[str, bytes]]
"""The large values that each cell refers to, by their hashes."""


def _entries(entries: list[tuple[Any, set[Any]]], contents: Contents) -> tuple[dict[Cell, bytes], list[Cell]]:
    puts, removals = {}, []
    for collection, keys in entries:
        for key in keys:
            cell = (collection.space, collection.text(key))
            try:
                value = collection.stored(key)
            except KeyError:
                removals.append(cell)
                continue
            kept = value if isinstance(collection, TrackedList) else (key, value)
            root = kept if isinstance(collection, TrackedList) else value
            puts[cell] = _steadily(functools.partial(_dump, cell, contents, kept, root))
    return puts, removals


def _dump(cell: Cell, contents: Contents, value: Any, root: Any = None) -> bytes:
    contents[cell] = {}
    return pickling.dump(value, contents[cell], root)


def _backends(services: set[str] | None, contents: Contents) -> dict[Cell, bytes]:
    """The cells of backends, and of what else is kept, that are not written as they are."""
    changed = {}
    for place, backend in pickling.backends().items():
        if services is None or place[1] in services:
            cell = (BACKENDS, " ".join(place))
            body = _dump(cell, contents, vars(backend))
            if _written.get(cell) != hash_of(body):
                changed[cell] = body
    for name, read in _extras.items():
        if services is not None and name not in services:
            continue
        cell = (EXTRAS, name)
        body = _dump(cell, contents, read())
        if _written.get(cell) != hash_of(body):
            changed[cell] = body
    return changed


def _steadily(work: Callable[[], Any]) -> Any:
    """Again while another thread changes what is being read: its own commit comes after this one."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except RuntimeError as error:
            if "changed size during iteration" not in str(error) and "mutated" not in str(error):
                raise
    return work()


def hash_of(body: bytes) -> bytes:
    """What tells whether a cell is written as it is."""
    return hashlib.blake2b(body, digest_size=16).digest()


def start() -> None:
    """Sweep now and then: what background work did not commit itself is written half a second later."""
    _stopping.clear()
    commit()
    threading.Thread(target=_sweep, daemon=True, name="sweep").start()


def stop() -> None:
    """Write what is left. If that cannot be, the log says so; what was answered is written."""
    _stopping.set()
    keep(None)


def _sweep() -> None:
    while not _stopping.wait(SWEEP_EVERY_S):
        try:
            commit()
        except CannotKeepError:
            _LOG.exception("sweeping")

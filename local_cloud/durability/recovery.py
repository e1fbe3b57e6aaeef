"""Everything read back at start, in an order in which each cell finds what it refers to."""

from __future__ import annotations

import importlib
import logging
import time
from collections import deque
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend

from local_cloud.durability import commits, pickling
from local_cloud.durability.references import References
from local_cloud.durability.store import Cell, StateRefusedError, Store
from local_cloud.durability.tracked import TrackedDict, changes, only_reads

_LOG = logging.getLogger(__name__)


class Recovery:
    """One reading of a store into this process's backends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._collections: dict[str, Any] = {}
        self._entries: dict[str, dict[str, Any]] = {}
        self._unread: deque[Any] = deque()
        self._contents: dict[tuple[str, str], str | bytes] = {}
        self._contents_seen: set[str] = set()
        self._loading: list[set[str]] = []
        self.references = References()
        self.written: dict[Cell, bytes] = {}
        self.extras: dict[str, Any] = {}

    def run(self) -> None:
        """Backends first, then the collections they hold, then those that these hold."""
        started = time.monotonic()
        for kind, put in ((commits.BACKENDS, self._put_backend), (commits.EXTRAS, self._put_extra)):
            for name, body in self._store.cells(kind):
                put(name, self._load(body, (kind, name)))
                self.written[kind, name] = commits.hash_of(body)
        while self._unread:
            collection = self._unread.popleft()
            for key, body in self._store.cells(collection.space):
                self._fill(collection, key, body)
        _LOG.info("read %d collections in %.2f s", len(self._collections), time.monotonic() - started)

    def drop_the_rest(self, kept: set[str]) -> None:
        """Remove what nothing refers to. `kept`: spaces that are written and read without a collection."""
        spaces = {commits.BACKENDS, commits.EXTRAS, *self._collections, *kept}
        self._store.keep_only(spaces, self._contents_seen)

    def _load(self, body: bytes, cell: Cell) -> Any:
        self._loading.append(set())  # a stack: a cell may need another, which is read meanwhile
        try:
            loaded = pickling.Unpickler(body, self._resolve).load()
            self.references.note(cell, self._loading[-1])
            return loaded
        except StateRefusedError:
            raise
        except Exception as error:
            raise StateRefusedError(
                f"{self._store.path}: {' '.join(cell)} cannot be read ({type(error).__name__}: {error}): "
                "move the file away to begin anew"
            ) from error
        finally:
            self._loading.pop()

    def _put_backend(self, key: str, attributes: dict[str, Any]) -> None:
        backend = _backend(*key.split(" "))
        vars(backend).clear()
        vars(backend).update(attributes)

    def _put_extra(self, key: str, value: Any) -> None:
        self.extras[key] = value

    def _fill(self, collection: Any, key: str, body: bytes) -> None:
        """Once an entry: one that another cell refers to may have come before its turn."""
        there = self._entries[collection.space]
        if key in there:
            return
        loaded = self._load(body, (collection.space, key))
        if isinstance(collection, TrackedDict):
            collection.fill(*loaded)
            there[key] = loaded[1]
        else:
            collection.fill(key, loaded)

    def _resolve(self, reference: pickling.Reference) -> Any:
        kind, *rest = reference
        if kind in ("text", "bytes"):
            return self._content(kind, rest[0])
        if kind == "backend":
            return _backend(*rest)
        if kind == "collection":
            return self._collection(*rest)
        return self._entry(*rest)

    def _content(self, kind: str, sha256: str) -> str | bytes:
        self._contents_seen.add(sha256)
        self._loading[-1].add(sha256)
        if (kind, sha256) not in self._contents:
            body = self._store.content(sha256)
            self._contents[kind, sha256] = body.decode("utf-8", "surrogatepass") if kind == "text" else body
        return self._contents[kind, sha256]

    def _collection(self, kind: str, space: str) -> Any:
        if space not in self._collections:
            module, _, name = kind.partition(":")
            collection = getattr(importlib.import_module(module), name)(space=space)
            self._collections[space], self._entries[space] = collection, {}
            self._unread.append(collection)
        return self._collections[space]

    def _entry(self, kind: str, space: str, key: str) -> Any:
        collection = self._collection(kind, space)
        if key not in self._entries[space]:
            body = self._store.cell(space, key)
            if body is None:
                raise StateRefusedError(f"{self._store.path}: {space} {key} is referred to and not there")
            self._fill(collection, key, body)
        return self._entries[space][key]


def _backend(kind: str, service: str, account: str, region: str) -> BaseBackend:
    module, _, name = kind.partition(":")
    wanted = getattr(importlib.import_module(module), name)
    for attribute in vars(importlib.import_module(module)).values():
        if isinstance(attribute, BackendDict) and attribute.backend is wanted:
            backend: BaseBackend = attribute[account][region]
            return backend
    raise StateRefusedError(f"moto has no backend {kind} of {service}")


def recover(store: Store) -> Recovery:
    """Read `store` into moto's backends, and write into it from now on.

    Raises: StateRefusedError when something cannot be read: nothing is written over it then.
    """
    only_reads(True)  # what comes from the store is in the store
    try:
        recovery = Recovery(store)
        recovery.run()
    finally:
        only_reads(False)
    changes.take()
    commits.use(store, recovery.written, recovery.references)
    return recovery

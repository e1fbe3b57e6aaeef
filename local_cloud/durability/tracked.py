"""Dictionaries and lists whose entries are cells of their own.

Whoever reads an entry may change the object he gets, so reading notes the entry too, unless the thread serves a
request that only reads. Noting too much costs a write; noting too little would lose one.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_thread = threading.local()


class Serving:
    """What the request that this thread serves has looked up, and whose backends it has reached."""

    def __init__(self, services: Iterable[str]) -> None:
        self.entries: dict[str, tuple[Any, set[Any]]] = {}
        self.services = set(services)


def only_reads(is_so: bool) -> None:
    """Whether this thread now serves a request that changes nothing."""
    _thread.only_reads = is_so


@contextmanager
def making() -> Iterator[None]:
    """What is made in the body is new, also where a request that only reads is the first to need it."""
    reads = getattr(_thread, "only_reads", False)
    _thread.only_reads = False
    try:
        yield
    finally:
        _thread.only_reads = reads
        _thread.has_made = True


def has_made() -> bool:
    """Whether this thread has made something new since it was last asked."""
    made: bool = _thread.__dict__.pop("has_made", False)
    return made


@contextmanager
def reading() -> Iterator[None]:
    """While this thread looks at something for itself, whatever its request may do."""
    before = getattr(_thread, "only_reads", False)
    only_reads(True)
    try:
        yield
    finally:
        only_reads(before)


class Taken(NamedTuple):
    """The changes of one commit: tracked entries, cells written as they are, spaces to empty before, and services."""

    entries: list[tuple[Any, set[Any]]]
    cells: dict[tuple[str, str], bytes]
    dropped: set[str]
    services: set[str]


class Changes:
    """What may have changed since it was taken last: entries by collection, and cells written as they are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Any, set[Any]]] = {}
        self._cells: dict[tuple[str, str], bytes] = {}
        self._dropped: set[str] = set()
        self._services: set[str] = set()
        self._served: Counter[str] = Counter()

    @contextmanager
    def serving(self, services: Iterable[str]) -> Iterator[None]:
        """While a request to them is served, every commit takes their backends along, whoever makes it.

        Else another's commit could write what the request has noted (an event, an answer) without what it has changed.
        Its own commit takes along whatever it has looked up so far: another's may have written that before it changed.
        """
        mine, outer = Serving(services), getattr(_thread, "serving", None)
        with self._lock:
            self._served.update(mine.services)
        _thread.serving = mine
        try:
            yield
        finally:
            _thread.serving = outer
            with self._lock:
                self._served.subtract(mine.services)
                self._services.update(mine.services)

    def reach(self, service: str) -> None:
        """A backend is looked up: the request that this thread serves, if any, may change it besides its own."""
        mine: Serving | None = getattr(_thread, "serving", None)
        if mine is not None and service not in mine.services:
            mine.services.add(service)
            with self._lock:
                self._served[service] += 1

    def note_service(self, service: str) -> None:
        """A backend has changed."""
        with self._lock:
            self._services.add(service)

    def note(self, collection: Any, key: Any) -> None:
        if getattr(_thread, "only_reads", False):
            return
        with self._lock:
            self._entries.setdefault(collection.space, (collection, set()))[1].add(key)
        mine: Serving | None = getattr(_thread, "serving", None)
        if mine is not None:
            mine.entries.setdefault(collection.space, (collection, set()))[1].add(key)

    def write(self, space: str, key: str, value: bytes) -> None:
        """A cell that is part of the next commit."""
        with self._lock:
            self._cells[space, key] = value

    def drop(self, space: str) -> None:
        """All cells of a space, in the next commit."""
        with self._lock:
            self._dropped.add(space)
            self._cells = {cell: value for cell, value in self._cells.items() if cell[0] != space}

    def take(self) -> Taken:
        mine: Serving | None = getattr(_thread, "serving", None)
        with self._lock:
            for space, (collection, keys) in (mine.entries if mine else {}).items():
                self._entries.setdefault(space, (collection, set()))[1].update(keys)
            services = self._services | {service for service, requests in self._served.items() if requests > 0}
            taken = Taken(list(self._entries.values()), self._cells, self._dropped, services)
            self._entries, self._cells, self._dropped, self._services = {}, {}, set(), set()
        return taken

    def put_back(self, taken: Taken) -> None:
        """After a commit that failed."""
        with self._lock:
            for collection, keys in taken.entries:
                self._entries.setdefault(collection.space, (collection, set()))[1].update(keys)
            self._cells = taken.cells | self._cells
            self._dropped |= taken.dropped
            self._services |= taken.services


changes = Changes()
homes: dict[int, tuple[Any, TrackedDict, Any]] = {}
"""Where an object that others refer to is written: by its id, itself (so that the id stays its own), the collection
and the key."""


def note_home(value: Any) -> None:
    """Note an object that others refer to, however it was reached; nothing for one that is in no such collection."""
    home = homes.get(id(value))
    if home is not None and home[0] is value:
        changes.note(home[1], home[2])


class TrackedDict(dict[Any, Any]):
    """A dictionary whose entries are cells in `space`. Keys must be strings; subclasses say otherwise."""

    is_home = False
    """Whether other cells refer to its values instead of holding them."""

    def __init__(self, entries: Iterable[tuple[Any, Any]] = (), space: str = "") -> None:
        super().__init__()
        self.space = space or f"{type(self).__name__}/{uuid.uuid4().hex}"
        for key, value in entries:
            self[key] = value

    @classmethod
    def kind(cls) -> str:
        """By which the class is found again."""
        return f"{cls.__module__}:{cls.__qualname__}"

    @staticmethod
    def text(key: Any) -> str:
        """A key as the store has it: one text a key."""
        return str(key)

    def stored(self, key: Any) -> Any:
        """The entry as it is written, unnoted; KeyError when it is gone."""
        return dict.__getitem__(self, key)

    def fill(self, key: Any, value: Any) -> None:
        """An entry that comes from the store."""
        dict.__setitem__(self, key, value)
        self._settle(key, value)

    def _settle(self, key: Any, value: Any) -> None:
        if self.is_home:
            homes[id(value)] = (value, self, key)

    def __getitem__(self, key: Any) -> Any:
        value = dict.__getitem__(self, key)
        changes.note(self, key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, value)
        self._settle(key, value)
        changes.note(self, key)

    def __delitem__(self, key: Any) -> None:
        homes.pop(id(dict.get(self, key)), None)
        dict.__delitem__(self, key)
        changes.note(self, key)

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401  dict.get would not note it

    def setdefault(self, key: Any, default: Any = None) -> Any:
        value = dict.setdefault(self, key, default)  # in one step: callers reserve a name so
        self._settle(key, value)
        changes.note(self, key)
        return value

    def pop(self, key: Any, *default: Any) -> Any:
        changes.note(self, key)
        value = dict.pop(self, key, *default)
        homes.pop(id(value), None)
        return value

    def values(self) -> Any:
        for key in self:
            changes.note(self, key)
        return dict.values(self)

    def items(self) -> Any:
        for key in self:
            changes.note(self, key)
        return dict.items(self)

    def update(self, *others: Any, **more: Any) -> None:
        for key, value in dict(*others, **more).items():
            self[key] = value

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def popitem(self) -> tuple[Any, Any]:
        key = next(reversed(self))
        return key, self.pop(key)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """What somebody takes away to look at: an object's parts, when moto shows its versions."""
        return {copy.deepcopy(key, memo): copy.deepcopy(value, memo) for key, value in dict.items(self)}

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"the collection {self.space} is written entry by entry, not as a whole")


class TrackedList(list[Any]):
    """A list that grows at its end: what is appended is a cell each; any other change writes all of it again."""

    def __init__(self, items: Iterable[Any] = (), space: str = "") -> None:
        super().__init__(items)
        self.space = space or f"{type(self).__name__}/{uuid.uuid4().hex}"
        self._note_from(0)

    @classmethod
    def kind(cls) -> str:
        """By which the class is found again."""
        return f"{cls.__module__}:{cls.__qualname__}"

    @staticmethod
    def text(index: int) -> str:
        return f"{index:012d}"

    def stored(self, index: int) -> Any:
        """Raises: KeyError for an index past the end: it is to be removed."""
        if index >= len(self):
            raise KeyError(index)
        return list.__getitem__(self, index)

    def fill(self, _index: Any, value: Any) -> None:
        list.append(self, value)

    def _note_from(self, first: int, last: int | None = None) -> None:
        for index in range(first, len(self) if last is None else last):
            changes.note(self, index)

    def append(self, item: Any) -> None:
        list.append(self, item)
        self._note_from(len(self) - 1)

    def extend(self, items: Iterable[Any]) -> None:
        first = len(self)
        list.extend(self, items)
        self._note_from(first)

    def __iadd__(self, items: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(items)
        return self

    def _changed(self, name: str, *arguments: Any) -> Any:
        before = len(self)
        result = getattr(list, name)(self, *arguments)
        self._note_from(0, max(before, len(self)))
        return result

    def __setitem__(self, *arguments: Any) -> None:
        self._changed("__setitem__", *arguments)

    def __delitem__(self, *arguments: Any) -> None:
        self._changed("__delitem__", *arguments)

    def insert(self, *arguments: Any) -> None:
        self._changed("insert", *arguments)

    def pop(self, *arguments: Any) -> Any:
        return self._changed("pop", *arguments)

    def remove(self, *arguments: Any) -> None:
        self._changed("remove", *arguments)

    def clear(self) -> None:
        self._changed("clear")

    def sort(self, **how: Any) -> None:
        list.sort(self, **how)
        self._note_from(0)

    def reverse(self) -> None:
        self._changed("reverse")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """What somebody takes away to look at."""
        return [copy.deepcopy(item, memo) for item in list.__iter__(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"the collection {self.space} is written entry by entry, not as a whole")


def iterate(collection: TrackedDict) -> Iterator[tuple[Any, Any]]:
    """The entries of a collection, unnoted."""
    return iter(dict.items(collection))

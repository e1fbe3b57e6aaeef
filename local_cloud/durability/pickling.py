"""Cells as bytes: pickles in which other cells' objects, backends and large values are references.

Locks and events come back new, as nobody holds or awaits them; keys of KMS as PEM. What else cannot be pickled is a
bug in whoever put it into a backend: it fails the commit by name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pickle
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend

from local_cloud.durability.tracked import TrackedDict, TrackedList, homes

LARGE = 16 * 1024
"""A string or bytes from here on is content: kept once, whatever refers to it."""

HUGE = 1024 * 1024
_MOST_HASHED_BYTES = 128 * 1024 * 1024
_hashes: dict[int, tuple[bytes, str]] = {}
"""Of huge values, by their id, with the value, so that the id stays its own: these are held in memory for it."""

Reference = tuple[str, ...]
_LOCK_TYPES: dict[type, Callable[[], Any]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
    threading.Event: threading.Event,
    threading.Condition: threading.Condition,
}


class Pickler(pickle.Pickler):
    """Writes one cell. `contents` gathers the large values that it refers to."""

    def __init__(self, file: io.BytesIO, root: Any, contents: dict[str, bytes]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._root = root
        self._contents = contents

    def persistent_id(self, obj: Any) -> Reference | None:
        kind = type(obj)
        if kind is str or kind is bytes:
            return self._content(obj) if len(obj) >= LARGE else None
        if kind in _PLAIN:
            return None
        if isinstance(obj, _COLLECTIONS):
            return ("collection", obj.kind(), obj.space)
        if obj is self._root:
            return None
        if isinstance(obj, BaseBackend):
            return ("backend", *backend_place(obj))
        home = homes.get(id(obj))
        if home is None or home[0] is not obj:
            return None
        _, collection, key = home
        return ("entry", collection.kind(), collection.space, collection.text(key))

    def reducer_override(self, obj: Any) -> Any:
        make = _LOCK_TYPES.get(type(obj))
        if make is not None:
            return make, ()
        if isinstance(obj, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(obj),)
        kind = type(obj)
        if _is_ours(kind):
            return _new, (kind,), vars(obj), None, None, _set_fields
        if _is_private_key(obj):
            return _load_key, (_dump_key(obj),)
        return NotImplemented

    def _content(self, value: str | bytes) -> Reference:
        body = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        sha256 = _sha256(body)
        self._contents[sha256] = body
        return ("text" if isinstance(value, str) else "bytes", sha256)


_COLLECTIONS = (TrackedDict, TrackedList)
_PLAIN = frozenset({int, float, bool, type(None), dict, list, tuple, set, frozenset})


def _sha256(body: bytes) -> str:
    """Of a huge one once: a function's code is in the cell of its backend, which is written again and again."""
    if len(body) < HUGE:
        return hashlib.sha256(body).hexdigest()
    known = _hashes.get(id(body))
    if known is None or known[0] is not body:
        known = _hashes[id(body)] = (body, hashlib.sha256(body).hexdigest())
        while sum(len(held) for held, _ in list(_hashes.values())) > _MOST_HASHED_BYTES:
            del _hashes[next(iter(_hashes))]
    return known[1]


def dump(value: Any, contents: dict[str, bytes], root: Any = None) -> bytes:
    """The bytes of a cell; `root` is the object in it that is not to be referred to, but written here.

    Raises: TypeError, AttributeError, PicklingError for what cannot be kept.
    """
    file = io.BytesIO()
    Pickler(file, value if root is None else root, contents).dump(value)
    return file.getvalue()


class Unpickler(pickle.Unpickler):
    """Reads one cell; `resolve` makes an object of each reference."""

    def __init__(self, body: bytes, resolve: Callable[[Reference], Any]) -> None:
        super().__init__(io.BytesIO(body))
        self.persistent_load = resolve  # type: ignore[method-assign]


class FieldMissingError(RuntimeError):
    """A record that an earlier version of this package has written, and this one cannot use."""


def _is_ours(kind: type) -> bool:
    """Whether it is a dataclass of this package that says nothing about how it is pickled."""
    return (
        kind.__module__.startswith("local_cloud.")
        and dataclasses.is_dataclass(kind)
        and kind.__reduce_ex__ is object.__reduce_ex__
        and "__getstate__" not in vars(kind)
        and hasattr(kind, "__dict__")
    )


def _new(kind: type) -> Any:
    return object.__new__(kind)


def _set_fields(obj: Any, state: dict[str, Any]) -> None:
    """Raises: FieldMissingError for what has no value, which else would be missed at some later moment."""
    missing = [one.name for one in dataclasses.fields(obj) if one.name not in state and not hasattr(obj, one.name)]
    if missing:
        raise FieldMissingError(f"{type(obj).__qualname__} has no {', '.join(missing)}: another version wrote it")
    vars(obj).update(state)


def backend_place(backend: Any) -> tuple[str, str, str, str]:
    """Class, service, account and Region, by which a backend is found again."""
    kind = type(backend)
    return (f"{kind.__module__}:{kind.__qualname__}", service_of(kind), backend.account_id, backend.region_name)


def service_of(kind: type) -> str:
    """The folder of moto that a backend is of."""
    return kind.__module__.split(".")[1]


def backends() -> Mapping[tuple[str, str, str, str], Any]:
    """Every backend that is there, by its place."""
    return {
        (f"{kind.backend.__module__}:{kind.backend.__qualname__}", service_of(kind.backend), account, region): backend
        for kind in list(BackendDict._instances)
        for account, by_region in list(kind.items())
        for region, backend in list(by_region.items())
    }


def _is_private_key(obj: Any) -> bool:
    return type(obj).__module__.startswith("cryptography.") and hasattr(obj, "private_bytes")


def _dump_key(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def _load_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, None)

"""Wakes whoever waits for a job, an execution or a transform to end, so that nothing has to poll.

An announcement says only that something changed for a key; the waiter looks again for itself. Keys are a job id, an
ARN, or the event of an execution's interruption: what ends elsewhere wakes nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator

_waiters: defaultdict[Hashable, set[threading.Event]] = defaultdict(set)
_lock = threading.Lock()


def announce(key: Hashable) -> None:
    """Say that what `key` names may have ended."""
    with _lock:
        for news in _waiters.get(key, ()):
            news.set()


@contextlib.contextmanager
def listening(*keys: Hashable) -> Iterator[threading.Event]:
    """An event that every announcement of one of `keys` sets. Clear it before looking, so that none is missed."""
    news = threading.Event()
    with _lock:
        for key in keys:
            _waiters[key].add(news)
    try:
        yield news
    finally:
        with _lock:
            for key in set(keys):
                _waiters[key].discard(news)
                if not _waiters[key]:
                    del _waiters[key]

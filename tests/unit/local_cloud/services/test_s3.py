"""One writer a key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local_cloud.services.s3 import _whole


class Request:
    """Stands in for moto's S3Response: checks, waits for the other writer, writes."""

    def __init__(self, key: str, store: dict[str, int], meeting: threading.Barrier) -> None:
        self._key, self._store, self._meeting = key, store, meeting

    def put(self) -> bool:
        if self._key in self._store:
            return False
        try:
            self._meeting.wait(timeout=0.3)
        except threading.BrokenBarrierError:
            self._meeting.reset()
        self._store[self._key] = 1
        return True


def test_two_writers_of_a_key_never_both_find_it_missing() -> None:
    store: dict[str, int] = {}
    meeting = threading.Barrier(2)
    put: Any = _whole(Request.put)
    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(lambda _: put(Request("k", store, meeting)), range(2)))
    assert sorted(won) == [False, True]

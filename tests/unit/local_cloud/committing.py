"""The lock that every commit of the embedded cloud takes, as another thread meets it."""

from __future__ import annotations

import threading
from typing import Any

from local_cloud.durability import commits


def others_can_commit() -> bool:
    """Whether another thread could commit now."""
    got: list[bool] = []

    def try_it() -> None:
        lock: Any = commits.together()  # which every commit takes
        got.append(lock.acquire(blocking=False))
        if got[-1]:
            lock.release()

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return got[0]

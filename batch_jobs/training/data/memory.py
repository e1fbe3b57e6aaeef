"""How much memory a process may fill with data."""

import ctypes
import os
from pathlib import Path

BUDGET_VARIABLE = "TURBINE_DATA_MEMORY_BYTES"
# The rest is for the model, its gradients and optimizer, torch and what the data are turned into on their way.
SHARE_FOR_DATA = 0.5

_LIBC = ctypes.CDLL(None)
MEMINFO = Path("/proc/meminfo")
OWN_CGROUPS = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")


def data_budget_bytes() -> int:
    """From the environment, else half of what the container has left, divided among the node's processes."""
    given = os.environ.get(BUDGET_VARIABLE)
    if given:
        return int(given)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return int(SHARE_FOR_DATA * min(_available_bytes(), _left_in_cgroups()) / processes)


def _available_bytes() -> float:
    """What the kernel reckons can be had without swapping."""
    for line in MEMINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return float(value.split()[0]) * 1024
    return float("inf")


def _left_in_cgroups() -> float:
    """What this process's control group and those above it still allow; infinite without a limit.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max, memory.current) and, for version 1,
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
    """
    left = float("inf")
    for line in OWN_CGROUPS.read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers == "":
            left = min(left, _left_below(CGROUPS, place, "memory.max", "memory.current"))
        elif "memory" in controllers.split(","):
            left = min(left, _left_below(CGROUPS / "memory", place, "memory.limit_in_bytes", "memory.usage_in_bytes"))
    return left


def _left_below(root: Path, place: str, limit_file: str, usage_file: str) -> float:
    """Inside a container `place` may not be there: the container sees its own group as the root."""
    folder, left = root / place.lstrip("/"), float("inf")
    for group in [folder, *folder.parents]:
        if not group.is_relative_to(root):
            break
        try:
            limit, usage = (group / limit_file).read_text().strip(), (group / usage_file).read_text().strip()
        except OSError:
            continue
        if limit != "max":
            left = min(left, float(limit) - float(usage))
    return max(left, 0.0)


def give_back() -> None:
    """Return what is free to the system.

    glibc keeps freed memory in the arenas of the threads that had it, where others find no use for it: over many
    shards the process would grow with the data. Other C libraries have no such call, and no such arenas.
    Source: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)

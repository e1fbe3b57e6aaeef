"""Shards on a local disk (NVMe, or an FSx mount that nodes share), so that S3 is read once and not once an epoch.

Each file lies in a folder named by what the run was pinned to, under the SHA-256 of its own bytes:
`<folder>/<pin>/<sha256>`. A file appears whole, by one rename, so processes that download the same shard at once
are in nobody's way. Before a process trusts a file that it did not write, it reads it all and compares the
hash, once (about a second a gigabyte, against as long for a download at 10 Gbit/s).
"""

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from training.errors import BadConfigurationError
from training.log import log_event

FOLDER_VARIABLE = "TURBINE_CACHE_DIR"
LIMIT_VARIABLE = "TURBINE_CACHE_BYTES"

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_INCOMING = ".incoming-"
# A download that has not been written to for so long belongs to a process that is gone.
_ABANDONED_AFTER_S = 3600


class ShardCache:
    """`limit_bytes` bounds what it keeps: beyond it, what was used longest ago goes."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._trusted: set[tuple[str, int]] = set()

    @classmethod
    def from_environment(cls) -> "ShardCache":
        """Without a limit in the environment, half of what the disk has free. Raises: BadConfigurationError."""
        folder = Path(os.environ.get(FOLDER_VARIABLE) or _default_folder())
        limit = os.environ.get(LIMIT_VARIABLE)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(folder, int(limit) if limit else _free_bytes(folder) // 2)
        except (OSError, ValueError) as error:
            raise BadConfigurationError(
                f"no shard cache in {folder}: {error}",
                f"set {FOLDER_VARIABLE} to a folder on a local disk, and {LIMIT_VARIABLE} to a number",
            ) from error

    def find(self, pin: str, size_bytes: int) -> Path | None:
        """The file kept for `pin`, verified; one that is not what was written is removed."""
        for path in self._files_of(pin):
            try:
                if self._is_sound(path, size_bytes):
                    os.utime(path)  # the time of last use, which eviction goes by
                    return path
            except FileNotFoundError:  # another process made room
                continue
            log_event("cached_shard_corrupt", path=str(path))
            path.unlink(missing_ok=True)
        return None

    def add(self, pin: str, size_bytes: int, chunks: Iterable[bytes], check: Callable[[str], None]) -> Path:
        """Write `chunks` as the file of `pin`; `check` is given their SHA-256 before the file can be found.

        Raises: BadConfigurationError when the disk is full even with nothing else in the cache.
        """
        self._evict(size_bytes)
        descriptor, name = tempfile.mkstemp(prefix=_INCOMING, dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                sha256 = self._write(file.fileno(), chunks)
            check(sha256)
            path = self._folder / pin / sha256
            path.parent.mkdir(exist_ok=True)
            Path(name).rename(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._trusted.add((str(path), path.stat().st_ino))
        return path

    def _write(self, descriptor: int, chunks: Iterable[bytes]) -> str:
        sha256 = hashlib.sha256()
        for chunk in chunks:
            sha256.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._write_some(descriptor, rest) :]
        return sha256.hexdigest()

    def _write_some(self, descriptor: int, chunk: memoryview) -> int:
        try:
            return os.write(descriptor, chunk)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            if not self._evict(self._limit_bytes):
                raise BadConfigurationError(
                    f"the disk of the shard cache {self._folder} is full",
                    f"set {FOLDER_VARIABLE} to a folder on a larger disk, large enough for the largest shard",
                ) from error
            return 0

    def _is_sound(self, path: Path, size_bytes: int) -> bool:
        status = path.stat()
        if status.st_size != size_bytes:
            return False
        identity = (str(path), status.st_ino)
        if identity not in self._trusted:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
                    return False
            self._trusted.add(identity)
        return True

    def _files_of(self, pin: str) -> list[Path]:
        try:
            return list((self._folder / pin).iterdir())
        except FileNotFoundError:
            return []

    def _evict(self, wanted_bytes: int) -> int:
        """Make room for `wanted_bytes`; how many bytes went.

        A file that a process still reads goes too: its bytes stay until it is closed.
        """
        kept = sorted(self._kept())
        excess = sum(size for _, size, _ in kept) + wanted_bytes - self._limit_bytes
        evicted = 0
        for _, size, path in kept:
            if evicted >= excess:
                break
            path.unlink(missing_ok=True)
            evicted += size
        return evicted

    def _kept(self) -> Iterable[tuple[float, int, Path]]:
        """(time of last use, size, path) of each file; downloads that broke off are removed on the way."""
        for path in [*self._folder.glob("*/*"), *self._folder.glob(f"{_INCOMING}*")]:
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if not path.name.startswith(_INCOMING):
                yield status.st_mtime, status.st_size, path
            elif status.st_mtime < time.time() - _ABANDONED_AFTER_S:
                path.unlink(missing_ok=True)


def _default_folder() -> Path:
    """A user's own: in a folder that all may write, another's files are not to be trusted."""
    folder = Path(tempfile.gettempdir()) / f"turbine-cache-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise BadConfigurationError(f"{folder} belongs to another user", f"set {FOLDER_VARIABLE} to a folder of yours")
    return folder


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize

"""Checkpoints on the local disk: written durably, and found again by a job that starts on the same host."""

import errno
import fcntl
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from training.checkpoint.file_format import PAGE_BYTES
from training.checkpoint.marker import MARKER_FILE, STATE_FILE, CheckpointId, Marker, UnusableError

_CHUNK_BYTES = 16 * 1024 * 1024
_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux alone knows it


class Disk:
    """A folder of one run, with the same names as in S3."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def state(self, checkpoint: CheckpointId) -> Path:
        return self._folder / checkpoint.name / STATE_FILE

    def write_state(self, checkpoint: CheckpointId, body: memoryview) -> str:
        """Write the file and wait until it is on the disk; its SHA-256.

        Raises: OSError when the disk is full or broken; nothing is left of the file then.
        """
        self.remove(checkpoint)  # not written over: a snapshot that was read may still be the old file's pages
        folder = self._folder / checkpoint.name
        folder.mkdir(parents=True)
        try:
            # The hash takes as long as the disk does: both run at once, and neither holds the interpreter's lock.
            with ThreadPoolExecutor(1) as hasher:
                digest = hasher.submit(hashlib.sha256, body)
                _write_durably(folder / STATE_FILE, body)
                return digest.result().hexdigest()
        except OSError:
            self.remove(checkpoint)
            raise

    def complete(self, checkpoint: CheckpointId, marker: Marker) -> None:
        """Raises: OSError when the disk is full or broken."""
        folder = self._folder / checkpoint.name
        partial = folder / f"{MARKER_FILE}.partial"
        _write_durably(partial, memoryview(marker.to_json()))
        partial.replace(folder / MARKER_FILE)
        for changed in (folder, self._folder):
            _sync_folder(changed)

    def found(self) -> dict[CheckpointId, bool]:
        """Every checkpoint here, and whether it is complete."""
        if not self._folder.is_dir():
            return {}
        checkpoints = {entry: CheckpointId.parse(entry.name) for entry in self._folder.iterdir()}
        return {
            checkpoint: (entry / MARKER_FILE).exists()
            for entry, checkpoint in checkpoints.items()
            if checkpoint is not None
        }

    def remove(self, checkpoint: CheckpointId) -> None:
        """The marker first: what is left when this breaks off does not look complete."""
        folder = self._folder / checkpoint.name
        (folder / MARKER_FILE).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)


def verify(path: Path, marker: Marker) -> None:
    """Raises: UnusableError when the file is not, byte for byte, the one that the marker completed."""
    size_bytes = path.stat().st_size
    if size_bytes != marker.size_bytes:
        raise UnusableError(f"it is truncated: {size_bytes} bytes, of {marker.size_bytes}")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != marker.sha256:
        raise UnusableError(f"it is corrupt: SHA-256 {sha256[:12]}…, the marker says {marker.sha256[:12]}…")


def _write_durably(path: Path, body: memoryview) -> None:
    file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    try:
        pages = len(body) - len(body) % PAGE_BYTES
        _write_pages(file, body[:pages])
        _write_all(file, body[pages:])
        os.fsync(file)
    finally:
        os.close(file)


def _write_pages(file: int, body: memoryview) -> None:
    """Write whole pages past the kernel's cache.

    Faster, and kinder: the cache keeps the training data, and no other writer waits for these pages to be flushed.
    A file system that cannot do it says EINVAL, and gets the rest the usual way.
    """
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    written = 0
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, flags | _DIRECT)
        while written < len(body):
            written += os.write(file, body[written : written + _CHUNK_BYTES])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    fcntl.fcntl(file, fcntl.F_SETFL, flags)
    _write_all(file, body[written:])


def _write_all(file: int, body: memoryview) -> None:
    written = 0
    while written < len(body):
        written += os.write(file, body[written : written + _CHUNK_BYTES])


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)

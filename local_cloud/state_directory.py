"""A cloud's state directory: who holds it, and the files in it that are not the state itself."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import importlib.metadata
import json
import logging
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local_cloud import credentials, settings

STATE_FILE = "state.db"
PORT_FILE = "port"
READY_FILE = "cloud.json"
LOCK_FILE = "lock"
_LOG = logging.getLogger("local_cloud")


@contextlib.contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Hold the state directory while this process lives; the lock goes with it, however it ends.

    Raises: SystemExit naming the process that holds it.
    """
    with (state_dir / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            sys.exit(
                f"the state directory {state_dir} is held by a running embedded cloud (process {holder}): "
                "stop it, or use another --state-dir"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def begin_log(state_dir: Path) -> None:
    """Empty the log of an earlier cloud, if stderr appends to one here: only who holds the directory may."""
    written = os.fstat(sys.stderr.fileno())
    appends = fcntl.fcntl(sys.stderr.fileno(), fcntl.F_GETFL) & os.O_APPEND
    if appends and any(os.path.samestat(written, path.stat()) for path in state_dir.glob("*.log")):
        os.ftruncate(sys.stderr.fileno(), 0)


def forget(state_dir: Path) -> None:
    """Remove what an earlier cloud knew. Its log and its keys stay."""
    for name in (STATE_FILE, f"{STATE_FILE}-wal", f"{STATE_FILE}-shm", PORT_FILE):
        (state_dir / name).unlink(missing_ok=True)


def earlier_port(state_dir: Path) -> int:
    """The port of this state directory's last cloud, if it is free: URLs of queues, which the state holds, have it."""
    path = state_dir / PORT_FILE
    written = path.read_text() if path.exists() else ""
    port = int(written) if written.isdigit() else 0
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return port
    _LOG.warning("port %d of the last cloud here is taken: jobs that it left running cannot reach this one", port)
    return 0


def root_key(state_dir: Path) -> bytes:
    """Raises: SystemExit if the directory's credentials cannot be used."""
    try:
        return credentials.load_or_make(state_dir)
    except (credentials.CredentialsError, OSError) as error:
        sys.exit(f"no credentials: {error}")


def keep_temporary_files_in(folder: Path) -> None:
    """What moto spools of large objects, and what jobs assemble, is written nowhere else."""
    folder.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(folder)


def announce(cloud: settings.CloudSettings) -> None:
    """Write the ready file in one step, so that a reader never sees half of it."""
    port_file = cloud.state_dir / PORT_FILE
    port_draft = port_file.with_suffix(".draft")
    port_draft.write_text(str(cloud.port))
    port_draft.replace(port_file)
    ready = cloud.state_dir / READY_FILE
    draft = ready.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    key = cloud.access_key()
    # It holds the secret: nobody else may read it.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(
            {
                "pid": os.getpid(),
                "port": cloud.port,
                "endpoint": cloud.endpoint,
                "account_id": cloud.account_id,
                "region": cloud.region,
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key,
                "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "version": f"moto {importlib.metadata.version('moto')}",
            },
            file,
        )
    draft.replace(ready)

"""`cloud.json`, which a running embedded cloud keeps in its state directory."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from cli import exit_codes
from cli.cloud import ExplicitCredentials
from cli.embedded import process_tree
from cli.errors import CommandError

DEFAULT_STATE_DIR = Path(".turbine")
STATE_FILE = "cloud.json"
LOG_FILE = "cloud.log"


@dataclass(frozen=True)
class RunningCloud:
    """What `cloud.json` says, and where it lies."""

    state_dir: Path
    pid: int
    port: int
    endpoint: str
    account_id: str
    region: str
    access_key_id: str
    secret_access_key: str

    @property
    def credentials(self) -> ExplicitCredentials:
        return ExplicitCredentials(self.endpoint, self.region, self.access_key_id, self.secret_access_key)

    def answers(self) -> bool:
        """Whether its process lives and its port takes connections; both, since a pid can be taken again."""
        return process_tree.lives(self.pid) and port_answers(self.port)


def read(state_dir: Path) -> RunningCloud | None:
    """The cloud that the state file names, running or not; None without a file.

    Raises: CommandError if the file is not what a cloud writes.
    """
    path = state_dir / STATE_FILE
    try:
        value = json.loads(path.read_text())
        return RunningCloud(
            state_dir=state_dir,
            pid=int(value["pid"]),
            port=int(value["port"]),
            endpoint=value["endpoint"],
            account_id=value["account_id"],
            region=value["region"],
            access_key_id=value["access_key_id"],
            secret_access_key=value["secret_access_key"],
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(state_dir, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"the state file cannot be read: {error!r}",
            place=str(path),
            next_step=f"remove it, then `turbine local up --state-dir {state_dir}`",
            exit_code=exit_codes.NO_CLOUD,
        ) from error


def make_folder(state_dir: Path) -> None:
    """Make the state directory, if need be.

    Raises: CommandError if it cannot be one.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refused(state_dir, error) from error


def refused(state_dir: Path, error: OSError) -> CommandError:
    """A state directory that cannot be used."""
    return CommandError(
        f"this cannot be a state directory: {error.strerror}",
        place=str(error.filename or state_dir),
        next_step="name a folder that you may write to with --state-dir",
        exit_code=exit_codes.REFUSED,
    )


def require_running(state_dir: Path) -> RunningCloud:
    """The running cloud of a state directory.

    Raises: CommandError if there is none, or only the file of one that died.
    """
    cloud = read(state_dir)
    up = "`turbine local up`" if state_dir == DEFAULT_STATE_DIR else f"`turbine local up --state-dir {state_dir}`"
    if cloud is None:
        raise CommandError(
            "no embedded cloud is running here",
            place=f"no {STATE_FILE} in {state_dir.resolve()}",
            next_step=up,
            exit_code=exit_codes.NO_CLOUD,
        )
    if not cloud.answers():
        raise CommandError(
            f"the embedded cloud of this state directory is gone (process {cloud.pid}, port {cloud.port})",
            place=f"stale {state_dir / STATE_FILE}; its last words are in {state_dir / LOG_FILE}",
            next_step=f"{up} starts a new one",
            exit_code=exit_codes.NO_CLOUD,
        )
    return cloud


def port_answers(port: int) -> bool:
    """Whether something listens on this port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False

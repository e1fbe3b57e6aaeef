"""The random key of a state directory, from which every account's secret comes: made once, reused by each restart.

Only its owner can read the file. One that others could read, or that is another user's, keeps nobody out: the first
is mended and told, the second refused.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import stat
from pathlib import Path

FILE = "credentials.json"
_KEY_BYTES = 32
_LOG = logging.getLogger(__name__)


class CredentialsError(RuntimeError):
    """A credentials file cannot be used; the message names the mend."""


def load_or_make(state_dir: Path) -> bytes:
    """The root key of a state directory, made when there is none.

    Raises: CredentialsError.
    """
    try:
        return read(state_dir)
    except FileNotFoundError:
        _make(state_dir / FILE)
        return read(state_dir)


def read(state_dir: Path) -> bytes:
    """The root key of a state directory.

    Raises: FileNotFoundError if it has none; CredentialsError.
    """
    path = state_dir / FILE
    try:
        # No link is followed: whoever made it would choose where the key is read from.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read ({error.strerror}): remove it to get new credentials") from error
    with os.fdopen(handle) as file:
        _require_private(file.fileno(), path)
        try:
            key = bytes.fromhex(json.load(file)["root_key"])
        except (ValueError, KeyError, TypeError) as error:
            raise CredentialsError(f"{path} is not what a cloud writes: remove it to get new credentials") from error
    if len(key) < _KEY_BYTES:
        raise CredentialsError(f"{path} holds too short a key: remove it to get new credentials")
    return key


def _require_private(handle: int, path: Path) -> None:
    found = os.fstat(handle)
    if found.st_uid != os.geteuid():
        raise CredentialsError(f"{path} is another user's: use a --state-dir of your own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.fchmod(handle, 0o600)
        _LOG.warning("%s could be read by other users: if any are not trusted, remove it and start again", path)


def _make(path: Path) -> None:
    """Written beside and linked, so that no reader sees half of it, and the first of two makers wins."""
    draft = path.with_name(f"{FILE}.{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump({"root_key": secrets.token_bytes(_KEY_BYTES).hex()}, file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)

"""What the embedded cloud was started with. Set once by `server.start`, read everywhere else."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class CloudSettings:
    """One running embedded cloud.

    Units: `memory_mib` in MiB, `vcpus` in AWS vCPUs (may exceed the machine's cores).
    `secret_access_key` is new with every start. Signatures are not verified: it keeps nobody out.
    """

    state_dir: Path
    project_dir: Path
    port: int
    account_id: str = "123456789012"
    region: str = "us-east-1"
    vcpus: int = field(default_factory=lambda: max(4, os.cpu_count() or 1))
    memory_mib: int = 16_384
    gpus: int = 0
    secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


_current: CloudSettings | None = None


def use(settings: CloudSettings) -> None:
    """Make `settings` those of this process."""
    global _current
    _current = settings


def current() -> CloudSettings:
    """The settings of the cloud in this process.

    Raises: RuntimeError before `use` was called.
    """
    if _current is None:
        raise RuntimeError("the embedded cloud is not started: call local_cloud.settings.use first")
    return _current

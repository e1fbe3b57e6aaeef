"""What the embedded cloud was started with. Set once by `server.start`, read everywhere else."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud.accounts import AccessKey, access_key
from local_cloud.authorization.sessions import Session, key_of

PROCESSES = "processes"
NAMESPACES = "namespaces"


@dataclass(frozen=True)
class CloudSettings:
    """One running embedded cloud.

    `node_networks`: what tells the nodes of a multi-node job apart, PROCESSES of this machine or network NAMESPACES.
    Units: `memory_mib` in MiB, `vcpus` in AWS vCPUs (may exceed the machine's cores).
    `strict`: whether IAM decides what a role may do (`authorization`).
    `root_key` is the state directory's (`credentials`): every account's secret comes from it.
    """

    state_dir: Path
    project_dir: Path
    port: int
    account_id: str = "123456789012"
    region: str = "us-east-1"
    vcpus: int = field(default_factory=lambda: max(4, os.cpu_count() or 1))
    memory_mib: int = 16_384
    gpus: int = 0
    node_networks: str = PROCESSES
    strict: bool = False
    root_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def access_key(self, account_id: str | None = None) -> AccessKey:
        """What signs requests for an account, by default this cloud's own."""
        return access_key(self.root_key, account_id or self.account_id)

    def lent_key(self, session: Session, account: str | None = None) -> AccessKey:
        """What signs requests of a role or a service, in an account: by default its own."""
        return key_of(self.root_key, session, account or session.account)


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

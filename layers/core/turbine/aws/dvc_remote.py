"""DVC through its own library; imported by `publish_artifacts` only, whose layer brings DVC.

A workspace lives as long as one call, in a temporary folder without Git; the remote is content
addressed, so several may write to it at once. Endpoint, Region and credentials are the standard
AWS variables', as for every other client.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from dvc.repo import Repo

from turbine.domain.uri import S3Uri
from turbine.ports import TrackedFile

REMOTE = "artifacts"

# DVC tells people of every step on stdout, which is a function's log.
logging.getLogger("dvc").setLevel(logging.WARNING)


class DvcRemote:
    """Fulfils `ports.DataVersioning`."""

    def track(self, source: S3Uri, remote: S3Uri) -> TrackedFile:
        """`dvc add --to-remote`: the bytes stream from S3 to S3, nothing is kept on the disk."""
        with TemporaryDirectory(prefix="dvc-") as folder, _own_folders(Path(folder)):
            workspace = Path(folder) / "workspace"
            workspace.mkdir()
            repo = Repo.init(str(workspace), no_scm=True)
            try:
                with repo.config.edit() as config:
                    config["core"].update({"remote": REMOTE, "analytics": False, "check_update": False})
                    config["remote"][REMOTE] = {"url": str(remote)}
                name = source.key.rpartition("/")[2]
                repo.add(str(source), out=str(workspace / name), to_remote=True)
            finally:
                repo.close()
            return _tracked(workspace / f"{name}.dvc")


def _tracked(pointer: Path) -> TrackedFile:
    body = pointer.read_bytes()
    (out,) = yaml.safe_load(body)["outs"]
    return TrackedFile(path=out["path"], md5=out["md5"], size_bytes=out["size"], pointer=body)


@contextmanager
def _own_folders(folder: Path) -> Iterator[None]:
    """Keep DVC's settings and caches inside a folder: a function may write nowhere else."""
    names = ("HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(folder / name.lower()) for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

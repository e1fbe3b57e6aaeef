"""Lays out a function's code and layers on disk, once per content, so that compiled modules are reused."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

_lock = threading.Lock()


def extract(archives: Sequence[bytes], store: Path) -> Path:
    """The folder with the given zip archives, later ones over earlier ones.

    Raises: zipfile.BadZipFile.
    """
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(hashlib.sha256(archive).digest())
    folder = store / digest.hexdigest()[:32]
    with _lock:
        if not folder.exists():
            store.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=store, prefix="draft-"))
            for archive in archives:
                _unzip(archive, draft)
            draft.chmod(0o755)
            draft.rename(folder)
    return folder


def import_paths(task_root: Path, layers_root: Path | None) -> list[str]:
    """Folders a Python function imports from, in Lambda's order.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    paths = [str(task_root)]
    if layers_root is not None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        paths += [str(layers_root / "python/lib" / version / "site-packages"), str(layers_root / "python")]
    return paths


def third_party_paths() -> list[str]:
    """This interpreter's site-packages; without their .pth files an editable checkout stays invisible."""
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _unzip(archive: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for entry in bundle.infolist():
            target = Path(bundle.extract(entry, folder))
            # Without set-user-id: whoever runs this cloud lends its identity to nobody.
            mode = stat.S_IMODE(entry.external_attr >> 16) & 0o777
            if mode & 0o111 and target.is_file():
                target.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)


def copy_bootstrap(store: Path) -> Path:
    """Put the runtime beside the code it runs: started from here, it would show a function this checkout."""
    source = Path(__file__).with_name("bootstrap.py")
    store.mkdir(parents=True, exist_ok=True)
    target = store / "bootstrap.py"
    draft = store / f"bootstrap.{os.getpid()}.{threading.get_ident()}"
    shutil.copyfile(source, draft)
    draft.replace(target)
    return target

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
from collections.abc import Callable, Sequence
from pathlib import Path

from local_cloud.lambda_runtime import stand_ins

_lock = threading.Lock()


def extract(archives: Sequence[bytes], store: Path) -> Path:
    """The folder with the given zip archives, later ones over earlier ones, able to run on this interpreter.

    Raises: zipfile.BadZipFile, stand_ins.NoStandInError.
    """
    contents = [hashlib.sha256(archive).digest() for archive in archives]

    def fill(folder: Path) -> None:
        for archive in archives:
            _unzip(archive, folder)
        for place in (folder, *_layer_folders(folder)):
            stand_ins.replace_foreign(place)

    return _once(store, [*contents, _interpreter()], fill)


def runtime_packages(store: Path) -> Path:
    """The folder with what Lambda's own Python brings beside the standard library."""
    return _once(store, [stand_ins.versions_of_the_runtime().encode(), _interpreter()], stand_ins.copy_runtime)


def _once(store: Path, contents: Sequence[bytes], fill: Callable[[Path], None]) -> Path:
    """The folder that is named by `contents`, filled if it is not there yet; there with all that is in it."""
    folder = store / hashlib.sha256(b"".join(contents)).hexdigest()[:32]
    with _lock:
        if not folder.exists():
            store.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=store, prefix="draft-"))
            try:
                fill(draft)
            except BaseException:
                shutil.rmtree(draft)
                raise
            draft.chmod(0o755)
            draft.rename(folder)
    return folder


def _interpreter() -> bytes:
    """Stand-ins are of this interpreter, and a state directory may outlive it."""
    return f"{sys.prefix} {sys.version}".encode()


def import_paths(task_root: Path, layers_root: Path | None) -> list[str]:
    """Folders a Python function imports from, in Lambda's order.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    layers = _layer_folders(layers_root) if layers_root is not None else []
    return [str(folder) for folder in (task_root, *layers)]


def third_party_paths(code: Sequence[str], store: Path) -> list[str]:
    """What code may import beside its own folders.

    Code that brings its dependencies gets what Lambda's Python has, and no more. Other code was never built: it gets
    this interpreter's site-packages, without their .pth files, so that an editable checkout stays invisible.
    """
    if stand_ins.brings_dependencies([Path(folder) for folder in code]):
        return [str(runtime_packages(store))]
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _layer_folders(root: Path) -> list[Path]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [root / "python/lib" / version / "site-packages", root / "python"]


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

"""The model's folder and SageMaker's archive of it: the names of the files, and how they are packed.

The same files give the same bytes: no clock, no user and no file order enters the archive.
"""

import gzip
import tarfile
from pathlib import Path

MODEL_FOLDER = "model"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
MODEL_FILES = (WEIGHTS_FILE, CONFIG_FILE, CARD_FILE)
ARCHIVE = "model.tar.gz"


def write_archive(folder: Path, archive: Path) -> None:
    """`MODEL_FILES` of `folder` at the root of a tar.gz."""
    # Weights hardly compress: the fastest level keeps large models from waiting on gzip.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in MODEL_FILES:
            entry = tarfile.TarInfo(name)
            entry.size = (folder / name).stat().st_size
            entry.mode = 0o644
            with (folder / name).open("rb") as file:
                tar.addfile(entry, file)

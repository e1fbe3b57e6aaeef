"""Archives as `sam build` leaves them: distributions beside the code, with an installer's records."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

FOREIGN = "cp39-cp39-win_arm64"
"""The tag of a wheel that runs on no machine this project is for."""


def distribution(
    name: str, version: str, files: Mapping[str, str], tag: str = "py3-none-any", below: str = ""
) -> dict[str, str]:
    """Names in an archive to contents: a distribution's files and its `.dist-info`."""
    info = f"{name}-{version}.dist-info"
    records = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    listed = [*files, *records, f"{info}/RECORD"]
    everything = {**files, **records, f"{info}/RECORD": "".join(f"{file},,\n" for file in listed)}
    return {below + file: text for file, text in everything.items()}


def zipped(*parts: Mapping[str, str]) -> bytes:
    """One zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        for part in parts:
            for name, text in part.items():
                bundle.writestr(name, text)
    return archive.getvalue()

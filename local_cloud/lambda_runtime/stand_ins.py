"""Lets an archive that was built for Lambda's machine run on this one.

`sam build` puts wheels for the function's architecture and Python into the archive. A distribution whose wheel tags
this interpreter does not support is taken out where it lies, and the same version's files from this cloud's own
environment are put in its place. Everything else is the archive's: what it forgot to bring is missing here too.
Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from packaging import tags
from packaging.utils import canonicalize_name

RUNTIME_BRINGS = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
"""What Lambda's Python has beside the standard library, behind the function's own and its layers'.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-dependencies
"""


class NoStandInError(RuntimeError):
    """An archive brings compiled code for another machine, and this environment has not the same version."""


def brings_dependencies(folders: Sequence[Path]) -> bool:
    """Whether an installer has put distributions into one of the folders, as `sam build` does."""
    return any(folder.is_dir() and any(folder.glob("*.dist-info")) for folder in folders)


def replace_foreign(folder: Path) -> None:
    """Put this environment's files in the place of the distributions in `folder` that cannot run here.

    Raises: NoStandInError naming all that this environment has not in the same version.
    """
    foreign = [found for found in importlib.metadata.distributions(path=[str(folder)]) if not _runs_here(found)]
    problems = [problem for found in foreign if (problem := _problem(found))]
    if problems:
        raise NoStandInError(
            f"the code brings {'; '.join(problems)}. Pin the versions of requirements.lock, or run: make setup"
        )
    for found in foreign:
        installed = importlib.metadata.distribution(_name(found))
        _remove(found, folder)
        _copy(installed, folder)


def versions_of_the_runtime() -> str:
    """What of `RUNTIME_BRINGS` is installed here, as one line."""
    return " ".join(f"{name}=={importlib.metadata.version(name)}" for name in RUNTIME_BRINGS)


def copy_runtime(folder: Path) -> None:
    """Put what Lambda's own Python brings, as this environment has it, into a folder."""
    for name in RUNTIME_BRINGS:
        _copy(importlib.metadata.distribution(name), folder)


def _runs_here(found: Distribution) -> bool:
    """By its wheel's tags, as an installer would decide; what says none is taken for pure Python."""
    lines = (found.read_text("WHEEL") or "").splitlines()
    named = [line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")]
    try:
        return not named or any(tag in _supported() for text in named for tag in tags.parse_tag(text))
    except ValueError:  # a tag without its three parts
        return False


@cache
def _supported() -> frozenset[tags.Tag]:
    return frozenset(tags.sys_tags())


def _name(found: Distribution) -> str:
    return canonicalize_name(found.metadata["Name"])


def _problem(found: Distribution) -> str | None:
    try:
        installed = importlib.metadata.version(_name(found))
    except importlib.metadata.PackageNotFoundError:
        return f"{_name(found)} {found.version} for another machine, and it is not installed here"
    if installed != found.version:
        return f"{_name(found)} {found.version} for another machine, and here {installed} is installed"
    return None


def _remove(found: Distribution, folder: Path) -> None:
    for relative in _files(found):
        (folder / relative).unlink(missing_ok=True)


def _copy(installed: Distribution, folder: Path) -> None:
    for relative in _files(installed):
        source = Path(str(installed.locate_file(relative)))
        if source.is_file() and source.suffix != ".pyc":
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _files(distribution: Distribution) -> Iterator[PurePosixPath]:
    """What a distribution has beside others in site-packages, so not its commands; nothing outside of it."""
    for file in distribution.files or ():
        relative = PurePosixPath(file)
        if not relative.is_absolute() and ".." not in relative.parts:
            yield relative

"""Checks that what an image would install is installed in the interpreter that stands in for it."""

from __future__ import annotations

import importlib.metadata
import re

from packaging.requirements import InvalidRequirement, Requirement

_OPTIONS_OF_FILE = re.compile(r"\s--(hash|config-settings|global-option)[= ].*$")


class RequirementMissingError(RuntimeError):
    """An image names a package that this machine's interpreter does not have."""


def in_file(text: str) -> list[str]:
    """The requirements of a requirements file; its options (indexes, hashes) are left out."""
    joined = re.sub(r"\\\s*\n", " ", text)
    lines = (_OPTIONS_OF_FILE.sub("", line.split(" #")[0]).strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def check(requirements: list[str], image: str) -> None:
    """Find every requirement installed, in a version it allows.

    Raises: RequirementMissingError naming all that are not, and how to mend it.
    """
    problems = [problem for text in requirements if (problem := _problem(text))]
    if problems:
        raise RequirementMissingError(
            f"image {image} needs {'; '.join(problems)}. Add it to the requirements and run: make setup"
        )


def _problem(text: str) -> str | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return f"{text} (not a requirement that can be looked up)"
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{text} (not installed)"
    if not requirement.specifier.contains(installed, prereleases=True):
        return f"{text} (installed: {installed})"
    return None

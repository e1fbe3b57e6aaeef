"""Turns a container's command and environment into those of a process on this machine.

Absolute paths that the image has are moved below its root, wherever they stand: in its environment, in the job's,
in the command. `python` is the cloud's own interpreter, which has packages but none of the checkout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cloud import processes, settings
from local_cloud.accounts import AccessKey
from local_cloud.images.root import Image


def command(image: Image, override: Sequence[str] | None) -> list[str]:
    """ENTRYPOINT followed by the override, or by CMD where there is none.

    Raises: ValueError if both leave nothing to run.
    """
    words = [*image.entrypoint, *(override or image.command)]
    if not words:
        raise ValueError(f"image {image.uri} has neither ENTRYPOINT nor CMD, and no command was given")
    return [_moved(image, word) for word in words]


def environment(image: Image, given: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The whole environment of a process: the machine's own, the image's, then `given`.

    `scratch` is an empty folder for HOME and TMPDIR.
    """
    own = processes.base_environment()
    merged = {**own, **image.environment, **given}
    result = {name: _moved_list(image, value.replace("${PATH}", own["PATH"]).replace("$PATH", own["PATH"]))
              for name, value in merged.items()}  # fmt: skip
    home, temporary = scratch / "home", scratch / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(exist_ok=True)
    if not result["PATH"].endswith(own["PATH"]):
        result["PATH"] += os.pathsep + own["PATH"]
    return {**result, "HOME": str(home), "TMPDIR": str(temporary)}


def aws_variables(key: AccessKey) -> dict[str, str]:
    """What gives a container its role and this cloud's endpoint; a Region is the job definition's to give.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    return {
        "AWS_ENDPOINT_URL": settings.current().endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_SESSION_TOKEN": key.session_token,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def workdir(image: Image) -> Path:
    """Where the process starts."""
    return image.path(image.workdir)


def _moved_list(image: Image, value: str) -> str:
    return ":".join(_moved(image, part) for part in value.split(":")) if "/" in value else value


def _moved(image: Image, word: str) -> str:
    if not word.startswith("/") or word == "/":
        return word
    below_workdir = image.workdir != "/" and (word + "/").startswith(image.workdir.rstrip("/") + "/")
    return str(image.path(word)) if below_workdir or image.path(word).exists() else word

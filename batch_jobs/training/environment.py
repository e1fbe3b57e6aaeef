"""What a job ran in, for the provenance of its model: interpreter, packages, image, device."""

import hashlib
import http.client
import json
import os
import platform
import urllib.request
from importlib import metadata
from typing import Any

import torch

METADATA_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
ANSWER_WITHIN_S = 2.0


def environment(device: str, world_size: int) -> dict[str, Any]:
    """`packages` are all that are installed, by name; `packages_sha256` is of their `name==version` lines, sorted.

    `image` is None where no container agent tells it.
    """
    packages = {found.name.lower(): found.version for found in metadata.distributions()}
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
        "world_size": world_size,
        "packages_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "packages": dict(sorted(packages.items())),
        "image": _image(),
    }


def _image() -> dict[str, str] | None:
    """The container's image as the ECS agent has it, which AWS Batch runs on every host: its name, and its digest.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
    """
    endpoint = os.environ.get(METADATA_VARIABLE, "")
    if not endpoint.startswith("http://"):
        return None
    # Link-local: a proxy could only answer for its own container.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(endpoint, timeout=ANSWER_WITHIN_S) as answer:
            told = json.load(answer)
        return {"name": str(told["Image"]), "id": str(told["ImageID"])}
    # No reason to lose a trained model.
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None

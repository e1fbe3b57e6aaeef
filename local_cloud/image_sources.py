"""Which Dockerfile an image repository is built from, as its template's Metadata says.

`AWS::ECR::Repository` resources carry `Metadata: {Dockerfile, DockerContext}`; CloudFormation puts that here,
and whoever runs an image asks here. Without Docker nothing is built: a Dockerfile is read when a job starts.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from local_cloud.durability.tracked import changes


@dataclass(frozen=True)
class ImageSource:
    """Paths relative to the project's root, as written in the template."""

    dockerfile: str
    context: str


SERVICE = "ecr"
"""With whose backend this is written."""
_sources: dict[str, ImageSource] = {}
_lock = threading.Lock()


def remember(repository_name: str, dockerfile: str, context: str) -> None:
    """Note where the images of a repository come from; a later note replaces an earlier one."""
    with _lock:
        _sources[repository_name] = ImageSource(dockerfile, context)
    changes.note_service(SERVICE)


def forget(repository_name: str) -> None:
    """Drop a deleted repository; nothing if it is unknown."""
    with _lock:
        _sources.pop(repository_name, None)
    changes.note_service(SERVICE)


def lookup(repository_name: str) -> ImageSource | None:
    """Where the images of a repository come from; None if no template said."""
    with _lock:
        return _sources.get(repository_name)


def kept() -> dict[str, ImageSource]:
    """What is written of it."""
    with _lock:
        return dict(_sources)


def restore(sources: dict[str, ImageSource]) -> None:
    """What was written, read again."""
    with _lock:
        _sources.update(sources)

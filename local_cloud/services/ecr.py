"""ECR: repositories are kept by moto; their images come from Dockerfiles (`local_cloud.images`), not from a push."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import AWSError

from local_cloud.replacements import Replacement


class PushNotEmulatedError(AWSError):
    TYPE = "InvalidParameterException"
    STATUS = 400


def _refuse_push(*_: Any, **__: Any) -> Any:
    raise PushNotEmulatedError(
        "ecr:PutImage is not emulated: an image is what its repository's Metadata {Dockerfile, DockerContext} in the "
        "template says, so change the Dockerfile instead"
    )


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.ecr.models:ECRBackend.put_image",
        build=lambda _: _refuse_push,
        why="would store an image that no job ever runs",
    ),
]

"""What moto works out again for every request or service, worked out once: half of a deployment's time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.loaders import Loader, moto_root

from local_cloud.aws_clients import service_models
from local_cloud.replacements import Replacement


class SharingLoader(Loader):
    """One loader of service models for all of moto; what it would read the same, it has from the cloud's own clients.

    moto adds error shapes to a few of botocore's models, and takes none of the additions that are botocore's own.
    """

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Raises: UnknownServiceError, DataNotFoundError."""
        if service_name in service_models().list_available_services(type_name):
            version = api_version or service_models().determine_latest_version(service_name, type_name)
            loaders: tuple[Any, Any] = (self, service_models())
            if not any(True for one in loaders for _ in one._find_extras(service_name, type_name, version)):
                return service_models().load_service_model(service_name, type_name, api_version)
        return super().load_service_model(service_name, type_name, api_version)


def _listed_once(original: Callable[[], Iterable[str]]) -> Callable[[], tuple[str, ...]]:
    names = tuple(original())
    return lambda: names


def _one_loader(_: Callable[[], Any]) -> Callable[[], Any]:
    loader = SharingLoader(extra_search_paths=[moto_root])
    return lambda: loader


def _cached(original: Callable[..., Any]) -> Callable[..., Any]:
    return functools.cache(original)


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.backends:list_of_moto_modules",
        build=_listed_once,
        why="moto lists its own folder for every request",
    ),
    Replacement(
        target="moto.core.responses:method_names_from_class",
        build=_cached,
        why="looks through the members of a service's class for every request",
    ),
    Replacement(
        target="moto.core.utils:create_loader",
        build=_one_loader,
        why="moto searches all folders of models again for every service, and reads again what botocore has read",
    ),
]

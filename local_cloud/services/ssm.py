"""Systems Manager: what moto keeps of parameters and tags, in a form that can be written down."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from moto.ssm.models import ParameterDict

from local_cloud.replacements import Replacement


def _init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        self._resource_tags = defaultdict(functools.partial(defaultdict, dict))

    return __init__


def _reduce(_: Callable[..., Any]) -> Callable[..., Any]:
    def __reduce__(self: ParameterDict) -> tuple[Any, ...]:  # noqa: N807
        items: Iterator[tuple[str, Any]] = iter(dict.items(self))
        return ParameterDict, (self.account_id, self.region_name), dict(self.__dict__), None, items

    return __reduce__


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.ssm.models:SimpleSystemManagerBackend.__init__",
        build=_init,
        why="moto counts tags with a local function, which no state file can hold",
    ),
    Replacement(
        target="moto.ssm.models:ParameterDict.__reduce__",
        build=_reduce,
        why="a copy of moto's parameters is made without the account that they need",
    ),
]

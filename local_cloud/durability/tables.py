"""Which of moto's collections are tracked: those that grow with use, and those whose values others refer to.

Everything else of a backend is written as one cell, which takes less than a millisecond.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.iam.models import AWSManagedPolicy
from moto.s3.utils import _VersionedKeyStore

from local_cloud.durability.tracked import TrackedDict, TrackedList, changes, note_home
from local_cloud.replacements import Replacement


class Homes(TrackedDict):
    """Its values are referred to by other cells."""

    is_home = True


class Policies(Homes):
    """Managed policies. moto looks through all thousand of them to attach one: that notes none, attaching does."""

    def values(self) -> Any:
        """Unnoted: see `_noting_itself`."""
        return dict.values(self)


class AwsPolicies(Iterable[Any]):
    """AWS's own among an account's managed policies: a view, as their list would be in every cell of IAM."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def __iter__(self) -> Iterator[Any]:
        return (policy for policy in self._policies.values() if isinstance(policy, AWSManagedPolicy))

    def __add__(self, others: list[Any]) -> list[Any]:
        return [*self, *others]


class Keys(_VersionedKeyStore, TrackedDict):
    """A bucket's keys; an entry is the list of a key's versions. Looking through all of them notes none."""

    def __init__(self, entries: Any = (), space: str = "") -> None:
        TrackedDict.__init__(self, entries, space)

    def __sgetitem__(self, key: str) -> list[Any]:
        versions: list[Any] = dict.__getitem__(self, key)
        changes.note(self, key)
        return versions

    def __setitem__(self, key: str, value: Any) -> None:
        versions = [*dict.get(self, key, ()), value]
        dict.__setitem__(self, key, versions)
        changes.note(self, key)

    def setlist(self, key: Any, list_: Any) -> None:
        super().setlist(key, list_)
        changes.note(self, key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> None:
        if key in self or not default:
            for version in self.getlist(key, []):
                version.dispose()
            dict.pop(self, key)
        changes.note(self, key)

    def _iteritems(self) -> Any:
        return ((key, versions[-1]) for key, versions in list(dict.items(self)))

    def _itervalues(self) -> Any:
        return (versions[-1] for versions in list(dict.values(self)))

    def _iterlists(self) -> Any:
        return iter(list(dict.items(self)))

    items = iteritems = _iteritems
    lists = iterlists = _iterlists
    values = itervalues = _itervalues


class Multiparts(TrackedDict):
    """A bucket's uploads in parts."""

    def __delitem__(self, key: Any) -> None:
        dict.__getitem__(self, key).dispose()
        super().__delitem__(key)


class Items(TrackedDict):
    """A table's items; an entry is what has one partition key. Keys are moto's DynamoType."""

    @staticmethod
    def text(key: Any) -> str:
        return f"{key.type}:{key.value}"

    def __getitem__(self, key: Any) -> Any:
        if key not in self:
            self[key] = {}
        return super().__getitem__(key)

    def values(self) -> Any:
        """Unnoted: DynamoDB changes an item by its key, and only reads when it looks through all."""
        return dict.values(self)

    def items(self) -> Any:
        """Unnoted, as `values`."""
        return dict.items(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Items:
        """For backups and restored tables: a collection of its own."""
        return Items((copy.deepcopy(key, memo), copy.deepcopy(value, memo)) for key, value in dict.items(self))


def _tracked(*attributes: str, kind: Callable[..., Any] = TrackedDict) -> Callable[[Any], Any]:
    """A constructor after which these attributes are tracked."""

    def build(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            for name in attributes:
                there = getattr(self, name)
                setattr(self, name, kind(dict.items(there) if isinstance(there, dict) else there))

        return initialise

    return build


def _named_factories(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._aliases.default_factory = dict

    return initialise


def _with_policies(original: Callable[..., None]) -> Callable[..., None]:
    initialise_tracked = _tracked("managed_policies", kind=Policies)(original)

    @functools.wraps(original)
    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise_tracked(self, *args, **kwargs)
        self.aws_managed_policies = AwsPolicies(self.managed_policies)

    return initialise


def _noting_itself(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def change(self: Any, *args: Any) -> None:
        original(self, *args)
        note_home(self)

    return change


def _untracked_instance(cls: Any, *_args: Any, **_kwargs: Any) -> Any:
    return object.__new__(cls)


_GROWS = "grows with use: written entry by entry"
_REFERRED = "its values are referred to by what is written apart from them"
_SAGEMAKER = ("_models", "model_packages", "transform_jobs", "model_package_name_mapping")

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.core.common_models:BaseModel.__new__",
        build=lambda _: staticmethod(_untracked_instance),
        why="keeps every instance for ever, for moto's own dashboard",
    ),
    Replacement(target="moto.s3.models:FakeBucket.__init__", build=_tracked("keys", kind=Keys), why=_GROWS),
    Replacement(target="moto.s3.models:FakeBucket.__init__", build=_tracked("multiparts", kind=Multiparts), why=_GROWS),
    Replacement(target="moto.s3.models:FakeMultipart.__init__", build=_tracked("parts"), why=_GROWS),
    Replacement(target="moto.dynamodb.models.table:Table.__init__", build=_tracked("items", kind=Items), why=_GROWS),
    Replacement(target="moto.logs.models:LogsBackend.__init__", build=_tracked("groups", kind=Homes), why=_REFERRED),
    Replacement(target="moto.logs.models:LogGroup.__init__", build=_tracked("streams"), why=_GROWS),
    Replacement(target="moto.logs.models:LogStream.__init__", build=_tracked("events", kind=TrackedList), why=_GROWS),
    Replacement(
        target="moto.cloudwatch.models:CloudWatchBackend.__init__",
        build=_tracked("metric_data", kind=TrackedList),
        why=_GROWS,
    ),
    Replacement(target="moto.sagemaker.models:SageMakerModelBackend.__init__", build=_tracked(*_SAGEMAKER), why=_GROWS),
    Replacement(
        target="moto.awslambda.models:LambdaStorage.__init__",
        build=_named_factories,
        why="a lambda expression cannot be written",
    ),
    Replacement(target="moto.batch.models:BatchBackend.__init__", build=_tracked("_jobs"), why=_GROWS),
    Replacement(
        target="moto.iam.models:IAMBackend.__init__",
        build=_with_policies,
        why="AWS's own policies are megabytes: written once",
    ),
    *(
        Replacement(
            target=f"moto.iam.models:ManagedPolicy.{name}",
            build=_noting_itself,
            why="counts its attachments, and is found by looking through all policies, which notes none",
        )
        for name in ("attach_to", "detach_from")
    ),
]

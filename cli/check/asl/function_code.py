"""What a Lambda function's code says: which errors may leave it, what its payload must hold, which names it answers.

The handler is read, and all it refers to, in its own folder and in the layers; nothing is imported. What is reached is
more than what runs (all methods of a class that is used), so an error that the code cannot raise is told apart from one
that it can only if no line of it is ever reached. Whether an error is caught on its way out is not followed.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import botocore.exceptions
from botocore.loaders import Loader

from cli.check.asl import services
from cli.check.asl.sources import Module, References, Sources, Symbol
from cli.check.templates import Function

RUNTIME_ERRORS = frozenset(
    f"Runtime.{name}"
    for name in ("ExitError", "ImportModuleError", "HandlerNotFound", "UserCodeSyntaxError", "Unknown")
)
"""Source: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html"""


def _exceptions_of(module: object) -> frozenset[str]:
    known = vars(module).items()
    return frozenset(name for name, one in known if isinstance(one, type) and issubclass(one, BaseException))


_BUILTIN = _exceptions_of(builtins)
_OF_PACKAGES = {
    "botocore": _exceptions_of(botocore.exceptions),
    "boto3": _exceptions_of(botocore.exceptions),
    "pydantic": frozenset({"ValidationError"}),
}
"""What code that uses a package may let through."""


@dataclass(frozen=True)
class Payload:
    """What a handler reads of its event. `kinds` are JSON types by field, empty where any may stand."""

    kinds: dict[str, frozenset[str]]
    required: frozenset[str]


@dataclass(frozen=True)
class FunctionCode:
    """`own_errors` are of our classes, `errors` all by name; `names` are the keys and fields that replies can have."""

    own_errors: frozenset[str]
    errors: frozenset[str]
    names: frozenset[str]
    payload: Payload | None


@dataclass
class CodeReader:
    """Reads functions' code, each function and each module once."""

    layers: tuple[Path, ...]
    _known: dict[Path, FunctionCode | None] = field(default_factory=dict)
    _shared: Sources = field(init=False)

    def __post_init__(self) -> None:
        self._shared = Sources(self.layers)

    def read(self, function: Function) -> FunctionCode | None:
        """None if its handler is not there."""
        key = function.code / function.handler
        if key not in self._known:
            self._known[key] = self._read(function)
        return self._known[key]

    def _read(self, function: Function) -> FunctionCode | None:
        module, _, name = function.handler.rpartition(".")
        sources = _Layered((function.code,), self._shared)
        handler = sources.resolve(module, name)
        if not isinstance(handler, Symbol):
            return None
        reached = _reached(sources, handler)
        own = frozenset(symbol.name for symbol in reached.raisable if _is_exception(sources, symbol))
        foreign = frozenset().union(*(_OF_PACKAGES.get(package, frozenset()) for package in reached.packages))
        errors = own | _BUILTIN | foreign | RUNTIME_ERRORS | _errors_of_services(reached.texts)
        return FunctionCode(own, errors, frozenset(reached.texts), _payload(sources, handler))


class _Layered(Sources):
    """A function's own modules, and behind them the layers', which all functions share."""

    def __init__(self, roots: tuple[Path, ...], shared: Sources) -> None:
        super().__init__(roots)
        self._behind = shared

    def module(self, name: str) -> Module | None:
        return super().module(name) or self._behind.module(name)


@dataclass
class _Reached:
    symbols: set[Symbol] = field(default_factory=set)
    raisable: set[Symbol] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def _reached(sources: Sources, start: Symbol) -> _Reached:
    """All that a definition refers to, and what that refers to, and so on."""
    reached, waiting = _Reached(), [start]
    while waiting:
        symbol = waiting.pop()
        if symbol in reached.symbols:
            continue
        reached.symbols.add(symbol)
        references = References().of(sources.definition(symbol))
        reached.texts |= references.texts
        for node in references.used:
            known = sources.referred(symbol.module, node)
            if isinstance(known, Symbol):
                waiting.append(known)
            elif isinstance(known, str) and sources.module(known) is None:
                reached.packages.add(known.partition(".")[0])
        known_raisable = (sources.referred(symbol.module, node) for node in references.raisable)
        reached.raisable |= {known for known in known_raisable if isinstance(known, Symbol)}
    return reached


def _is_exception(sources: Sources, symbol: Symbol) -> bool:
    return isinstance(sources.definition(symbol), ast.ClassDef) and bool(sources.foreign_bases(symbol) & _BUILTIN)


@lru_cache(maxsize=1)
def _service_names() -> frozenset[str]:
    return frozenset(Loader().list_available_services("service-2"))


def _errors_of_services(texts: Iterable[str]) -> set[str]:
    """The classes that boto3's clients raise, of the services that the code names."""
    named = _service_names().intersection(texts)
    return {shape.name for name in named for shape in services.model(name).error_shapes}


_JSON_KINDS = {
    "str": {"string"},
    "int": {"number", "string"},
    "float": {"number", "string"},
    "bool": {"boolean", "string", "number"},
    "dict": {"object"},
    "list": {"array"},
    "None": {"null"},
}
"""What pydantic takes for a type, in JSON."""


def _payload(sources: Sources, handler: Symbol) -> Payload | None:
    """From `Model.model_validate(event)`, or from `event["key"]`; None if the handler does neither."""
    definition = sources.definition(handler)
    if not isinstance(definition, ast.FunctionDef) or not definition.args.args:
        return None
    event = definition.args.args[0].arg
    keys = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "model_validate":
            model = sources.referred(handler.module, node.func.value)
            if isinstance(model, Symbol) and node.args and _is_name(node.args[0], event):
                return _of_model(sources, model)
        if isinstance(node, ast.Subscript) and _is_name(node.value, event) and isinstance(node.slice, ast.Constant):
            keys.add(str(node.slice.value))
    return Payload({key: frozenset() for key in keys}, frozenset(keys)) if keys else None


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _of_model(sources: Sources, model: Symbol) -> Payload:
    kinds: dict[str, frozenset[str]] = {}
    required: set[str] = set()
    for symbol in reversed(list(sources.bases(model))):
        definition = sources.definition(symbol)
        for node in definition.body if isinstance(definition, ast.ClassDef) else ():
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = _alias(node.value) or node.target.id
                kinds[name] = _kinds(node.annotation)
                (required.add if _is_required(node.value) else required.discard)(name)
    return Payload(kinds, frozenset(required))


def _is_required(default: ast.expr | None) -> bool:
    """Whether a field has no default: none at all, or a `Field(…)` without one."""
    if default is None:
        return True
    if not (isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "Field"):
        return False
    given = {keyword.arg for keyword in default.keywords}
    has_default = bool(default.args) and not (
        isinstance(default.args[0], ast.Constant) and default.args[0].value is ...
    )
    return not (has_default or given & {"default", "default_factory"})


def _alias(default: ast.expr | None) -> str | None:
    if isinstance(default, ast.Call):
        for keyword in default.keywords:
            if keyword.arg in ("alias", "validation_alias") and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
    return None


def _kinds(annotation: ast.expr) -> frozenset[str]:
    """The JSON types that an annotation takes; empty if that cannot be told."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        left, right = _kinds(annotation.left), _kinds(annotation.right)
        return left | right if left and right else frozenset()
    if isinstance(annotation, ast.Subscript):
        return _kinds(annotation.value) if ast.unparse(annotation.value) in ("dict", "list") else frozenset()
    name = "None" if isinstance(annotation, ast.Constant) and annotation.value is None else ast.unparse(annotation)
    return frozenset(_JSON_KINDS.get(name, ()))

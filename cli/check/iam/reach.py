"""Which code a handler reaches, by reading it, and which calls of AWS stand there.

What is over-approximated, that is, taken for reached although no run may get there: every branch; every method of a
class that the reached code names, if the reached code uses an attribute of that name on anything; every function whose
name is mentioned. What is narrowed by a convention of this project: an adapter's method counts only where it is called
on what wiring calls it (`self.store.read`, `self._store.read`), so that `dict.get` is not `Table.get`.

What is not seen: calls by computed names (`getattr`), and those inside of libraries; `actions.LIBRARIES` has those.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

WIRING = "turbine.wiring"
_ROOTS = ("layers/core", "batch_jobs", "")


@dataclass
class Module:
    """A module's functions and classes, and what its imports bind: name to module and symbol ("" for a module)."""

    name: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    functions: dict[str, ast.AST] = field(default_factory=dict)
    classes: dict[str, dict[str, ast.AST]] = field(default_factory=dict)


@dataclass(frozen=True)
class PortCall:
    """A call of an adapter's method. `is_versioned`: an S3 object's version is given."""

    port: str
    method: str
    is_versioned: bool


@dataclass(frozen=True)
class Adapter:
    """What wiring hands to a use case as `port`: a class, and where its arguments come from.

    `arguments` are the names of the settings that it is made with.
    """

    port: str
    module: str
    name: str
    arguments: tuple[str, ...]


class Code:
    """The project's Python code by module, each file read when it is first asked for."""

    def __init__(self, project: Path, texts: Mapping[str, str] | None = None) -> None:
        """`texts` stand in for files of these names."""
        self._project = project
        self._roots = tuple(project / root for root in _ROOTS)
        self._texts = dict(texts or {})

    @functools.cache  # noqa: B019  lives as long as one proof
    def module(self, name: str) -> Module | None:
        """None for a module that is not the project's."""
        for root in self._roots:
            for path in (root / f"{name.replace('.', '/')}.py", root / name.replace(".", "/") / "__init__.py"):
                if path.is_file():
                    text = self._texts.get(path.relative_to(self._project).as_posix())
                    return _read(name, text or path.read_text(encoding="utf-8"))
        return None

    def port_calls(self, module: str, function: str) -> set[PortCall]:
        """The adapter calls that are reached from a function."""
        ports = set(self.ports())
        return {call for node in self.reached([(module, function)]) for call in _port_calls(node, ports)}

    def use_cases(self, handler: str) -> list[str]:
        """What a handler's module asks wiring for."""
        module = self.module(handler)
        return sorted(
            {
                node.attr
                for node in ast.walk(module.tree if module else ast.Module([], []))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wiring"
            }
        )

    def adapters(self, use_case: str) -> list[Adapter]:
        """What `wiring.<use_case>` joins, and what the handler hands to it besides."""
        wiring = self.module(WIRING)
        node = wiring.functions.get(use_case) if wiring else None
        found = [_adapter(one, _local_imports(node)) for one in _keywords(node)] if node is not None else []
        return [one for one in found if one is not None]

    @functools.cache  # noqa: B019
    def ports(self) -> tuple[str, ...]:
        """The names under which wiring hands adapters over, arguments of its functions included."""
        wiring = self.module(WIRING)
        functions = wiring.functions if wiring else {}
        adapters = {one.port for name in functions for one in self.adapters(name)}
        given = {
            argument.arg
            for node in functions.values()
            if isinstance(node, ast.FunctionDef)
            for argument in node.args.args
        }
        return tuple(sorted(adapters | given))

    def reached(self, starts: Iterable[tuple[str, str]]) -> list[ast.AST]:
        """Every function that is reached from `starts` (module and function), those themselves included."""
        return list(_Reach(self).from_(starts))


class _Reach:
    """Functions mentioned by reached code, and methods of mentioned classes whose names are used."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._nodes: dict[tuple[str, str], ast.AST] = {}
        self._classes: set[tuple[str, str]] = set()
        self._attributes: set[str] = set()

    def from_(self, starts: Iterable[tuple[str, str]]) -> Iterable[ast.AST]:
        for module, name in starts:
            self._symbol(module, name)
        while self._settle():
            pass
        return self._nodes.values()

    def _settle(self) -> bool:
        """Reach the methods of the classes found so far; whether there were new ones."""
        before = len(self._nodes)
        for module_name, class_name in sorted(self._classes):
            module = self._code.module(module_name)
            for method, node in (module.classes[class_name] if module else {}).items():
                if method in self._attributes or (method.startswith("__") and method.endswith("__")):
                    self._node(module_name, f"{class_name}.{method}", node)
        return len(self._nodes) > before

    def _symbol(self, module_name: str, name: str) -> None:
        module = self._code.module(module_name)
        if module is None:
            return
        if name in module.functions:
            self._node(module_name, name, module.functions[name])
        elif name in module.classes:
            self._classes.add((module_name, name))
        elif name in module.imports and module.imports[name] != (module_name, name):  # else a module of this package
            self._symbol(*module.imports[name])

    def _node(self, module_name: str, name: str, node: ast.AST) -> None:
        if (module_name, name) in self._nodes:
            return
        self._nodes[module_name, name] = node
        module = self._code.module(module_name)
        imports = {**(module.imports if module else {}), **_local_imports(node)}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute):
                self._attributes.add(inner.attr)
                if isinstance(inner.value, ast.Name) and inner.value.id in imports:
                    self._of_import(imports[inner.value.id], inner.attr)
            elif isinstance(inner, ast.Name):
                self._mentioned(module_name, inner.id, imports)

    def _mentioned(self, module_name: str, name: str, imports: Mapping[str, tuple[str, str]]) -> None:
        if name not in imports:
            self._symbol(module_name, name)
        elif imports[name][1]:
            self._symbol(*imports[name])

    def _of_import(self, imported: tuple[str, str], attribute: str) -> None:
        """`module.function` and `package.module.function`."""
        module, symbol = imported
        self._symbol(f"{module}.{symbol}" if symbol else module, attribute)


def aws_calls(code: Code, module_name: str, starts: Iterable[str]) -> set[str]:
    """The methods of clients that are named in what an adapter's methods (`Class.method`) reach in their module.

    The managed transfers of S3 are among them.
    """
    module = code.module(module_name)
    if module is None:
        return set()
    reach = _Within(module)
    for start in starts:
        reach.enter(start)
    return {name for node in reach.nodes.values() for name in method_names(node)}


class _Within:
    """What is reached inside of one module, method by method: `self.x` and names of functions."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self.nodes: dict[str, ast.AST] = {}

    def enter(self, name: str) -> None:
        class_name, _, method = name.rpartition(".")
        methods = self._module.classes.get(class_name, {})
        node = methods.get(method) if class_name else self._module.functions.get(name)
        if node is None or name in self.nodes:
            return
        self.nodes[name] = node
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and class_name and inner.attr in methods:
                self.enter(f"{class_name}.{inner.attr}")
            elif isinstance(inner, ast.Name):
                self.enter(inner.id)


def method_names(node: ast.AST) -> Iterator[str]:
    """Names of the methods that are called, and of the operations that paginators are asked for."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            if inner.func.attr == "get_paginator" and inner.args and isinstance(inner.args[0], ast.Constant):
                yield str(inner.args[0].value)
            yield inner.func.attr


def transacted(module: Module) -> set[str]:
    """The kinds of writes (`Put`, `Update`, …) that a module's transactions hold."""
    kinds = {"Put", "Update", "Delete", "ConditionCheck"}
    keys = (key for node in ast.walk(module.tree) if isinstance(node, ast.Dict) for key in node.keys)
    return {key.value for key in keys if isinstance(key, ast.Constant) and key.value in kinds}


def imported_modules(code: Code, start: str) -> list[Module]:
    """A module and all of the project's that it imports, anywhere in its text."""
    found: dict[str, Module] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        module = code.module(name)
        if module is None or name in found:
            continue
        found[name] = module
        imports = {**module.imports, **_local_imports(module.tree)}
        waiting += [one for source, symbol in imports.values() for one in (source, f"{source}.{symbol}")]
    return list(found.values())


def _port_calls(node: ast.AST, ports: set[str]) -> Iterator[PortCall]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            receiver = inner.func.value
            name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
            if name.lstrip("_") in ports:
                versioned = len(inner.args) > 1 or any(one.arg == "version_id" for one in inner.keywords)
                yield PortCall(name.lstrip("_"), inner.func.attr, versioned)


def _keywords(node: ast.AST | None) -> Iterator[ast.keyword]:
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call)) if node is not None else ()
    return (keyword for call in calls for keyword in call.keywords)


def _adapter(keyword: ast.keyword, imports: Mapping[str, tuple[str, str]]) -> Adapter | None:
    call = keyword.value
    if not (keyword.arg and isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        return None
    if call.func.id not in imports:
        return None
    arguments = [one.attr for argument in call.args for one in ast.walk(argument) if isinstance(one, ast.Attribute)]
    return Adapter(keyword.arg, *imports[call.func.id], tuple(arguments))


def _local_imports(node: ast.AST | None) -> dict[str, tuple[str, str]]:
    return _imports(ast.walk(node)) if node is not None else {}


def _imports(nodes: Iterable[ast.AST]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: (alias.name, "") for alias in node.names}
    return found


def _read(name: str, text: str) -> Module:
    module = Module(name, ast.parse(text))
    module.imports = _imports(ast.walk(module.tree))
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef):
            module.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
    return module

"""Python source read, not imported: definitions, and what they refer to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Module:
    """A module's top-level definitions, and where its other names come from: a module, or a name of a module."""

    name: str
    definitions: dict[str, Definition]
    imports: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Symbol:
    """A top-level definition of a module."""

    module: str
    name: str


@dataclass
class Sources:
    """The modules below some folders, each parsed when it is first asked for."""

    roots: tuple[Path, ...]
    _modules: dict[str, Module | None] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """None if no folder has it: it is somebody else's."""
        if name not in self._modules:
            self._modules[name] = self._parse(name)
        return self._modules[name]

    def _parse(self, name: str) -> Module | None:
        relative = Path(*name.split("."))
        for root in self.roots:
            for path in (root / relative.with_suffix(".py"), root / relative / "__init__.py"):
                if path.is_file():
                    return _module(name, path)
        return None

    def resolve(self, module: str, name: str) -> Symbol | str | None:
        """What a name stands for in a module: a definition, a module's name (also a foreign one's), or nothing."""
        for _ in range(8):  # a name may be handed on by several modules
            known = self.module(module)
            if known is None:
                return None
            if name in known.definitions:
                return Symbol(module, name)
            if name not in known.imports:
                return None
            origin, imported = known.imports[name]
            if not imported or self.module(f"{origin}.{imported}") is not None:
                return f"{origin}.{imported}" if imported else origin
            if self.module(origin) is None:
                return f"{origin}.{imported}"
            module, name = origin, imported
        return None

    def definition(self, symbol: Symbol) -> Definition:
        """The source of a definition."""
        module = self.module(symbol.module)
        assert module is not None
        return module.definitions[symbol.name]

    def referred(self, module: str, node: ast.AST) -> Symbol | str | None:
        """What `name` or `module.name` stands for."""
        if isinstance(node, ast.Name):
            return self.resolve(module, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.referred(module, node.value)
            if isinstance(owner, str):
                return self.resolve(owner, node.attr) if self.module(owner) is not None else f"{owner}.{node.attr}"
        return None

    def bases(self, symbol: Symbol) -> Iterator[Symbol]:
        """A class of these sources, and those it inherits from."""
        definition = self.definition(symbol)
        yield symbol
        for base in definition.bases if isinstance(definition, ast.ClassDef) else ():
            known = self.referred(symbol.module, base)
            if isinstance(known, Symbol):
                yield from self.bases(known)

    def foreign_bases(self, symbol: Symbol) -> set[str]:
        """The names of the classes that a class inherits from and that are not of these sources."""
        found = set()
        for one in self.bases(symbol):
            definition = self.definition(one)
            for base in definition.bases if isinstance(definition, ast.ClassDef) else ():
                if not isinstance(self.referred(one.module, base), Symbol):
                    found.add(ast.unparse(base))
        return found


def _module(name: str, path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    definitions: dict[str, Definition] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            definitions |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return Module(name, definitions, _imports(tree, name, path.name == "__init__.py"))


def _imports(tree: ast.Module, name: str, is_package: bool) -> dict[str, tuple[str, str]]:
    """Imports anywhere in the module, those within functions too."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, name.split("."), is_package)
            found |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
    return found


def _origin(node: ast.ImportFrom, package: Sequence[str], is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    kept = len(package) - node.level + (1 if is_package else 0)
    return ".".join([*package[:kept], *([node.module] if node.module else [])])


class References(ast.NodeVisitor):
    """What a definition refers to: anything by name, and which of it may leave as an error.

    What stands in an annotation, in an `except`, in `isinstance`, or as a base class is not raised there.
    """

    def __init__(self) -> None:
        self.used: list[ast.AST] = []
        self.raisable: list[ast.AST] = []
        self.texts: set[str] = set()

    def of(self, definition: Definition) -> References:
        self.visit(definition)
        return self

    def visit_Name(self, node: ast.Name) -> None:
        self._refer(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._refer(node)
        self.visit(node.value)

    def _refer(self, node: ast.AST) -> None:
        self.used.append(node)
        self.raisable.append(node)

    def _refer_quietly(self, node: ast.AST | None) -> None:
        if node is not None:
            self.used += [part for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            self._refer_quietly(base)
        for part in [*node.decorator_list, *node.keywords, *node.body]:
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._refer_quietly(node.annotation)
        if isinstance(node.target, ast.Name):
            self.texts.add(node.target.id)
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._refer_quietly(node.type)
        for part in node.body:
            self.visit(part)

    def visit_Call(self, node: ast.Call) -> None:
        self.texts |= {keyword.arg for keyword in node.keywords if keyword.arg}
        if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            for argument in node.args:
                self._refer_quietly(argument)
            return
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.texts.add(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring raises nothing
            self.visit(node.value)

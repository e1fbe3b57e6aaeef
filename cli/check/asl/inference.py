"""What a JSONata expression gives, as far as that follows from its text and from what is known of its variables.

On the way it tells what cannot work: variables that nobody assigns, fields that a result does not have, functions that
do not exist, operators on the wrong types, comparisons that are never true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from cli.check.asl import builtin_results, expressions, values
from cli.check.asl.expressions import Node
from cli.check.asl.values import ANY, BOOLEAN, NUMBER, STRING, Array, Object, Reply, Value

WHOLE = "*"
Report = Callable[[str, str, str], None]
"""Takes a rule, what is wrong, and what to write instead."""

_ARITHMETIC = ("+", "-", "*", "/", "%")
_ORDERED = ("<", "<=", ">", ">=")
_EQUAL = ("=", "!=")


@dataclass
class Scope:
    """What an expression may use, and notes of what it did use.

    `states` is `$states`; `maybe` are variables that only some paths assign. `read` says which fields of replies and
    inputs are read, and whether only to see if they are there; the field WHOLE is all of them.
    """

    variables: Mapping[str, Value]
    maybe: Set[str]
    states: Value
    used: set[str] = field(default_factory=set)
    read: set[tuple[Reply, str, bool]] = field(default_factory=set)


def infer(expression: str, scope: Scope, report: Report) -> Value:
    """The value of an expression; ANY, and a report, if it cannot be parsed."""
    try:
        tree = expressions.parse(expression)
    except expressions.ExpressionError as error:
        report("expression-syntax", f"`{expression}` is no JSONata: {error}", "mend the expression")
        return ANY
    return _Walk(scope, report, expression).value(tree, None, {})


class _Walk:
    """One walk through one expression. `context` is what bare names look into, None at the top where nothing is."""

    def __init__(self, scope: Scope, report: Report, expression: str) -> None:
        self._scope = scope
        self._report = report
        self._expression = expression
        self._asks_whether = False

    def value(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        """A node's value, its filters and its grouping applied."""
        result = self._plain(node, context, bound)
        for stage in [*(getattr(node, "predicate", None) or []), *(getattr(node, "stages", None) or [])]:
            result = self._filtered(stage, result, bound)
        group = getattr(node, "group", None)
        if group is not None:
            for key, item in group.lhs_object:
                self.value(key, ANY, bound)
                self.value(item, ANY, bound)
            return ANY
        return result

    def _plain(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        if node.type in ("string", "number"):
            return values.constant(node.value)
        if node.type == "value":
            return values.constant(node.value if isinstance(node.value, bool) else None)
        if node.type == "name":
            return self._bare(node.value, context)
        method = _METHODS.get(node.type)
        return method(self, node, context, bound) if method else ANY

    def _bare(self, name: str, context: Value | None) -> Value:
        if context is None:
            what = f"`{name}` in `{self._expression}` looks into a document, and Step Functions gives none"
            self._report("expression-without-context", what, f"name where it is: `$states.input.{name}`, or `${name}`")
            return ANY
        return self._field(context, name)

    def _variable(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        name = node.value
        if name in ("", "$"):
            return self._bare(name, context) if context is None else ANY
        if name in bound:
            return bound[name]
        if name == "states":
            return self._scope.states
        if name in self._scope.variables:
            self._scope.used.add(name)
            return self._scope.variables[name]
        if name in expressions.FUNCTIONS:
            return ANY
        self._scope.used.add(name)
        if name in self._scope.maybe:
            what = f"`${name}` is not assigned on every path that leads here"
            self._report("unassigned-variable", what, f"assign `{name}` on each path, or where the machine begins")
        else:
            what = f"`${name}` is assigned by no state before this one"
            self._report("unassigned-variable", what, f"assign `{name}` before, or use {self._similar(name)}")
        return ANY

    def _similar(self, name: str) -> str:
        known = sorted(self._scope.variables)
        return "one of " + ", ".join(f"`${one}`" for one in known) if known else f"another name than `${name}`"

    def _path(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        result: Value = ANY
        inner = dict(bound)
        for index, step in enumerate(node.steps):
            at = context if index == 0 else result
            result = self._step(step, at, inner, is_first=index == 0)
            for name in (getattr(step, "focus", None), getattr(step, "index", None)):
                if isinstance(name, str):
                    inner[name] = ANY
        return result

    def _step(self, step: Node, at: Value | None, bound: dict[str, Value], *, is_first: bool) -> Value:
        if is_first or step.type == "variable":
            return self.value(step, at, bound)
        if step.type == "sort":
            self._sort(step, _items(at or ANY), bound)
            return at or ANY
        return _mapped(at or ANY, lambda item: self.value(step, item, bound))

    def _field(self, value: Value, name: str) -> Value:
        found = [self._field_of(option, name) for option in values.options(value)]
        known = [one for one in found if one is not None]
        if not known:
            rule = "states-field" if value == self._scope.states else "unknown-field-of-value"
            what = f"`{self._expression}` asks for `{name}`, which is not there{_fields_there(value)}"
            self._report(rule, what, "use a field that is there")
            return ANY
        return values.join_all(known)

    def _field_of(self, value: Value, name: str) -> Value | None:
        """None if there can be no such field."""
        if isinstance(value, Object):
            return value.get(name)
        if isinstance(value, Array):
            return _mapped(value, lambda item: self._field(item, name))
        if isinstance(value, Reply):
            self._scope.read.add((value, name, self._asks_whether))
            return Reply(value.source, (*value.steps, name))
        return None if isinstance(value, values.Scalar) else ANY

    def _filtered(self, stage: Node, value: Value, bound: dict[str, Value]) -> Value:
        if stage.type != "filter":
            return value
        item = _items(value)
        chosen = self.value(stage.expr, item, bound)
        if not isinstance(value, Array):
            return value
        return item if values.kinds(chosen) == frozenset({"number"}) else values.join(item, value)

    def _binary(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        left, right = self.value(node.lhs, context, bound), self.value(node.rhs, context, bound)
        sign = node.value
        if sign == "&":
            return STRING
        if sign == "..":
            self._need(("number",), sign, left, right)
            return Array(NUMBER)
        if sign in _ARITHMETIC:
            self._need(("number",), sign, left, right)
            return builtin_results.calculated(sign, left, right)
        if sign in _ORDERED:
            self._need(("number", "string"), sign, left, right)
            self._need_alike(sign, left, right)
        elif sign in _EQUAL:
            self._compare(sign, left, right)
        return BOOLEAN

    def _need(self, kinds: tuple[str, ...], sign: str, *operands: Value) -> None:
        for operand in operands:
            known = values.kinds(operand)
            if known is not None and not known & {*kinds, "array"}:
                what = f"`{sign}` in `{self._expression}` takes {' or '.join(kinds)}, not {_listed(known)}"
                self._report("expression-type", what, f"convert it: `$number(…)`, or use another operator than {sign}")

    def _need_alike(self, sign: str, left: Value, right: Value) -> None:
        ones, others = values.kinds(left), values.kinds(right)
        if ones is not None and others is not None and not ones & others:
            what = f"`{sign}` in `{self._expression}` compares {_listed(ones)} with {_listed(others)}"
            self._report("expression-type", what, "convert one of them: `$number(…)` or `$string(…)`")

    def _compare(self, sign: str, left: Value, right: Value) -> None:
        ones, others = values.constants(left), values.constants(right)
        if ones is not None and others is not None:
            is_possible = bool(ones & others)
        else:
            kinds_left, kinds_right = values.kinds(left), values.kinds(right)
            is_possible = kinds_left is None or kinds_right is None or bool(kinds_left & kinds_right)
        if not is_possible:
            always = "never true" if sign == "=" else "always true"
            known = ones if ones is not None and len(ones) > 1 else others
            among = f": the value is one of {_shown(known)}" if known and len(known) > 1 else ": the types differ"
            self._report(
                "comparison-decided",
                f"a comparison in `{self._expression}` is {always}{among}",
                "compare with a value that can be",
            )

    def _unary(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        if node.value == "-":
            self._need(("number",), "-", self.value(node.expression, context, bound))
            return NUMBER
        if node.value == "[":
            return self._array(node, context, bound)
        fields: dict[str, Value] = {}
        rest: Value | None = None
        for key, item in node.lhs_object:
            name = values.constants(self.value(key, context, bound))
            content = self.value(item, context, bound)
            if name is None or len(name) != 1:
                rest = ANY
            else:
                fields[str(next(iter(name)))] = content
        return values.of_object(fields, rest)

    def _array(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        return Array(values.join_all(_flat(self.value(item, context, bound), item) for item in node.expressions))

    def _call(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        procedure = node.procedure
        before, self._asks_whether = self._asks_whether, self._asks_whether or procedure.value == "exists"
        given = [self.value(item, context, bound) for item in node.arguments if item.type != "operator"]
        self._asks_whether = before
        self._scope.read |= {(one, WHOLE, False) for one in given if isinstance(one, Reply)}
        if procedure.type != "variable" or procedure.value in bound:
            self.value(procedure, context, bound)
            return ANY
        name = procedure.value
        if name not in expressions.FUNCTIONS and name not in self._scope.variables:
            self._report(
                "unknown-function",
                f"`${name}(…)` in `{self._expression}` is no function of JSONata or of Step Functions",
                "`$parse` for JSON text" if name in expressions.REFUSED_FUNCTIONS else "use a function that there is",
            )
            return ANY
        if node.type == "partial":
            return ANY
        if name == "merge":
            return self._merged(node.arguments, context, bound)
        if name == "sort" and given:
            return given[0]
        return builtin_results.OF_FUNCTION.get(name, ANY)

    def _merged(self, arguments: list[Node], context: Value | None, bound: dict[str, Value]) -> Value:
        """`$merge([a, b])`: the fields of all, those of the last first."""
        if len(arguments) != 1 or arguments[0].type != "unary" or arguments[0].value != "[":
            return ANY
        fields: dict[str, Value] = {}
        rest: Value | None = None
        for item in arguments[0].expressions:
            part = self.value(item, context, bound)
            if isinstance(part, Object):
                fields |= dict(part.fields)
                rest = part.rest if rest is None else ANY
            else:
                rest = ANY
        return values.of_object(fields, rest)

    def _lambda(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        self.value(node.body, context, {**bound, **{argument.value: ANY for argument in node.arguments}})
        return ANY

    def _block(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        inner = dict(bound)
        result: Value = ANY
        for item in node.expressions:
            result = self.value(item, context, inner)
        return result

    def _bind(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        bound[node.lhs.value] = ANY  # a function may call itself
        result = self.value(node.rhs, context, bound)
        bound[node.lhs.value] = result
        return result

    def _condition(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        self.value(node.condition, context, bound)
        then = self.value(node.then, context, bound)
        otherwise = getattr(node, "_else", None)
        return ANY if otherwise is None else values.join(then, self.value(otherwise, context, bound))

    def _apply(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        self.value(node.lhs, context, bound)
        self.value(node.rhs, context, bound)
        return ANY

    def _transform(self, node: Node, _: Value | None, bound: dict[str, Value]) -> Value:
        for part in (node.pattern, node.update, getattr(node, "delete", None)):
            if part is not None:
                self.value(part, ANY, bound)
        return ANY

    def _sort(self, node: Node, context: Value | None, bound: dict[str, Value]) -> Value:
        for term in node.terms:
            self.value(term.expression, context or ANY, bound)
        return ANY


_METHODS: dict[str, Callable[[_Walk, Node, Value | None, dict[str, Value]], Value]] = {
    "path": _Walk._path,
    "variable": _Walk._variable,
    "binary": _Walk._binary,
    "unary": _Walk._unary,
    "function": _Walk._call,
    "partial": _Walk._call,
    "lambda": _Walk._lambda,
    "block": _Walk._block,
    "bind": _Walk._bind,
    "condition": _Walk._condition,
    "apply": _Walk._apply,
    "transform": _Walk._transform,
    "sort": _Walk._sort,
}
"""By the parser's names of nodes; of others (wildcards, regular expressions) nothing is known."""


def _items(value: Value) -> Value:
    """What a filter or a step sees: the items of a list, or the value itself."""
    return value.item if isinstance(value, Array) else value


def _mapped(value: Value, step: Callable[[Value], Value]) -> Value:
    """A step over a list is a list, or its one item alone."""
    if not isinstance(value, Array):
        return step(value)
    result = step(value.item)
    return values.join(result, Array(result))


def _flat(value: Value, node: Node) -> Value:
    """What a part of a list's constructor adds: `..` adds its numbers."""
    return value.item if isinstance(value, Array) and node.type == "binary" else value


def _fields_there(value: Value) -> str:
    names = sorted(
        {name for option in values.options(value) if isinstance(option, Object) for name, _ in option.fields}
    )
    return f": it has {', '.join(names)}" if names else ""


def _listed(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))


def _shown(constants: Any) -> str:
    return ", ".join(sorted(map(str, constants)))

"""JSONata that cannot be read, or that asks for what is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.mutation import trees
from tests.mutation.trees import Mutations, Steps

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(?!\w*\()")
_FUNCTION = re.compile(r"\$([A-Za-z_]\w*)\(")
_FIELD = re.compile(r"(?<=\.)([A-Za-z_]\w*)")
_STATES = re.compile(r"\$states\.(input|result|errorOutput)")
_COMPARED = re.compile(r"= '([^']+)'")


def _expressions(tree: Any) -> Iterator[tuple[Steps, str]]:
    for steps, value in trees.walk(tree):
        if isinstance(value, str) and value.startswith("{%"):
            yield steps, value


def _replaced(tree: Any, pattern: re.Pattern[str], others: Callable[[str], Iterator[str]]) -> Mutations:
    for steps, text in _expressions(tree):
        quoted = [match.span() for match in re.finditer(r"'[^']*'|\$\{\w+\}", text)]
        for match in pattern.finditer(text):
            if any(start <= match.start(1) < end for start, end in quoted):
                continue
            for other in others(match[1]):
                changed = text[: match.start(1)] + other + text[match.end(1) :]
                yield f"{trees.place(steps)} {match[1]} -> {other}", trees.with_value(tree, steps, changed)


def misspelt_variables(tree: Any) -> Mutations:
    yield from _replaced(tree, _VARIABLE, trees.misspelt)


def misspelt_functions(tree: Any) -> Mutations:
    yield from _replaced(tree, _FUNCTION, trees.misspelt)


def misspelt_fields(tree: Any) -> Mutations:
    """Fields of paths, but those of stored items: only our own code gives those their names."""
    for steps, text in _expressions(tree):
        for match in _FIELD.finditer(text):
            before = text[: match.start(1)]
            is_quoted = before.count("'") % 2 == 1
            if is_quoted or before.endswith(".Item.") or re.search(r"\d\.$", before):
                continue
            for other in trees.misspelt(match[1]):
                changed = before + other + text[match.end(1) :]
                yield f"{trees.place(steps)} .{match[1]} -> .{other}", trees.with_value(tree, steps, changed)


def misplaced_states_fields(tree: Any) -> Mutations:
    """`$states.result` where there is none yet, `$states.errorOutput` outside a Catch."""
    for steps, text in _expressions(tree):
        match = _STATES.search(text)
        if match is None:
            continue
        in_catch, after = "Catch" in steps, "Assign" in steps or "Output" in steps
        for other in ("result", "errorOutput"):
            is_there = (other == "errorOutput" and in_catch) or (
                other == "result" and after and not in_catch and _has_result(tree, steps)
            )
            if not is_there:
                changed = text[: match.start(1)] + other + text[match.end(1) :]
                yield f"{trees.place(steps)} {match[0]} -> {other}", trees.with_value(tree, steps, changed)


def _has_result(tree: Any, steps: Steps) -> bool:
    last = len(steps) - 1 - steps[::-1].index("States")
    return trees.at(tree, steps[: last + 2])["Type"] in ("Task", "Map", "Parallel")


def broken_syntax(tree: Any) -> Mutations:
    for steps, text in _expressions(tree):
        body = text[2:-2].strip()
        for changed in (f"{{% {body}) %}}", f"{{% {body} & %}}", f"{{% ({body} %}}", f"{{% {body} {body} %}}"):
            yield f"{trees.place(steps)} {changed}", trees.with_value(tree, steps, changed)


def wrong_operands(tree: Any) -> Mutations:
    for steps, text in _expressions(tree):
        for match in re.finditer(r" ([<>]=?|\+|\*) ", text):
            changed = f"{text[: match.end()]}'text' {text[match.end() :].replace('%}', '', 1) and '%}'}"
            yield f"{trees.place(steps)} {match[1]} 'text'", trees.with_value(tree, steps, changed)


def assignments(tree: Any) -> Mutations:
    """A variable of another name, and one that is assigned no more."""
    found = [(steps, value) for steps, value in trees.walk(tree) if steps and steps[-1] == "Assign"]
    for steps, value in found:
        for name in value:
            for other in trees.misspelt(name):
                if other not in value:
                    yield f"{trees.place(steps)}/{name} -> {other}", trees.renamed(tree, (*steps, name), other)
            if sum(name in one for _, one in found) == 1:
                yield f"{trees.place(steps)}/{name} away", trees.without(tree, (*steps, name))


def wrong_resources(tree: Any) -> Mutations:
    for steps, state in trees.states(tree):
        resource = state.get("Resource")
        if resource:
            others = [*trees.misspelt(resource), resource.replace(":::", "::"), resource + ".sync:3", resource.upper()]
            service, _, action = resource.rpartition(":" if not resource.endswith(":2") else ":states:")
            others += [f"{service}:{other}" for other in trees.misspelt(action.split(".")[0])]
            if resource.endswith(".sync"):
                others.append(resource.replace(".sync", ".sinc"))
            if "lambda" in resource or "dynamodb" in resource or "aws-sdk" in resource:
                others.append(f"{resource}.sync")
            for other in others:
                yield f"{trees.place(steps)}/Resource = {other}", trees.with_value(tree, (*steps, "Resource"), other)


def impossible_comparisons(tree: Any) -> Mutations:
    """Against an enum of the service, or a status that the other machine never gives."""
    for steps, text in _expressions(tree):
        if "$owner_status" in text or "$swap.status" in text or "$promotion.status" in text:
            for match in _COMPARED.finditer(text):
                if "$swap" in text:
                    continue  # what the function answers is known by its keys only
                changed = text[: match.start(1)] + match[1][:-1] + text[match.end(1) :]
                yield f"{trees.place(steps)} '{match[1]}'", trees.with_value(tree, steps, changed)

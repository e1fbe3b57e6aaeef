"""The `${…}` of a definition and its template: each used one is given, each given one used, each in the right place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cli.check.asl.definition import SUBSTITUTION
from cli.check.asl.report import Report
from cli.check.asl.structure import instead
from cli.check.asl.tasks import FUNCTION_TYPES, MACHINE_TYPES, TABLE_TYPES
from cli.check.documents import Document, Steps
from cli.check.templates import Machine, Substitution

_WANTED = {
    "FunctionName": FUNCTION_TYPES,
    "StateMachineArn": MACHINE_TYPES,
    "TableName": TABLE_TYPES,
    "JobQueue": ("AWS::Batch::JobQueue",),
    "JobDefinition": ("AWS::Batch::JobDefinition",),
    "EventBusName": ("AWS::Events::EventBus",),
    "TopicArn": ("AWS::SNS::Topic",),
    "QueueUrl": ("AWS::SQS::Queue",),
}
"""By argument: the resources that can stand there."""


def check(written: Document, machine: Machine, report: Report) -> None:
    """`written` is the definition before anything was filled in."""
    used = list(_used(written.value, ()))
    given = machine.substitutions
    for name, steps, _ in used:
        if name not in given:
            what = f"`${{{name}}}` is given by no DefinitionSubstitutions of {machine.logical_id}"
            report.add(steps, "substitution-missing", what, instead(name, set(given)))
    for name, substitution in given.items():
        at = (machine.template.name, machine.template.line((*machine.steps, name)))
        if name not in {one for one, _, _ in used}:
            what = f"{machine.logical_id} is given `{name}`, which {written.name} does not use"
            report.add_at(*at, (), "substitution-unused", what, "remove it, or use it")
        if substitution.target and not substitution.target.startswith("AWS::") and substitution.target != name:
            what = f"`{name}` of {machine.logical_id} is {substitution.target}"
            report.add_at(*at, (), "substitution-name", what, f"call it {substitution.target}, or refer to {name}")
    _check_kinds(used, given, report)


def _used(value: Any, steps: Steps) -> Iterator[tuple[str, Steps, str]]:
    """Names of substitutions, where they stand, and the text they stand in."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ((name, (*steps, key), key) for name in SUBSTITUTION.findall(key))
            yield from _used(item, (*steps, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _used(item, (*steps, index))
    elif isinstance(value, str):
        yield from ((name, steps, value) for name in SUBSTITUTION.findall(value))


def _check_kinds(used: list[tuple[str, Steps, str]], given: Mapping[str, Substitution], report: Report) -> None:
    places: dict[str, dict[str, list[Steps]]] = defaultdict(lambda: defaultdict(list))
    for name, steps, text in used:
        argument = str(steps[-1])
        is_whole = text == f"${{{name}}}"
        substitution = given.get(name)
        if substitution is None:
            continue
        if argument not in _WANTED or not is_whole:
            _check_elsewhere(name, substitution, steps, text, report)
            continue
        if substitution.type and not substitution.is_parameter and substitution.type not in _WANTED[argument]:
            _refuse(name, argument, f"a {substitution.type}", steps, report)
        elif substitution.target.startswith("AWS::") or substitution.type == "Number" or _is_number(substitution.text):
            _refuse(name, argument, substitution.target or substitution.text or "", steps, report)
        else:
            places[name][argument].append(steps)
    for name, by_argument in places.items():
        commonest = max(by_argument, key=lambda argument: len(by_argument[argument]))
        for argument, found in by_argument.items():
            if argument != commonest:
                for steps in found:
                    _refuse(name, argument, f"a {commonest} elsewhere", steps, report)


def _check_elsewhere(name: str, substitution: Substitution, steps: Steps, text: str, report: Report) -> None:
    """A function's or a machine's ARN has no other place than the argument that calls it."""
    if substitution.type in (*FUNCTION_TYPES, *MACHINE_TYPES) and steps[-1] != "Resource":
        what = f"`${{{name}}}` stands in `{text}`, and is a {substitution.type}"
        report.add(steps, "substitution-kind", what, "use the substitution that is meant")


def _refuse(name: str, argument: str, kind: str, steps: Steps, report: Report) -> None:
    what = f"`{argument}` is `${{{name}}}`, which is {kind}"
    report.add(steps, "substitution-kind", what, f"put {' or '.join(_WANTED[argument])} there")


def _is_number(text: str | None) -> bool:
    return text is not None and text.replace(".", "", 1).isdigit()

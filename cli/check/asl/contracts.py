"""What a machine asks of its callers and gives them, as far as its own definition says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.check.asl import values
from cli.check.asl.function_code import Payload
from cli.check.asl.report import Report
from cli.check.asl.structure import instead
from cli.check.asl.values import ANY, Object, Value
from cli.check.documents import Steps


@dataclass
class Contract:
    """`needs` and `reads` are keys of the input; `escapes` says that its whole goes where reading ends.

    `timeout_s` is the machine's own.
    """

    needs: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    escapes: bool = False
    output: Value = ANY
    timeout_s: int | None = None


def check_payload(value: Value, payload: Payload, steps: Steps, report: Report) -> None:
    """What a function is given, against what its handler reads."""
    for option in values.options(value):
        if not isinstance(option, Object):
            continue
        given = dict(option.fields)
        known = set(payload.kinds)
        for name, item in given.items():
            if name not in known:
                report.add((*steps, name), "payload-key", f"the function reads no `{name}`", instead(name, known))
                continue
            kinds, taken = values.kinds(item), payload.kinds[name]
            if kinds is not None and taken and not kinds & taken:
                what = f"the function takes {' or '.join(sorted(taken))} for `{name}`, not {' or '.join(sorted(kinds))}"
                report.add((*steps, name), "payload-key", what, f"give {' or '.join(sorted(taken))}")
        if option.rest is None:
            _missing(payload.required, given, "payload-key", "the function needs", steps, report)


def check_input(value: Value, contract: Contract, steps: Steps, report: Report) -> None:
    """What a machine is started with, against what it reads of its input."""
    for option in values.options(value):
        if not isinstance(option, Object) or option.rest is not None:
            continue
        given = dict(option.fields)
        _missing(contract.needs, given, "child-input", "the machine that is started reads", steps, report)
        for name in given:
            if name not in contract.reads and not contract.escapes:
                what = f"the machine that is started never reads `{name}`"
                report.add((*steps, name), "child-input", what, instead(name, contract.reads))


def _missing(
    needed: set[str] | frozenset[str], given: Mapping[str, Value], rule: str, who: str, steps: Steps, report: Report
) -> None:
    for name in sorted(needed - set(given)):
        report.add(steps, rule, f"{who} `{name}`, which is not given", f"add `{name}`")

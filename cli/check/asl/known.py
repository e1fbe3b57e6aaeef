"""What holds where a state begins, on every path that leads there.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cli.check.asl import values
from cli.check.asl.values import ANY, NUMBER, STRING, Object, Reply, Value

INPUT = "input"
"""The source of what a machine is started with."""

ERROR_OUTPUT = values.of_object({"Error": STRING, "Cause": STRING})
"""`$states.errorOutput`."""

_DEPTH_MAX = 10
_EXECUTION: dict[str, Value] = {
    **dict.fromkeys(("Id", "Name", "RoleArn", "StartTime", "RedriveTime"), STRING),
    "Input": Reply(INPUT),
    "RedriveCount": NUMBER,
}
_CONTEXT: dict[str, Value] = {
    "Execution": values.of_object(_EXECUTION),
    "StateMachine": values.of_object({"Id": STRING, "Name": STRING}),
    "State": values.of_object({"EnteredTime": STRING, "Name": STRING, "RetryCount": NUMBER}),
}


@dataclass(frozen=True)
class Known:
    """What holds when a state begins.

    `maybe` are variables that only some of the paths assign; `item` is what a Map works on, None outside one.
    """

    variables: Mapping[str, Value] = field(default_factory=dict)
    maybe: frozenset[str] = frozenset()
    input: Value = ANY
    item: Value | None = None

    def joined(self, other: Known) -> Known:
        """What holds if either holds."""
        both = self.variables.keys() & other.variables.keys()
        every = self.variables.keys() | other.variables.keys() | self.maybe | other.maybe
        return Known(
            {name: values.join(self.variables[name], other.variables[name]) for name in both},
            frozenset(every - both),
            values.join(self.input, other.input),
            self.item,
        )

    def after(self, assigned: Mapping[str, Value], output: Value) -> Known:
        """What holds for the state that follows."""
        variables = {**self.variables, **{name: _capped(value) for name, value in assigned.items()}}
        return replace(self, variables=variables, maybe=self.maybe - assigned.keys(), input=_capped(output))

    def states(self, *, has_token: bool = False) -> Object:
        """`$states` where there is neither a result nor an error."""
        context = dict(_CONTEXT)
        if has_token:
            context["Task"] = values.of_object({"Token": STRING})
        if self.item is not None:
            item = values.of_object({"Index": NUMBER, "Value": self.item, "Key": STRING, "Source": STRING})
            context["Map"] = values.of_object({"Item": item})
        return values.of_object({"input": self.input, "context": values.of_object(context)})


def _capped(value: Value) -> Value:
    """Loops could nest a value without end."""
    return ANY if values.depth(value) > _DEPTH_MAX else value

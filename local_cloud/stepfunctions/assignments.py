"""Variables take their new values when a state ends: every expression in the state sees the ones it began with.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_cloud.replacements import Replacement


def _evaluate_assign(self: Any, env: Any) -> None:
    """Evaluate all bindings; they hold from the state's end on."""
    values: dict[str, Any] = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        values.update(env.stack.pop())
    env.__dict__["_assigned"] = values


def _leave(original: Callable[..., Any]) -> Callable[..., Any]:
    def exited_event_details(self: Any, env: Any) -> Any:
        for name, value in env.__dict__.pop("_assigned", {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=value)
        return original(self, env)

    return exited_event_details


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.stepfunctions.parser.asl.component.common.assign.assign_decl:AssignDecl._eval_body",
        build=lambda _: _evaluate_assign,
        why="OutputPath and Output of the same state see the new values",
    ),
    Replacement(
        target="moto.stepfunctions.parser.asl.component.state.state:CommonStateField._get_state_exited_event_details",
        build=_leave,
        why="this is where a state's assignments take effect",
    ),
]

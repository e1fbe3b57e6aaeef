"""Walks a machine's definition, one Task at a time: what our machines use of ASL with JSONata, and no more.

An execution is a strand, or several within a Map: generators that stop before each Task, and while they wait. Who
steps them decides the order of everything. A state or field that this does not know is an error, so that no machine
outgrows it unseen. The embedded cloud's interpreter is another one, which runs in time and is measured against AWS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lifecycle.expressions import rendered

Ready = Callable[[], bool]
Steps = Generator[Ready, None, Any]  # what it returns is the result

_KNOWN = {
    "Task": {"Resource", "Arguments", "TimeoutSeconds", "Retry", "Catch", "Output"},
    "Choice": {"Choices", "Default"},
    "Map": {"Items", "MaxConcurrency", "ItemProcessor"},
    "Wait": {"Seconds"},
    "Pass": {"Output"},
    "Succeed": {"Output"},
    "Fail": {"Error", "Cause"},
}
_ANYWHERE = {"Type", "Comment", "Assign", "Next", "End"}
LIVE = "RUNNING"


def now() -> bool:
    """Ready at once."""
    return True


class TaskError(Exception):
    """A Task's failure, or a machine's: an error's name and its cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


@dataclass
class Execution:
    """An execution, and where it stands: a redrive goes on from `state` with `variables` and `given`."""

    arn: str
    name: str
    machine: str
    input: Any
    started_at: str
    state: str
    given: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    status: str = LIVE
    redrive_count: int = 0
    output: Any = None
    error: str | None = None
    cause: str | None = None
    visited: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Strand:
    """Something that goes on by steps. It ends with `result` or with `failure`; `done` says so."""

    name: str
    steps: Steps
    owner: Execution | None = None
    ready: Ready = now
    is_busy: bool = False
    done: bool = False
    result: Any = None
    failure: TaskError | None = None

    def step(self) -> None:
        """Go on to the next stop."""
        self.is_busy = True
        try:
            self.ready = next(self.steps)
        except StopIteration as stop:
            self.done, self.result = True, stop.value
        except TaskError as failure:
            self.done, self.failure = True, failure
        finally:
            self.is_busy = False


@dataclass(frozen=True)
class Interpreter:
    """`call` answers a Task; `spawn` makes a strand of a Map's iteration; `clock` gives the time as ISO 8601."""

    call: Callable[[Execution, str, Any], Steps]
    spawn: Callable[[str, Steps, Execution], Strand]
    clock: Callable[[], str]

    def run(self, definition: Mapping[str, Any], execution: Execution) -> Steps:
        """The steps of an execution, from the state where it stands; the value at the end is its output."""

        def stand(state: str, given: Any) -> None:
            execution.state, execution.given = state, given

        return self._walk(definition["States"], execution, execution.state, execution.given, execution.variables, stand)

    def _walk(
        self,
        states: Mapping[str, Any],
        execution: Execution,
        name: str,
        given: Any,
        variables: dict[str, Any],
        stand: Callable[[str, Any], None],
    ) -> Steps:
        while True:
            stand(name, given)
            execution.visited.append(name)
            state = states[name]
            unknown = set(state) - _KNOWN[state["Type"]] - _ANYWHERE
            assert not unknown, f"{name} uses {', '.join(sorted(unknown))}, which this interpreter does not know"
            step = _Step(name, state, execution, given, variables, self.clock())
            following, given = yield from self._entered(step)
            if following is None:
                return given
            name = following

    def _entered(self, step: _Step) -> Steps:
        """A state's steps; the next state, None at the end, and what goes on from it."""
        kind = step.state["Type"]
        if kind == "Choice":
            return step.chosen(), step.given
        if kind == "Fail":
            raise TaskError(step.evaluated("Error"), step.evaluated("Cause"))
        if kind == "Task":
            return (yield from self._task(step))
        result = step.given
        if kind == "Map":
            result = yield from self._map(step)
            step.bind("result", result)
        if kind == "Wait":
            assert step.evaluated("Seconds") >= 0
            yield now
        return step.left(result)

    def _task(self, step: _Step) -> Steps:
        retried: Counter[int] = Counter()
        while True:
            yield now
            step.retry_count = retried.total()
            try:
                result = yield from self.call(
                    step.execution, step.state["Resource"], rendered(step.state["Arguments"], step.bindings())
                )
            except TaskError as failure:
                number = _matching(step.state.get("Retry", []), failure.error)
                if number is not None and retried[number] < step.state["Retry"][number]["MaxAttempts"]:
                    retried[number] += 1
                    continue
                return step.caught(failure)
            step.bind("result", result)
            return step.left(result)

    def _map(self, step: _Step) -> Steps:
        processor = step.state["ItemProcessor"]
        assert processor["ProcessorConfig"]["Mode"] == "INLINE"
        strands = [
            self.spawn(f"{step.execution.name}/{index}", self._iteration(processor, step, item), step.execution)
            for index, item in enumerate(step.evaluated("Items"))
        ]
        yield lambda: all(strand.done for strand in strands)
        for strand in strands:
            if strand.failure is not None:
                raise strand.failure
        return [strand.result for strand in strands]

    def _iteration(self, processor: Mapping[str, Any], step: _Step, item: Any) -> Steps:
        variables = dict(step.variables)
        return self._walk(
            processor["States"], step.execution, processor["StartAt"], item, variables, lambda _state, _given: None
        )


@dataclass
class _Step:
    """A state that was entered."""

    name: str
    state: Mapping[str, Any]
    execution: Execution
    given: Any
    variables: dict[str, Any]
    entered_at: str
    retry_count: int = 0
    _more: dict[str, Any] = field(default_factory=dict)

    def bind(self, name: str, value: Any) -> None:
        """`$states.<name>`."""
        self._more[name] = value

    def bindings(self) -> dict[str, Any]:
        execution = self.execution
        context = {
            "Execution": {
                "Id": execution.arn,
                "Name": execution.name,
                "StartTime": execution.started_at,
                "RedriveCount": execution.redrive_count,
            },
            "State": {"Name": self.name, "EnteredTime": self.entered_at, "RetryCount": self.retry_count},
        }
        return {**self.variables, "states": {"input": self.given, "context": context, **self._more}}

    def evaluated(self, name: str) -> Any:
        return rendered(self.state[name], self.bindings())

    def chosen(self) -> str:
        for choice in self.state["Choices"]:
            condition = rendered(choice["Condition"], self.bindings())
            assert isinstance(condition, bool), f"{self.name}: {choice['Condition']} is no boolean"
            if condition:
                return str(choice["Next"])
        return str(self.state["Default"])

    def left(self, result: Any) -> tuple[str | None, Any]:
        return self._out(self.state, result)

    def caught(self, failure: TaskError) -> tuple[str | None, Any]:
        number = _matching(self.state.get("Catch", []), failure.error)
        if number is None:
            raise failure
        error_output = {"Error": failure.error, "Cause": failure.cause}
        self.bind("errorOutput", error_output)
        return self._out(self.state["Catch"][number], error_output)

    def _out(self, fields: Mapping[str, Any], result: Any) -> tuple[str | None, Any]:
        """Assign and Output see the same variables: those from before."""
        bindings = self.bindings()
        assigned = rendered(fields.get("Assign", {}), bindings)
        output = rendered(fields["Output"], bindings) if "Output" in fields else result
        self.variables.update(assigned)
        return fields.get("Next"), output


def _matching(rules: list[Mapping[str, Any]], error: str) -> int | None:
    """The first Retry or Catch that names an error. `States.TaskFailed` stands for all but a timeout."""
    for number, rule in enumerate(rules):
        names = rule["ErrorEquals"]
        if error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout"):
            return number
    return None

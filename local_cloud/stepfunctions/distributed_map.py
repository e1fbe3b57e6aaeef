"""Distributed Map: every item or batch is a child execution with its own history, context and variables.

A run fails when more children fail than it tolerates; then the rest is not started. Children are not executions that
the API lists: their names stand in the written results only.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html and
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import datetime
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.api import (
    HistoryEventType,
    MapRunFailedEventDetails,
    MapRunStatus,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType as Names,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError, ProgramTimedOut
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import aborts, failures, integrations, map_items, map_runs, resuming
from local_cloud.stepfunctions.map_items import Format, Results
from local_cloud.stepfunctions.normalisation import iso

_WIDEST = 40
"""How many children run at once here, however many more AWS would run."""


@dataclass
class Child:
    """A child execution of a Map Run."""

    index: int
    input: Any
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    redrives: int = 0
    status: str = "PENDING"
    output: Any = None
    error: str | None = None
    cause: str | None = None
    started: datetime.datetime | None = None
    stopped: datetime.datetime | None = None


def _failure(env: Any, name: Names, cause: str) -> FailureEventException:
    details = MapRunFailedEventDetails(error=name.to_name(), cause=cause)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.MapRunFailed,
            event_details=EventDetails(mapRunFailedEventDetails=details),
        )
    )


def _evaluate(self: Any, env: Any) -> None:
    """Run the children and leave their outputs, with what the result writer needs, behind."""
    given = env.stack.pop()
    record = given.map_run_record
    map_runs.begin(env, record)
    try:
        run = _Run(self, env, given)
        run.work()
    except NoSuchJsonPathError as missing:
        record.set_stop(status=MapRunStatus.FAILED)
        raise failures.missing_path(env, missing) from missing
    except FailureEventException as failure:
        record.set_stop(status=MapRunStatus.FAILED)
        error, cause = failure.extract_error_cause_pair() or (None, None)
        details = MapRunFailedEventDetails(**{k: v for k, v in (("error", error), ("cause", cause)) if v})
        _add(env, HistoryEventType.MapRunFailed, EventDetails(mapRunFailedEventDetails=details))
        raise
    if not env.is_running():
        record.set_stop(status=MapRunStatus.ABORTED)
        return
    results = getattr(self, "results", None)
    env.__dict__["_children"] = (run.children, results or Results("NONE"))
    env.stack.append(_shown(record, run.children, (results or Results("COMPACT")).transformation))
    _add(env, HistoryEventType.MapRunSucceeded)
    record.set_stop(status=MapRunStatus.SUCCEEDED)


def _shown(record: Any, children: list[Child], transformation: str) -> list[Any]:
    """The children's outputs; of one that did not succeed, all that is known of it, as on AWS."""
    shown: list[Any] = []
    for child in children:
        if child.status != "SUCCEEDED" or transformation == "NONE":
            shown.append(_result(record, child))
        elif transformation == "FLATTEN" and isinstance(child.output, list):
            shown += child.output
        else:
            shown.append(child.output)
    return shown


def _add(env: Any, event_type: Any, details: Any = None) -> None:
    env.event_manager.add_event(context=env.event_history_context, event_type=event_type, event_details=details)


class _Run:
    """The children of a Map Run, worked through by a few threads."""

    def __init__(self, component: Any, env: Any, given: Any) -> None:
        self._env, self._given = env, given
        self._record = given.map_run_record
        self._program = component._get_iteration_program()
        self._lock = threading.Lock()
        self._next = 0
        self.children = [Child(index, value) for index, value in enumerate(self._inputs(component))]
        self._record.item_counter.total.count(len(self.children))
        self._record.execution_counter.total.count(len(self.children))

    def _inputs(self, component: Any) -> list[Any]:
        env, given = self._env, self._given
        items = given.input_items if given.item_reader is None else _read(given.item_reader, env)
        state_input = env.stack[-1] if env.stack else env.states.get_input()
        selector = given.item_selector or given.parameters
        if selector:
            items = [self._selected(selector, state_input, index, item) for index, item in enumerate(items)]
        batcher = getattr(component, "batcher", None)
        if batcher is None:
            return list(items)
        frame = env.open_frame()
        frame.states.reset(input_value=state_input)
        frame.stack.append(state_input)
        limits, shared = batcher.evaluate(frame)
        env.delete_frame(frame)
        return map_items.batches(items, limits, shared)

    def _selected(self, selector: Any, state_input: Any, index: int, item: Any) -> Any:
        frame = self._env.open_frame()
        frame.states.context_object.context_object_data["Map"] = {"Item": {"Index": index, "Value": item}}
        frame.states.reset(input_value=state_input)
        frame.stack.append(state_input)
        selector.eval(frame)
        self._env.delete_frame(frame)
        return frame.stack.pop()

    def work(self) -> None:
        """Run all children. Raises: FailureEventException once too many have failed."""
        width = min(self._record.max_concurrency or _WIDEST, _WIDEST, len(self.children))
        threads = [threading.Thread(target=self._worker, daemon=True, name="map-run") for _ in range(width)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._too_many_failed():
            raise _failure(
                self._env,
                Names.StatesExceedToleratedFailureThreshold,
                "The specified tolerated failure threshold was exceeded",
            )

    def _worker(self) -> None:
        while self._env.is_running() and not self._too_many_failed():
            with self._lock:
                if self._next == len(self.children):
                    return
                child = self.children[self._next]
                self._next += 1
            self._run(child)
            if self._too_many_failed():
                for frame in list(self._env._frames):
                    aborts.abandon(frame)

    def _too_many_failed(self) -> bool:
        """Whether more children failed than are tolerated; none is where no tolerance is given."""
        failed = sum(child.status in ("FAILED", "TIMED_OUT") for child in self.children)
        count, percentage = self._record.tolerated_failure_count, self._record.tolerated_failure_percentage
        if not count and not percentage:
            return failed > 0
        over_count = bool(count) and failed > count
        return over_count or (bool(percentage) and failed * 100 > percentage * len(self.children))

    def _run(self, child: Child) -> None:
        if (ended := map_runs.ended_child(self._env, child.index)) is not None:
            vars(child).update(vars(ended))
            self._count_ended(child)
            return
        counters = (self._record.item_counter, self._record.execution_counter)
        begun = map_runs.begin_child(self._env, child.index, child.name, self._record.identity)
        child.name, child.started, child.status = begun.name, begun.started, "RUNNING"
        child.redrives = self._record.identity.redrives - begun.map_run_redrives
        for counter in counters:
            counter.running.count()
        frame = self._frame(child)
        self._program.eval(frame)
        self._env.delete_frame(frame)
        _take_outcome(child, frame)
        for counter in counters:
            counter.running.offset(-1)
        self._count_ended(child)
        if child.status != "ABORTED":
            map_runs.keep_child(self._env, child)

    def _count_ended(self, child: Child) -> None:
        for counter in (self._record.item_counter, self._record.execution_counter):
            getattr(counter, child.status.lower()).count()
            if child.status == "SUCCEEDED":
                counter.results_written.count()

    def _frame(self, child: Child) -> Any:
        """A child sees no variable and no history of its parent."""
        frame = Environment.as_inner_frame_of(
            env=self._env,
            variable_store=VariableStore(),
            event_history_frame_cache=EventHistoryContext.of_program_start(),
        )
        with self._env._state_mutex:
            self._env._frames.append(frame)
        resuming.own_history(frame, map_runs.child_path(self._env, child.index), child.name)
        context = frame.states.context_object.context_object_data
        context["Execution"] = {
            **context["Execution"],
            "Id": execution_arn(self._record, child),
            "Input": child.input,
            "Name": child.name,
            "RedriveCount": child.redrives,
            "StartTime": iso(child.started or datetime.datetime.now(datetime.UTC)),
        }
        context["Map"] = {"Item": {"Index": child.index, "Value": child.input}}
        frame.states.reset(input_value=child.input)
        return frame


def execution_arn(record: Any, child: Child) -> str:
    """The ARN of a child."""
    machine: str = record.map_state_machine_arn.replace(":stateMachine:", ":execution:")
    return f"{machine}:{child.name}"


def _take_outcome(child: Child, frame: Any) -> None:
    state = frame.program_state()
    child.stopped = datetime.datetime.now(datetime.UTC)
    if isinstance(state, ProgramEnded):
        child.status, child.output = "SUCCEEDED", frame.states.get_input()
    elif isinstance(state, ProgramError):
        child.status = "FAILED"
        child.error, child.cause = (state.error or {}).get("error"), (state.error or {}).get("cause")
    else:
        child.status = "TIMED_OUT" if isinstance(state, ProgramTimedOut) else "ABORTED"


def _read(reader: Any, env: Any) -> list[Any]:
    """What an ItemReader finds. Raises: FailureEventException as States.ItemReaderFailed."""
    limit = None
    if reader.reader_config:
        reader.reader_config.eval(env=env)
        limit = env.stack.pop()["MaxItemsValue"]
    parameters: dict[str, Any] = {}
    if reader.parargs:
        reader.parargs.eval(env=env)
        parameters = env.stack.pop()
    client = integrations.client_for(env.aws_execution_details.region, "s3", integrations.machine_credentials(env))
    try:
        if reader.resource.api_action.lower() == "listobjectsv2":
            return map_items.listed(client.get_paginator("list_objects_v2").paginate(**parameters), limit)
        text = client.get_object(**parameters)["Body"].read().decode()
        return map_items.parse(text, getattr(reader, "form", Format()), limit)
    except (map_items.ItemReaderError, ClientError, BotoCoreError, UnicodeDecodeError) as error:
        raise _failure(env, Names.StatesItemReaderFailed, str(error)) from error


def _write(self: Any, env: Any) -> None:
    """Write the children's results and a manifest of them; the state's result names the manifest."""
    self.parargs.eval(env=env)
    parameters = env.stack.pop()
    env.stack.pop()
    children, results = env.__dict__.pop("_children")
    record = env.map_run_record_pool_manager.get_all()[-1]
    bucket = parameters["Bucket"]
    client = integrations.client_for(env.aws_execution_details.region, "s3", integrations.machine_credentials(env))
    prefix = parameters.get("Prefix", "").rstrip("/")
    folder = f"{prefix}/{record.map_run_arn.split(':')[-1]}".lstrip("/")
    try:
        files = {
            status: _write_results(client, bucket, folder, record, _ended(children, status), status, results)
            for status in ("FAILED", "PENDING", "SUCCEEDED")
        }
        manifest = {"DestinationBucket": bucket, "MapRunArn": record.map_run_arn, "ResultFiles": files}
        client.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())
    except (ClientError, BotoCoreError) as error:
        raise _failure(env, Names.StatesResultWriterFailed, str(error)) from error
    details = {"Bucket": bucket, "Key": f"{folder}/manifest.json"}
    env.stack.append({"MapRunArn": record.map_run_arn, "ResultWriterDetails": details})


def _ended(children: list[Child], status: str) -> list[Child]:
    """The children whose results stand in the file of a status."""
    ended = {"FAILED": ("FAILED", "TIMED_OUT", "ABORTED")}.get(status, (status,))
    return [child for child in children if child.status in ended]


def _write_results(
    client: Any, bucket: str, folder: str, record: Any, children: list[Child], status: str, results: Results
) -> list[dict[str, Any]]:
    if not children:
        return []
    shown = _shown(record, children, results.transformation)
    lines = results.output_type == "JSONL"
    text = "".join(f"{_text(item)}\n" for item in shown) if lines else json.dumps(shown, ensure_ascii=False)
    key, body = f"{folder}/{status}_0.{'jsonl' if lines else 'json'}", text.encode()
    client.put_object(Bucket=bucket, Key=key, Body=body)
    return [{"Key": key, "Size": len(body)}]


def _result(record: Any, child: Child) -> dict[str, Any]:
    included = {"Included": True}
    shown = {
        "ExecutionArn": execution_arn(record, child),
        "Input": _text(child.input),
        "InputDetails": included,
        "Name": child.name,
        "Output": _text(child.output) if child.status == "SUCCEEDED" else None,
        "OutputDetails": included if child.status == "SUCCEEDED" else None,
        "Error": child.error,
        "Cause": child.cause,
        "RedriveCount": child.redrives,
        "RedriveStatus": "NOT_REDRIVABLE" if child.status == "SUCCEEDED" else "REDRIVABLE",
        "StartDate": iso(child.started) if child.started else None,
        "StateMachineArn": record.map_state_machine_arn,
        "Status": child.status,
        "StopDate": iso(child.stopped) if child.stopped else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


_MAP = "moto.stepfunctions.parser.asl.component.state.exec.state_map"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_MAP}.iteration.distributed_iteration_component:DistributedIterationComponent._eval_body",
        build=lambda _: _evaluate,
        why="failures are never more than tolerated; no batches; one thread an item; children share history",
    ),
    Replacement(
        target=f"{_MAP}.result_writer.result_writer_decl:ResultWriter._eval_body",
        build=lambda _: _write,
        why="writes a manifest without results",
    ),
]

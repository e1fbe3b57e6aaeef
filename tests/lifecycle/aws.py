"""What the machines ask AWS for, in memory, and who goes on next: the caller decides, step by step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tests.fakes import (
    FakeApprovals,
    FakeClock,
    FakeExecutions,
    FakeLogs,
    FakeNotifier,
    FakeRegistry,
    FakeTable,
    FakeVersioning,
)
from tests.lifecycle import dynamodb
from tests.lifecycle.definitions import definition
from tests.lifecycle.faults import DIED, LOST, DiedError, Fault, Kind, Ports
from tests.lifecycle.interpreter import LIVE, Execution, Interpreter, Steps, Strand, TaskError, now
from tests.lifecycle.jobs import Fate, TrainingJobs
from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.champion import requested
from turbine.domain.errors import TurbineError
from turbine.domain.names import job_names
from turbine.domain.outcome import NOT_STARTED
from turbine.domain.registry import Approval, ApprovedPackage, Package, PackageRequest
from turbine.domain.run import RunReference
from turbine.ports import Execution as Described
from turbine.usecases.compare_models import CompareModels, ComparisonRequest
from turbine.usecases.copy_archive import CopyArchive
from turbine.usecases.judge_training import JudgeTraining, TrainingReport
from turbine.usecases.prepare_training import PrepareTraining
from turbine.usecases.promote_model import PromoteModel
from turbine.usecases.publish_artifacts import PublishArtifacts
from turbine.usecases.reconcile_registry import ReconcileRegistry
from turbine.usecases.record_outcome import RecordOutcome
from turbine.usecases.register_model import RegisterModel, RegistrationRequest
from turbine.usecases.status_change import StatusChange
from turbine.usecases.sweep_runs import SETTLED, SweepRuns

_MACHINES = {"TrainingMachine": "training", "RunMachine": "run", "PromotionMachine": "promotion"}
_STEP = timedelta(milliseconds=100)
SPOT_QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/SpotQueue"


class Delivery(NamedTuple):
    """An event that EventBridge has to deliver, at least once."""

    target: str
    event: dict[str, Any]


class Registry(FakeRegistry):
    """With each package's approval, whoever sets it; `changed` hears of each change."""

    def __init__(self, clock: FakeClock, changed: Callable[[str], None]) -> None:
        super().__init__(clock)
        self.marks, self._changed = FakeApprovals(clock), changed

    def create(self, request: PackageRequest) -> Package:
        package = super().create(request)
        self.marks.run_ids[package.arn] = request.metadata["run_id"]
        self.mark(package.arn, request.approval, "")
        return package

    def revise(self, arn: str, approval: Approval, metadata: Mapping[str, str]) -> None:
        super().revise(arn, approval, metadata)
        self.mark(arn, approval, self.marks.marks[arn][1])

    def groups(self, prefix: str) -> list[str]:
        return self.marks.groups(prefix)

    def approved(self, group: str) -> list[ApprovedPackage]:
        return self.marks.approved(group)

    def mark(self, arn: str, approval: Approval, description: str) -> None:
        self.marks.mark(arn, approval, description)
        self._changed(arn)

    @property
    def approvals(self) -> dict[str, str]:
        return {arn: approval for arn, (approval, _, _) in self.marks.marks.items()}


class Promotions:
    """The promotion machine, to the reconciler."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def start(self, name: str, promotion: Mapping[str, Any]) -> str:
        try:
            return self._cloud.start("PromotionMachine", name, dict(promotion)).status
        except TaskError:
            return self._cloud.executions[execution_arn("PromotionMachine", name)].status


def execution_arn(machine: str, name: str) -> str:
    """The ARN of an execution."""
    return f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}"


@dataclass
class Cloud:
    """One account. `fate` says how a job of a run ends; `pick` chooses which strand goes on within a function."""

    fate: Callable[[str], Fate]
    pick: Callable[[list[Strand]], Strand]
    world: World = field(default_factory=World)
    executions: dict[str, Execution] = field(default_factory=dict)
    strands: list[Strand] = field(default_factory=list)
    pending: list[Delivery] = field(default_factory=list)
    delivered: list[Delivery] = field(default_factory=list)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.world.registry = self.registry = Registry(self.world.clock, self._registry_changed)
        self.training = TrainingJobs(self.world, self.fate, publish=self._publish_by_job)
        self.known = FakeExecutions()
        self.ports = Ports(self._meanwhile)
        self.interpreter = Interpreter(self._task, self._spawn, self._now)
        self.functions = self._functions()
        self._fault: Fault | None = None

    def use(self, table: FakeTable) -> None:
        """Put another table in the place of the one there is."""
        self.world.table = table
        self.functions = self._functions()

    # what happens to the account

    def drop(self, key: str, manifest: Mapping[str, Any], sequencer: str) -> str:
        """Put a manifest; the id of its version."""
        event = self.world.drop(key, manifest, sequencer)
        self.pending.append(Delivery("TrainingMachine", event))
        return str(event["detail"]["object"]["version-id"])

    def deliver(self, number: int, *, again: bool) -> None:
        """Deliver a pending event; with `again` it will be delivered once more."""
        delivery = self.pending[number] if again else self.pending.pop(number)
        self.delivered.append(delivery)
        if delivery.target in _MACHINES:
            self.start(delivery.target, f"event-{len(self.delivered)}", delivery.event)
        else:
            self._spawn(delivery.target, self._heard(delivery), None)

    def start(self, machine: str, name: str, given: Any) -> Execution:
        """StartExecution. Raises: TaskError when the name is taken by an execution that ended."""
        arn = execution_arn(machine, name)
        taken = self.executions.get(arn)
        if taken is not None:
            if taken.status == LIVE and taken.input == given:
                return taken
            raise TaskError("StepFunctions.ExecutionAlreadyExistsException", name)
        definition_of = definition(_MACHINES[machine])
        execution = Execution(arn, name, machine, given, self._now(), definition_of["StartAt"], given)
        self.executions[arn] = execution
        self._describe(execution)
        self._spawn(name, self._life(execution), execution)
        return execution

    def stop(self, execution: Execution, *, ends_jobs: bool) -> None:
        """StopExecution; what it waits for is ended as far as AWS does, or not in time."""
        self._close(execution)
        self._end(execution, "ABORTED")
        if not ends_jobs:
            return
        for job_id, name in self.training.jobs.names.items():
            if name in job_names(str(execution.input.get("run_id"))) and self.training.is_live(job_id):
                self.training.jobs.terminate(job_id, "Terminated by Step Functions")
        if execution.machine == "RunMachine":
            for child in self.promotions_of(execution):
                if child.status == LIVE:
                    self.stop(child, ends_jobs=True)

    def promotions_of(self, run: Execution) -> list[Execution]:
        """The promotions that an execution of a run has started."""
        return [
            one
            for one in self.executions.values()
            if one.name.startswith(f"{run.input['run_id']}-v") and f"-a{run.input['attempt']}c" in one.name
        ]

    def redrive(self, execution: Execution) -> None:
        """RedriveExecution: on from the state where it ended."""
        assert execution.status not in {LIVE, "SUCCEEDED"}
        execution.status, execution.error, execution.cause = LIVE, None, None
        execution.redrive_count += 1
        self._describe(execution)
        self._spawn(execution.name, self._life(execution), execution)

    def not_started(self) -> list[str]:
        """The runs that are known never to have started."""
        items = self.world.table.items.items()
        return [item["run_id"] for (_, sk), item in items if sk == "OUTCOME" and item["error"] == NOT_STARTED]

    def start_attempt(self, run_id: str, attempt: int) -> None:
        """`turbine redrive`, where Step Functions cannot."""
        record = self.world.table.items[f"RUN#{run_id}", "RECORD"]
        given = {
            **{name: record[name] for name in ("run_id", "team", "spec_uri")},
            "nodes": 1,
            "job_definition": f"turbine-{record['team']}-training",
            "attempt": attempt,
        }
        self.attempts += 1
        self.start("RunMachine", f"{run_id}-a{attempt}-{self.attempts}", given)

    def sweep(self) -> None:
        """The hourly look at runs without an outcome, after which none is too young for it."""
        self.world.clock.move(SETTLED)
        self.pending.append(Delivery("SweepRuns", {}))

    def approve(self, arn: str) -> None:
        """A person presses Approve in the console."""
        self.registry.mark(arn, "Approved", "by hand")

    def _registry_changed(self, arn: str) -> None:
        if self.registry.approvals[arn] in {"Approved", "Rejected"}:
            event = {"detail": {"ModelPackageGroupName": arn.split("/")[-2]}}
            self.pending.append(Delivery("ReconcileRegistry", event))

    def forget(self, execution: Execution) -> None:
        """Long after its end nobody knows an execution, and its name is free again.

        On AWS that is 90 days after; here it is a few hours, so that what people look for in metrics does not expire.
        """
        assert execution.status != LIVE
        del self.executions[execution.arn], self.known.known[execution.arn]
        self.world.clock.move(timedelta(hours=3))

    # who goes on

    def ready(self) -> list[Strand]:
        """The strands that may go on, in the order in which they were made."""
        self.strands = [strand for strand in self.strands if not strand.done]
        return [strand for strand in self.strands if not strand.is_busy and strand.ready()]

    def step(self, strand: Strand, fault: Fault | None = None) -> None:
        """Go on with one strand; the Task it calls, if any, meets the fault."""
        self._fault = fault
        self.world.clock.moment += _STEP
        strand.step()
        self._fault = None

    def _meanwhile(self) -> None:
        others = self.ready()
        if others:
            self.step(self.pick(others))

    def _spawn(self, name: str, steps: Steps, owner: Execution | None) -> Strand:
        strand = Strand(name, steps, owner)
        self.strands.append(strand)
        return strand

    # executions

    def _life(self, execution: Execution) -> Steps:
        try:
            output = yield from self.interpreter.run(definition(_MACHINES[execution.machine]), execution)
        except TaskError as failure:
            execution.error, execution.cause = failure.error, failure.cause
            self._close(execution)
            self._end(execution, "FAILED")
        else:
            execution.output = output
            self._end(execution, "SUCCEEDED")

    def _close(self, execution: Execution) -> None:
        for strand in self.strands:
            if strand.owner is execution and not strand.is_busy and not strand.done:
                strand.done = True
                strand.steps.close()

    def _end(self, execution: Execution, status: str) -> None:
        execution.status = status
        self._describe(execution)
        if execution.machine == "RunMachine":
            self.pending.append(Delivery("RecordOutcome", self._status_change(execution)))

    def _describe(self, execution: Execution) -> None:
        described = Described(
            execution.status,
            execution.input,
            execution.redrive_count,
            execution.error,
            execution.cause,
            _ms(datetime.fromisoformat(execution.started_at)),
            None if execution.status == LIVE else _ms(self.world.clock()),
        )
        self.known.known[execution.arn] = described

    def _status_change(self, execution: Execution) -> dict[str, Any]:
        ended = self.world.clock()
        return {
            "id": f"status-{execution.name}-{execution.redrive_count}-{ended.timestamp()}",
            "time": ended.isoformat(),
            "detail": {
                "executionArn": execution.arn,
                "name": execution.name,
                "status": execution.status,
                "startDate": _ms(datetime.fromisoformat(execution.started_at)),
                "stopDate": _ms(ended),
                "input": json.dumps(execution.input),
                "redriveCount": execution.redrive_count,
                "error": execution.error,
                "cause": execution.cause,
            },
        }

    def _heard(self, delivery: Delivery) -> Steps:
        """An asynchronous function; one that dies is called again."""
        yield now
        fault, self._fault = self._fault, None
        try:
            self.ports.call(lambda: self.functions[delivery.target](delivery.event), fault)
        except DiedError:
            self.pending.append(delivery)

    # Tasks

    def _task(self, execution: Execution, resource: str, arguments: Any) -> Steps:
        fault, self._fault = self._fault, None
        integration = resource.removeprefix("arn:aws:states:::")
        lost = next(error for service, error in LOST.items() if integration.startswith(f"{service}:"))
        if fault is not None and fault.kind is Kind.LOST_REQUEST:
            raise TaskError(lost, "the request was lost")
        answer = self._services()[integration](arguments, fault)
        if fault is not None and fault.kind is Kind.LOST_REPLY:
            raise TaskError(lost, "the reply was lost")
        if isinstance(answer, Generator):
            answer = yield from answer
        return answer

    def _services(self) -> dict[str, Callable[[Any, Fault | None], Any]]:
        table = self.world.table
        return {
            "lambda:invoke": self._invoke,
            "dynamodb:getItem": lambda given, _: dynamodb.get_item(table, given),
            "dynamodb:putItem": lambda given, _: dynamodb.put_item(table, given),
            "dynamodb:updateItem": lambda given, _: dynamodb.update_item(table, given),
            "states:startExecution.sync:2": self._start_and_wait,
            "batch:submitJob.sync": self._submit_and_wait,
            "events:putEvents": self._put_events,
            "aws-sdk:sagemaker:updateModelPackage": self._update_package,
            "aws-sdk:sfn:describeExecution": self._describe_execution,
        }

    def _invoke(self, given: Mapping[str, Any], fault: Fault | None) -> dict[str, Any]:
        function = self.functions[given["FunctionName"].removesuffix("Function")]
        try:
            reply = self.ports.call(lambda: function(given["Payload"]), fault)
        except DiedError:
            raise TaskError(DIED, "the function died") from None
        except TurbineError as error:
            cause = {"errorMessage": str(error), "errorType": type(error).__name__}
            raise TaskError(type(error).__name__, json.dumps(cause)) from error
        return {"Payload": json.loads(json.dumps(reply))}

    def _start_and_wait(self, given: Mapping[str, Any], _: Fault | None) -> Steps:
        child = self.start(given["StateMachineArn"], given["Name"], given["Input"])

        def wait() -> Steps:
            yield lambda: child.status != LIVE
            if child.status != "SUCCEEDED":
                cause = {"ExecutionArn": child.arn, "Status": child.status, "Error": child.error, "Cause": child.cause}
                raise TaskError("States.TaskFailed", json.dumps(cause))
            return {"ExecutionArn": child.arn, "Status": child.status, "Output": child.output}

        return wait()

    def _submit_and_wait(self, given: Mapping[str, Any], _: Fault | None) -> Steps:
        job_id, steps = self.training.submit(given)
        self._spawn(job_id, steps, None)

        def wait() -> Steps:
            yield lambda: not self.training.is_live(job_id)
            described = self.training.described(job_id)
            if described["Status"] != "SUCCEEDED":
                raise TaskError("States.TaskFailed", json.dumps(described))
            return described

        return wait()

    def _put_events(self, given: Mapping[str, Any], _: Fault | None) -> dict[str, Any]:
        for entry in given["Entries"]:
            self.world.bus.publish(entry["DetailType"], entry["Detail"])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}

    def _update_package(self, given: Mapping[str, Any], _: Fault | None) -> dict[str, Any]:
        approval: Approval = given["ModelApprovalStatus"]
        self.registry.mark(given["ModelPackageArn"], approval, given["ApprovalDescription"])
        return {"ModelPackageArn": given["ModelPackageArn"]}

    def _describe_execution(self, given: Mapping[str, Any], _: Fault | None) -> dict[str, Any]:
        execution = self.executions.get(given["ExecutionArn"])
        if execution is None:
            raise TaskError("Sfn.ExecutionDoesNotExistException", given["ExecutionArn"])
        return {"Status": execution.status}

    def _functions(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """The use cases behind the functions, as `turbine.wiring` makes them, on ports that may fail."""
        world, watched = self.world, self.ports.watched
        store, table, bus, clock = watched(world.store), watched(world.table), watched(world.bus), world.clock
        registry, jobs, logs = watched(self.registry), watched(self.training.jobs), FakeLogs()
        prepare = PrepareTraining("data", ARTIFACTS, store, table, bus, clock)
        publish = PublishArtifacts(ARTIFACTS, "image", store, FakeVersioning(world.store), bus, clock)
        leave_to_job = replace(publish, most_bytes=0)
        compare = CompareModels(ARTIFACTS, store, table, watched(world.metrics), clock)
        register = RegisterModel("turbine", ARTIFACTS, "image", store, table, registry, clock)
        promote = PromoteModel(ARTIFACTS, store, table, clock)
        judge = JudgeTraining(ARTIFACTS, SPOT_QUEUE, store, table, jobs, logs)
        reconcile = ReconcileRegistry("turbine", table, registry, watched(Promotions(self)))
        record = RecordOutcome(table, watched(self.known), logs, bus, watched(FakeNotifier()))
        machine = execution_arn("RunMachine", "").removesuffix(":").replace(":execution:", ":stateMachine:")
        sweep = SweepRuns(machine, table, table, watched(self.known), record, clock)
        return {
            "PrepareTraining": lambda given: prepare(given["event"], given["execution_arn"]),
            "PublishArtifacts": lambda given: (leave_to_job if _is_large(given["run_id"]) else publish)(
                RunReference.model_validate(given)
            ),
            "CompareModels": lambda given: compare(ComparisonRequest.model_validate(given)),
            "RegisterModel": lambda given: register(RegistrationRequest.model_validate(given)),
            "PromoteModel": lambda given: promote(requested(given)),
            "JudgeTraining": lambda given: judge(TrainingReport.model_validate(given)),
            "ReconcileRegistry": reconcile,
            "RecordOutcome": lambda given: record(StatusChange.model_validate(given)),
            "SweepRuns": lambda _: sweep(),
        }

    def _publish_by_job(self, reference: RunReference) -> None:
        """The publishing job, as `batch_jobs/publishing` has it."""
        world = self.world
        PublishArtifacts(ARTIFACTS, "image", world.store, FakeVersioning(world.store), world.bus, world.clock)(
            reference
        )
        CopyArchive(ARTIFACTS, world.store)(reference)

    def _now(self) -> str:
        return self.world.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_large(run_id: str) -> bool:
    """Whether a run's files outgrow a function: those of one run in four."""
    return int(hashlib.sha256(f"size of {run_id}".encode()).hexdigest()[:8], 16) % 4 == 0


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

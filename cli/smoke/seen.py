"""What one smoke test saw of the cloud, read from its APIs when the run is over, or has failed.

Everything that steps and facts are judged by stands here; neither asks the cloud anything itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from cli.cloud import Cloud
from cli.observe import executions
from cli.observe.artifacts import Artifacts
from cli.observe.drops import Drop
from cli.observe.executions import Execution, StateSpan
from cli.observe.records import Item, Records, RunItems
from cli.smoke.files import CheckedFiles, check_files
from cli.smoke.numbers import PublishedMetric, read_metrics

AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")
"""Source: https://docs.aws.amazon.com/general/latest/gr/rande.html"""
_SERVICES = ("s3", "events", "stepfunctions", "batch", "sagemaker", "cloudwatch")
_QUOTAS = {"Running On-Demand P instances": "L-417A185B", "All P4, P3 and P2 Spot Instance Requests": "L-7212CCBC"}
"""vCPUs of EC2. Source: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html"""

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Machine:
    """One machine's execution and the events of its history."""

    execution: Execution
    events: Sequence[Event]

    def last(self, *states: str) -> StateSpan | None:
        """The last visit of one of these states."""
        return next((span for span in reversed(self.execution.spans) if span.name in states), None)


@dataclass(frozen=True)
class Seen:
    """Empty where the run did not get that far. `machines`: `training`, `run`, `promotion`, `inference`; `failing` is
    the execution of the run that was made to fail.

    `dropped_at` is S3's time, of a second's resolution. `quotas`: a value, or the refusal.
    """

    is_aws: bool
    dropped_at: datetime
    items: RunItems
    rejections: Sequence[Item] = ()
    inference: Item = field(default_factory=dict)
    machines: Mapping[str, Machine] = field(default_factory=dict)
    failing: Machine | None = None
    failing_outcome: Item = field(default_factory=dict)
    job: Mapping[str, Any] = field(default_factory=dict)
    host_types: Sequence[str] = ()
    files: CheckedFiles | None = None
    metric: PublishedMetric | None = None
    package: Mapping[str, Any] = field(default_factory=dict)
    transform: Mapping[str, Any] = field(default_factory=dict)
    quotas: Mapping[str, float | str] = field(default_factory=dict)

    def events(self, suffix: str) -> list[Event]:
        """The events of all machines whose type ends so (`TaskFailed`, `TimedOut`)."""
        machines = [*self.machines.values(), *([self.failing] if self.failing else [])]
        return [event for machine in machines for event in machine.events if event["type"].endswith(suffix)]


def is_aws(cloud: Cloud) -> bool:
    """Whether AWS itself answers, told by every client's address: an emulator says nothing about AWS."""
    hosts = [urlsplit(cloud.client(service).meta.endpoint_url).hostname or "" for service in _SERVICES]
    return all(host.endswith(AWS_DOMAINS) for host in hosts)


def look(cloud: Cloud, drop: Drop, failing: Drop) -> Seen:
    """Read what became of the one run of each drop."""
    (expected,) = drop.runs
    run_id = run_id_of(drop)
    records = Records(cloud)
    items, failing_items = records.run(run_id), records.run(run_id_of(failing))
    inference = records.inference_of(expected.team, run_id) or {}
    machines = _machines(cloud, items, inference)
    job = _job(cloud, machines.get("run"))
    head = cloud.client("s3").head_object(Bucket=drop.bucket, Key=drop.key, VersionId=drop.version_id)
    artifacts = Artifacts(cloud)
    return Seen(
        is_aws=is_aws(cloud),
        dropped_at=head["LastModified"],
        items=items,
        rejections=() if items.record else records.rejections(drop.cause_key),
        inference=inference,
        machines=machines,
        failing=_machine(cloud.client("stepfunctions"), _run_arn(cloud, failing_items.run_id)),
        failing_outcome=failing_items.outcome,
        job=job,
        host_types=host_types(cloud, [str(job["jobQueue"])]) if job else (),
        files=check_files(cloud, artifacts, expected.team, run_id),
        metric=read_metrics(cloud, artifacts, expected.team, run_id),
        package=_package(cloud, items),
        transform=_transform(cloud, inference),
        quotas=_quotas(cloud),
    )


def _machines(cloud: Cloud, items: RunItems, inference: Item) -> dict[str, Machine]:
    stepfunctions = cloud.client("stepfunctions")
    arns = {
        "training": items.record.get("training_execution_arn"),
        "run": _run_arn(cloud, items.run_id),
        "inference": inference.get("owner"),
    }
    found: dict[str, Machine] = {}
    for name, arn in arns.items():
        if arn and (machine := _machine(stepfunctions, str(arn))) is not None:
            found[name] = machine
    promotion = _started(found.get("run"), "promotion")
    if promotion and (machine := _machine(stepfunctions, promotion)) is not None:
        found["promotion"] = machine
    return found


def message(cause: Any) -> str:
    """What a Task's Cause says: of a function's, which is JSON with its stack trace, the message."""
    text = str(cause or "")
    try:
        given = json.loads(text)
    except ValueError:
        return text
    return str(given.get("errorMessage", text)) if isinstance(given, dict) else text


def run_id_of(drop: Drop) -> str:
    """The id of the one run that a smoke test's manifest asks for."""
    (expected,) = drop.runs
    return str(expected.run_id)


def _run_arn(cloud: Cloud, run_id: str) -> str:
    return executions.execution_arn(cloud.output("RunMachineArn"), run_id)


def _machine(stepfunctions: Any, arn: str) -> Machine | None:
    try:
        description = stepfunctions.describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return None
    events = executions.history(stepfunctions, arn)
    return Machine(executions.of_events(description, events), events)


def _started(machine: Machine | None, name: str) -> str | None:
    """The execution of another machine that a `.sync` Task started."""
    for event in machine.events if machine else ():
        if event["type"] == "TaskSubmitted" and event["taskSubmittedEventDetails"]["resourceType"] == "states":
            arn = str(json.loads(event["taskSubmittedEventDetails"].get("output") or "{}").get("ExecutionArn", ""))
            if f"-{name}:" in arn:
                return arn
    return None


def _job(cloud: Cloud, run: Machine | None) -> dict[str, Any]:
    """The last Batch job that the run submitted."""
    span = run.last("TrainOnSpot", "TrainOnDemand") if run else None
    if span is None or span.job_id is None:
        return {}
    jobs = cloud.client("batch").describe_jobs(jobs=[span.job_id])["jobs"]
    return dict(jobs[0]) if jobs else {}


def host_types(cloud: Cloud, queues: Sequence[str]) -> list[str]:
    """The instance types that queues may launch."""
    batch = cloud.client("batch")
    described = batch.describe_job_queues(jobQueues=list(queues))["jobQueues"]
    names = [one["computeEnvironment"] for queue in described for one in queue["computeEnvironmentOrder"]]
    environments = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    return sorted({kind for one in environments for kind in one["computeResources"].get("instanceTypes", [])})


def _package(cloud: Cloud, items: RunItems) -> dict[str, Any]:
    arn = items.package.get("model_package_arn")
    return dict(cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)) if arn else {}


def _transform(cloud: Cloud, inference: Item) -> dict[str, Any]:
    name = inference.get("attempt")
    return dict(cloud.client("sagemaker").describe_transform_job(TransformJobName=name)) if name else {}


def _quotas(cloud: Cloud) -> dict[str, float | str]:
    client = cloud.client("service-quotas")

    def value(code: str) -> float:
        return float(client.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])

    return {name: _or_refusal(lambda code=code: value(code)) for name, code in _QUOTAS.items()}  # type: ignore[misc]


def _or_refusal(ask: Callable[[], float]) -> float | str:
    """A value that only a fact needs: its refusal is part of what was seen, and ends nothing."""
    try:
        return ask()
    except (ClientError, BotoCoreError) as error:
        return str(error)

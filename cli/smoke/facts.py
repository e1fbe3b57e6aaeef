"""What this project believes of AWS without having seen it, and what one run showed of each belief.

Each is judged by something that the run left in AWS's APIs. What was granted twice, or did not happen, shows nothing,
and is told as such. What an emulator shows says nothing about AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from cli.smoke.seen import Seen, message

Verdict = Literal["holds", "does not hold", "not seen", "not AWS"]
_DENIED = ("is not authorized to perform", "AccessDenied", "not authorized")
_EIGHT_GPUS = ("p3.16xlarge", "p3dn.24xlarge", "p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge")
_LAUNCH_S = (300.0, 600.0)
_THROTTLED = ("ThrottlingException", "TooManyRequests", "Rate exceeded", "Throttling")


@dataclass(frozen=True)
class Finding:
    """A verdict, and what it rests on."""

    verdict: Verdict
    what: str


@dataclass(frozen=True)
class Fact:
    """`source`: where the project relies on it."""

    name: str
    statement: str
    source: str
    judge: Callable[[Seen], Finding]


def judged(seen: Seen) -> Iterator[tuple[Fact, Finding]]:
    """Every fact with its verdict."""
    for fact in FACTS:
        finding = fact.judge(seen)
        if not seen.is_aws and finding.verdict in ("holds", "does not hold"):
            finding = replace(finding, verdict="not AWS", what=f"says nothing about AWS; seen here: {finding.what}")
        yield fact, finding


def _sync_grants(seen: Seen) -> Finding:
    waited = {event["taskSubmittedEventDetails"]["resourceType"] for event in seen.events("TaskSubmitted")}
    answered = {event["taskSucceededEventDetails"]["resourceType"] for event in seen.events("TaskSucceeded")}
    if told := _denials(seen, "batch", "states", "sagemaker"):
        return Finding("does not hold", told[0])
    wanted = {"batch", "states", "sagemaker"}
    if wanted <= waited & answered:
        return Finding("holds", "Tasks of all three waited for what they started, and were answered")
    return Finding("not seen", f"no Task on {', '.join(sorted(wanted - (waited & answered)))} ended well")


def _no_list_tags(seen: Seen) -> Finding:
    if denied := [one for one in _denials(seen, "sagemaker") if "sagemaker:ListTags" in one]:
        return Finding("does not hold", denied[0])
    if seen.inference.get("status") == "SUCCEEDED" and seen.transform.get("TransformJobStatus") == "Completed":
        return Finding("holds", f"{seen.transform['TransformJobName']} was waited for without the permission")
    return Finding("not seen", "no transform job ended well")


def _package_group(seen: Seen) -> Finding:
    if denied := [one for one in _denials(seen, "lambda") if "model-package" in one]:
        return Finding("does not hold", denied[0])
    return Finding("not seen", "both are granted, so that a registration that succeeds does not tell them apart")


def _image_unread(seen: Seen) -> Finding:
    if denied := [one for one in _denials(seen, "lambda") if "ecr:" in one]:
        return Finding("does not hold", denied[0])
    if seen.package.get("ModelPackageStatus") == "Completed":
        return Finding("holds", "the package is Completed, and the role that made it may read no image")
    return Finding("not seen", "nothing was registered")


def _batch_cause(seen: Seen) -> Finding:
    causes = [
        event["taskFailedEventDetails"].get("cause", "")
        for event in seen.events("TaskFailed")
        if event["taskFailedEventDetails"]["resourceType"] == "batch"
    ]
    if not causes:
        return Finding("not seen", "no training job failed")
    if isinstance(_json(causes[0]), dict):
        return Finding("holds", f"a job's failure came as {len(causes[0])} characters of JSON")
    return Finding("does not hold", f"{len(causes[0])} characters that are no JSON: {causes[0][:80]}")


def _metrics_in_time(seen: Seen) -> Finding:
    run = seen.machines.get("run")
    span = run.last("CompareModels") if run else None
    if seen.metric is None or span is None or not seen.items.verdict:
        return Finding("not seen", "nothing was compared")
    challenger = (seen.items.decision.get("challenger") or {}).get("metrics") or {}
    shown = (challenger.get(seen.metric.name) or {}).get("cloudwatch")
    if shown is None:
        return Finding("does not hold", f"after {span.attempts} looks CloudWatch showed no {seen.metric.name}")
    return Finding("holds", f"CloudWatch showed {seen.metric.name} at look {span.attempts}")


def _eight_gpu_launch(seen: Seen) -> Finding:
    if not seen.job.get("startedAt"):
        return Finding("not seen", "no job was started")
    waited = (seen.job["startedAt"] - seen.job["createdAt"]) / 1000
    told = f"a job waited {waited:.0f} s for {' or '.join(seen.host_types)}"
    if not set(seen.host_types) <= set(_EIGHT_GPUS):
        return Finding("not seen", told)
    least, most = _LAUNCH_S
    if waited < least:
        return Finding("not seen", f"{told}: a host may have been there already")
    return Finding("holds" if waited <= most else "does not hold", told)


def _gpu_quota(seen: Seen) -> Finding:
    told = ", ".join(f"{name}: {value}" for name, value in seen.quotas.items())
    values = [value for value in seen.quotas.values() if isinstance(value, float)]
    if len(values) < len(seen.quotas) or not values:
        return Finding("not seen", told)
    return Finding("not seen", f"{told}: raised, or never 0") if any(values) else Finding("holds", told)


def _throttling_names(seen: Seen) -> Finding:
    told = [event["taskFailedEventDetails"] for event in seen.events("TaskFailed")]
    throttled = [one for one in told if any(word in one.get("cause", "") for word in _THROTTLED)]
    if not throttled:
        return Finding("not seen", "no call was throttled")
    expected = {"sagemaker": "SageMaker.", "batch": "Batch.AWSBatchException", "lambda": "Lambda."}
    wrong = [one for one in throttled if not str(one.get("error")).startswith(expected.get(one["resourceType"], ""))]
    names = ", ".join(sorted({str(one.get("error")) for one in throttled}))
    return Finding("does not hold" if wrong else "holds", f"throttled calls were called {names}")


def _host_lost(seen: Seen) -> Finding:
    reasons = [str(one.get("statusReason", "")) for one in seen.job.get("attempts") or ()]
    lost = [reason for reason in reasons if reason.startswith("Host EC2")]
    return Finding("holds", lost[0]) if lost else Finding("not seen", "no host was lost")


def _did_not_happen(what: str) -> Callable[[Seen], Finding]:
    return lambda _seen: Finding("not seen", what)


def _timed_out(seen: Seen) -> Finding:
    if not seen.events("TaskTimedOut"):
        return Finding("not seen", "no Task timed out")
    status = seen.job.get("status", "gone")
    return Finding(
        "holds" if status not in ("SUCCEEDED", "FAILED") else "not seen", f"a Task timed out; its job: {status}"
    )


def _denials(seen: Seen, *resource_types: str) -> list[str]:
    """The causes of Tasks that failed for want of a permission."""
    failed: list[dict[str, Any]] = [
        *(event["taskFailedEventDetails"] for event in seen.events("TaskFailed")),
        *(event["taskSubmitFailedEventDetails"] for event in seen.events("TaskSubmitFailed")),
    ]
    return [
        message(one.get("cause"))
        for one in failed
        if one["resourceType"] in resource_types
        and any(word in f"{one.get('error')} {one.get('cause')}" for word in _DENIED)
    ]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


FACTS: tuple[Fact, ...] = (
    Fact(
        "sync-grants",
        "What the machines' roles grant is enough for `.sync` on Batch, Step Functions and SageMaker",
        "template.yaml: SyncThroughManagedRules, WaitForJobs, TagAndEndJobs, Transform",
        _sync_grants,
    ),
    Fact(
        "no-list-tags",
        "createTransformJob.sync does not ask for sagemaker:ListTags",
        "docs/proofs-iam.md",
        _no_list_tags,
    ),
    Fact(
        "package-group",
        "Packages are created and listed with permissions on the package or its group, and on nothing else",
        "docs/proofs-iam.md",
        _package_group,
    ),
    Fact(
        "image-unread",
        "CreateModelPackage needs no permission on the image",
        "docs/progress.md",
        _image_unread,
    ),
    Fact(
        "lambda-trust",
        "Lambda passes aws:SourceAccount when it takes a function's role on",
        "docs/proofs-iam.md",
        _did_not_happen("the functions' roles do not ask for it"),
    ),
    Fact(
        "batch-cause",
        "A training job's failure reaches the machine as JSON in Cause",
        "functions/judge_training",
        _batch_cause,
    ),
    Fact(
        "task-timeout",
        "A `.sync` Task that times out leaves its job alone",
        "state_machines/run.asl.yaml: JudgeTraining ends it",
        _timed_out,
    ),
    Fact(
        "metrics-in-time",
        "A new metric is readable within the looks that MetricsWaitRetries allows",
        "template.yaml: MetricsWaitRetries",
        _metrics_in_time,
    ),
    Fact(
        "throttling-names",
        "Throttled calls come under the names that the machines retry",
        "docs/proofs.md: names of errors",
        _throttling_names,
    ),
    Fact(
        "host-lost",
        "A lost host's attempt has a status reason that begins with `Host EC2`",
        "stacks/team.yaml: RetryStrategy; local_cloud/batch/instances.py",
        _host_lost,
    ),
    Fact(
        "spot-draining",
        "The launch template's user data gives a reclaimed job the time for its last checkpoint",
        "template.yaml: TrainingHost",
        _did_not_happen("no Spot host was reclaimed"),
    ),
    Fact(
        "multi-node",
        "An open node range takes fewer nodes; tokens count a node each",
        "stacks/team.yaml: MultiNodeTrainingJob; local_cloud/batch/consumables.py",
        _did_not_happen("the run has one node"),
    ),
    Fact(
        "head-and-prefix",
        "A list permission bound to a prefix does not tell a HEAD that an object is missing",
        "local_cloud/authorization/gate.py",
        _did_not_happen("the job looks by listing, whatever a HEAD would be told"),
    ),
    Fact(
        "queue-keys",
        "EventBridge and Scheduler cannot write to a queue under the key alias/aws/sqs",
        "template.yaml: DeadLetters",
        _did_not_happen("the dead letter queues use SSE-SQS"),
    ),
    Fact(
        "sequencers",
        "Sequencers of one key differ in length and compare once they are padded",
        "functions/prepare_training",
        _did_not_happen("the manifest was put once"),
    ),
    Fact(
        "gpu-quota",
        "The account's quota for P instances is 0 until it is raised",
        "README.md: ask for quota",
        _gpu_quota,
    ),
    Fact(
        "gpu-launch",
        "A host with eight GPUs is there within five to ten minutes",
        "the planner's launch time",
        _eight_gpu_launch,
    ),
)

"""Rules that no public scanner has, on expanded templates. Each yields what it objects to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scans.findings import Finding

Resource = Mapping[str, Any]
Rule = Callable[[Mapping[str, Resource]], Iterator[tuple[str, str]]]
"""From a template's resources to (logical id, message)."""

SHORTEST_JOB_TIMEOUT_S = 60


def image_without_a_pinned_tag(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """An image whose tag is missing or moves, in jobs, models and functions."""
    for name, image in _found(resources, "Image", "ImageUri"):
        text = image if isinstance(image, str) else _template_of(image)
        if text is not None and re.search(r"(:latest$)|(^[^:@$]+$)", text):
            yield name, f"the image {text} has no tag that stays"


def job_without_a_timeout(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """A Batch job definition that lets an attempt run for ever."""
    for name, resource in _of_type(resources, "AWS::Batch::JobDefinition"):
        seconds = resource["Properties"].get("Timeout", {}).get("AttemptDurationSeconds")
        if seconds is None or (isinstance(seconds, int) and seconds < SHORTEST_JOB_TIMEOUT_S):
            yield name, "no Timeout.AttemptDurationSeconds: a job that hangs holds its VM for ever"


def function_without_a_failure_destination(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """A function that somebody invokes asynchronously, and whose last failure then is lost."""
    heard = {
        _target(resource["Properties"]["FunctionName"])
        for _, resource in _of_type(resources, "AWS::Lambda::EventInvokeConfig")
        if resource["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    }
    for _, resource in _of_type(resources, "AWS::Lambda::Permission"):
        invoked = _target(resource["Properties"]["FunctionName"])
        if invoked not in heard and "DeadLetterConfig" not in resources.get(invoked, {}).get("Properties", {}):
            yield invoked, f"{resource['Properties']['Principal']} invokes it, and its failures go nowhere"


def log_group_without_retention(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """Logs that are kept, and paid, for ever."""
    for name, resource in _of_type(resources, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in resource.get("Properties", {}):
            yield name, "no RetentionInDays"


def function_without_its_log_group(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """A function that makes a log group of its own, which has no retention."""
    for name, resource in _of_type(resources, "AWS::Lambda::Function"):
        if not resource["Properties"].get("LoggingConfig", {}).get("LogGroup"):
            yield name, "no LoggingConfig.LogGroup: Lambda makes a group that keeps logs for ever"


def machine_without_a_dead_letter(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """A rule's or a schedule's target whose undeliverable events are lost."""
    for name, resource in _of_type(resources, "AWS::Events::Rule"):
        for target in resource["Properties"].get("Targets", []):
            if "DeadLetterConfig" not in target:
                yield name, f"the target {target.get('Id')} has no DeadLetterConfig"
    for name, resource in _of_type(resources, "AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in resource["Properties"]["Target"]:
            yield name, "the schedule's target has no DeadLetterConfig"


def data_that_a_deletion_takes_along(resources: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """A store of data that goes with its stack."""
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SageMaker::ModelPackageGroup"):
        for name, resource in _of_type(resources, kind):
            if not str(resource.get("DeletionPolicy", "Delete")).startswith("Retain"):
                yield name, "DeletionPolicy is not Retain"


RULES: dict[str, Rule] = {
    "TURBINE-image-tag": image_without_a_pinned_tag,
    "TURBINE-job-timeout": job_without_a_timeout,
    "TURBINE-failure-destination": function_without_a_failure_destination,
    "TURBINE-log-retention": log_group_without_retention,
    "TURBINE-own-log-group": function_without_its_log_group,
    "TURBINE-dead-letters": machine_without_a_dead_letter,
    "TURBINE-retained-data": data_that_a_deletion_takes_along,
}


def findings(name: str, template: Mapping[str, Any]) -> Iterator[Finding]:
    """What our rules object to in an expanded template."""
    for rule, check in RULES.items():
        for resource, message in check(template["Resources"]):
            yield Finding(rule, f"{name}/{resource}", message)


def _of_type(resources: Mapping[str, Resource], kind: str) -> Iterator[tuple[str, Resource]]:
    return ((name, one) for name, one in resources.items() if one["Type"] == kind)


def _found(resources: Mapping[str, Resource], *keys: str) -> Iterator[tuple[str, Any]]:
    """Values under `keys`, however deep, with the resource's logical id."""

    def walk(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key in keys:
                    yield inner
                yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    for name, resource in resources.items():
        for value in walk(resource.get("Properties", {})):
            yield name, value


def _template_of(value: Any) -> str | None:
    """The text of a `Fn::Sub`; None for what is handed in from elsewhere."""
    sub = value.get("Fn::Sub") if isinstance(value, Mapping) else None
    return sub if isinstance(sub, str) else None


def _target(value: Any) -> str:
    """The logical id that a Ref, a GetAtt or an alias's name points to."""
    if isinstance(value, Mapping):
        inner = value.get("Ref") or value.get("Fn::GetAtt")
        return inner[0] if isinstance(inner, list) else str(inner)
    return str(value)

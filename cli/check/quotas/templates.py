"""What the transformed templates make, against CloudFormation's limits and those of each service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cli.check.iam.stacks import MAIN, TEAM_TEMPLATE, Stack
from cli.check.quotas import longest
from cli.check.quotas.deployments import Project
from cli.check.quotas.meter import Meter, Place, json_bytes
from turbine.domain.team import TEAMS_MAX

_CREATED_BY = {
    "AWS::Batch::ComputeEnvironment": ("batch", "CreateComputeEnvironment"),
    "AWS::Batch::JobDefinition": ("batch", "RegisterJobDefinition"),
    "AWS::Batch::JobQueue": ("batch", "CreateJobQueue"),
    "AWS::ECR::Repository": ("ecr", "CreateRepository"),
    "AWS::Events::Rule": ("events", "PutRule"),
    "AWS::IAM::Role": ("iam", "CreateRole"),
    "AWS::Lambda::Function": ("lambda", "CreateFunction"),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup"),
    "AWS::SageMaker::ModelPackageGroup": ("sagemaker", "CreateModelPackageGroup"),
    "AWS::Scheduler::Schedule": ("scheduler", "CreateSchedule"),
}
"""The call that makes a resource of a type; its members are called like the properties."""
_NAMED = {
    "AWS::Batch::JobDefinition": ("JobDefinitionName", "job-definition-name"),
    "AWS::Events::Rule": ("Name", "rule-name"),
    "AWS::IAM::Role": ("RoleName", "role-name"),
    "AWS::Lambda::Function": ("FunctionName", "function-name"),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupName", "group-name"),
    "AWS::Scheduler::Schedule": ("Name", "schedule-name"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "machine-name"),
}
MANAGED_RULES = 3
"""Step Functions' own, for jobs of Batch, executions and transform jobs it waits for."""


def measure(project: Project, meter: Meter) -> None:
    """Every template, every resource in it, and what all of them add up to."""
    for stack in project.stacks:
        _template(stack, meter)
        for logical_id, resource in stack.deployed.template["Resources"].items():
            properties = stack.properties(logical_id)
            place = project.place(stack, logical_id)
            _resource(resource["Type"], properties, place, meter)
    _account(project, meter)


def _template(stack: Stack, meter: Meter) -> None:
    place = Place(stack.file)
    template = stack.deployed.template
    meter.note("template-size", json_bytes(template), place)
    if stack.file == TEAM_TEMPLATE:
        meter.note("template-inline", len(stack.text.encode()), place, "a team's template is sent in the request")
        for name, value in stack.deployed.parameters.items():
            meter.note("parameter-value", len(str(value).encode()), place._replace(where=name))
    meter.note("template-resources", len(template["Resources"]), place)
    meter.note("template-parameters", len(template.get("Parameters") or {}), place)
    meter.note("template-outputs", len(template.get("Outputs") or {}), place)
    meter.note("stack-name", len(stack.deployed.stack), place)


def _resource(kind: str, properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    if kind in _NAMED:
        name, limit = _NAMED[kind]
        # One without a name gets one of CloudFormation's, cut to fit.
        meter.note(limit, len(str(properties.get(name) or "")), place)
    if kind in _CREATED_BY:
        meter.request(*_CREATED_BY[kind], properties, place)
    measure_kind = _KINDS.get(kind)
    if measure_kind is not None:
        measure_kind(properties, place, meter)


def _function(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
    meter.note("function-environment", size, place)
    meter.note("function-timeout", int(properties.get("Timeout", 3)), place)
    meter.note("function-memory", int(properties.get("MemorySize", 128)), place)
    meter.note("function-layers", len(properties.get("Layers") or []), place)


def _role(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    inline = sum(_policy_size(policy["PolicyDocument"]) for policy in properties.get("Policies") or [])
    meter.note("role-inline-policies", inline, place)
    meter.note("role-trust", _policy_size(properties["AssumeRolePolicyDocument"]), place)
    meter.note("role-managed-policies", len(properties.get("ManagedPolicyArns") or []), place)


def _policy_size(document: Any) -> int:
    """Characters without white space, as IAM counts."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def _rule(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    meter.note("event-pattern", len(json.dumps(properties.get("EventPattern"), separators=(",", ":"))), place)
    meter.note("rule-targets", len(properties.get("Targets") or []), place)


def _job_definition(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    retries = properties.get("RetryStrategy") or {}
    meter.note("job-definition", json_bytes(properties), place)
    meter.note("job-exits", len(retries.get("EvaluateOnExit") or []), place)
    meter.note("job-attempts", int(retries.get("Attempts", 1)), place)


def _queue(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    meter.note("queue-environments", len(properties.get("ComputeEnvironmentOrder") or []), place)


def _bucket_policy(properties: Mapping[str, Any], place: Place, meter: Meter) -> None:
    meter.note("bucket-policy", json_bytes(properties["PolicyDocument"]), place)


_KINDS = {
    "AWS::Batch::JobDefinition": _job_definition,
    "AWS::Batch::JobQueue": _queue,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
    "AWS::S3::BucketPolicy": _bucket_policy,
}


def count(project: Project, kind: str, *, teams: bool = True) -> int:
    """How many resources of a type there are with as many teams as there may be."""
    found = 0
    for stack in project.stacks:
        times = (TEAMS_MAX if teams else 0) if stack.file == TEAM_TEMPLATE else 1
        found += times * len(stack.of_type(kind))
    return found


def _account(project: Project, meter: Meter) -> None:
    teams, main = Place(TEAM_TEMPLATE), Place(MAIN)
    why = f"{TEAMS_MAX} teams (turbine.domain.team.TEAMS_MAX)"
    nested = sum(stack.file not in (MAIN, TEAM_TEMPLATE) for stack in project.stacks)
    meter.note("roles", count(project, "AWS::IAM::Role"), teams, why)
    meter.note("stacks", 1 + nested + TEAMS_MAX, teams, why)
    meter.note("schedules", count(project, "AWS::Scheduler::Schedule"), teams, why)
    for stack in project.stacks:
        for name in stack.of_type("AWS::IAM::ManagedPolicy"):
            size = _policy_size(stack.properties(name)["PolicyDocument"])
            meter.note("managed-policy", size, Place(stack.file, where=name))
    meter.note("bus-rules", count(project, "AWS::Events::Rule") + MANAGED_RULES, main)
    meter.note("job-queues", count(project, "AWS::Batch::JobQueue"), main)
    meter.note("compute-environments", count(project, "AWS::Batch::ComputeEnvironment"), main)
    code = f"{project.stack_name}-code-{longest.ACCOUNT}-{longest.region()}"
    meter.note("bucket-name", len(code), Place("cli/deployment/main_stack.py", 1, "the bucket for code"))

"""What each role needs, from code, machines, event targets and services: actions on resources, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cli.check.findings import Finding
from cli.check.iam import actions, machine_tasks, places
from cli.check.iam.intrinsics import ACCOUNT, REGION
from cli.check.iam.places import Place
from cli.check.iam.reach import Adapter, Code, PortCall, aws_calls, imported_modules, method_names, transacted
from cli.check.iam.rules import finding
from cli.check.iam.stacks import Stack

ANY = "*"
Condition = Mapping[str, Sequence[str]]
"""Condition keys and the values that a grant must bind them to."""


@dataclass(frozen=True)
class Need:
    """An action on a resource (an ARN, with `*` for what is data), and why."""

    action: str
    resource: str
    why: str
    condition: Condition = field(default_factory=dict, hash=False, compare=False)


@dataclass
class Needs:
    """By role: its stack's file and its logical id."""

    of_role: dict[tuple[str, str], list[Need]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, stack: Stack, role_arn: Any, needs: Iterable[Need]) -> None:
        """Add to the role of an ARN, if it is one of this stack's."""
        name = str(role_arn).rpartition("/")[2]
        if name in stack.of_type("AWS::IAM::Role"):
            self.of_role.setdefault((stack.file, name), []).extend(needs)


def derive(project: Path, stacks: Sequence[Stack], texts: Mapping[str, str] | None = None) -> Needs:
    """What all roles of all stacks need."""
    found = Needs()
    code = Code(project, texts)
    for stack in stacks:
        for name in stack.of_type("AWS::Lambda::Function"):
            _of_function(found, stack, code, name)
        for machine in machine_tasks.read(project, stack, texts or {}):
            found.add(stack, machine.role_arn, _of_machine(machine))
            found.findings += machine.findings
        _of_targets(found, stack)
        _of_jobs(found, stack, code)
    return found


def _of_function(found: Needs, stack: Stack, code: Code, name: str) -> None:
    properties = stack.properties(name)
    folder = Path(str(stack.written["Resources"][name]["Properties"]["CodeUri"])).name
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    program = Program(f"functions.{folder}.app", "handler", f"functions/{folder}")
    needs = _of_program(found, stack, code, program, name, variables, places.FUNCTIONS.get(name))
    for config in stack.of_type("AWS::Lambda::EventInvokeConfig"):
        given = stack.properties(config)
        if given["FunctionName"] == name:
            needs += _destinations(given)
    found.add(stack, properties["Role"], needs)


class Program(NamedTuple):
    """Code that asks wiring for its use cases: where it begins, and its folder as people call it."""

    module: str
    function: str
    folder: str


def _of_program(
    found: Needs,
    stack: Stack,
    code: Code,
    program: Program,
    name: str,
    variables: Mapping[str, Any],
    declared: Sequence[Place] | None,
) -> list[Need]:
    """What a function or a job needs that is `name` in the template and has these variables."""
    calls = code.port_calls(program.module, program.function)
    needs: list[Need] = []
    of_s3: set[str] = set()
    for adapter in _adapters(code, program.module, calls):
        used = _actions(code, adapter, calls)
        of_s3 |= {action for action in used if action.startswith("s3:")}
        for action in sorted(used):
            why = f"{adapter.name} as {program.folder} uses it"
            needs += _placed(action, adapter, variables, name, why)
    needs += _in_s3(stack, declared or (), variables)
    found.findings += _compared(stack, name, of_s3, declared)
    return needs


def _adapters(code: Code, module: str, calls: set[PortCall]) -> list[Adapter]:
    """What wiring gives, and DVC, which whoever asks brings."""
    brought = [Adapter("versioning", "turbine.aws.dvc_remote", "DvcRemote", ())]
    wired = [one for use_case in code.use_cases(module) for one in code.adapters(use_case)]
    return wired + [one for one in brought if any(call.port == one.port for call in calls)]


def _actions(code: Code, adapter: Adapter, calls: set[PortCall]) -> set[str]:
    """The IAM actions of an adapter's methods that are called."""
    own = [call for call in calls if call.port == adapter.port]
    if adapter.name in actions.LIBRARIES:
        return set(actions.LIBRARIES[adapter.name])
    found: set[str] = set()
    for call in own:
        methods = aws_calls(code, adapter.module, [f"{adapter.name}.{call.method}"])
        for action in _of_methods(methods, _services(code, adapter.module)):
            is_pinned = call.is_versioned and call.method in ("read", "stream", "head", "copy")
            found.add(actions.VERSIONED.get(action, action) if is_pinned else action)
        module = code.module(adapter.module)
        if "transact_write_items" in methods and module is not None:
            found |= {actions.TRANSACTED[kind] for kind in transacted(module)}
    return found


def _services(code: Code, module_name: str) -> set[str]:
    """The services whose clients a module asks for, as `client("s3")` or `boto3.client("s3")`."""
    module = code.module(module_name)
    return machine_tasks.constants_of_calls(module.tree, "client") if module is not None else set()


def _of_methods(methods: Iterable[str], services: Iterable[str]) -> set[str]:
    names = set(methods)
    return {
        action
        for service in services
        for method, found in actions.CLIENTS.get(service, {}).items()
        if method in names
        for action in found
    }


def _placed(action: str, adapter: Adapter, variables: Mapping[str, Any], owner: str, why: str) -> Iterator[Need]:
    """An adapter's action on what the adapter was made with; S3's are `places`' business."""
    given = {name: str(variables.get(name.upper(), f"({name.upper()} is not set)")) for name in adapter.arguments}
    service = action.partition(":")[0]
    if service == "s3":
        return
    if action in actions.NO_RESOURCE:
        yield Need(action, ANY, why)
    elif action == "iam:PassRole":
        told = {"iam:PassedToService": ["sagemaker.amazonaws.com"]}
        yield Need(action, next(iter(given.values())), why, told)
    elif action == "states:StartExecution":
        yield Need(action, _one(given, "machine_arn"), why)
    elif service == "states":
        yield from (Need(action, arn, why) for arn in places.EXECUTIONS.get(owner, ()))
    elif action == "dynamodb:Query":
        yield from (Need(action, f"{arn}/{places.INDEX}", why) for arn in _ARNS[service](given))
    elif action in places.NAMED_BY_DATA:
        yield from (Need(action, arn, why) for arn in places.NAMED_BY_DATA[action])
    else:
        yield from (Need(action, arn, why) for arn in _ARNS[service](given))


def _one(given: Mapping[str, str], suffix: str) -> str:
    return next((value for name, value in given.items() if name.endswith(suffix)), "(nothing)")


_ARNS: dict[str, Any] = {
    "dynamodb": lambda given: [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{_one(given, 'table_name')}"],
    "events": lambda given: [f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{_one(given, 'event_bus_name')}"],
    "sns": lambda given: [_one(given, "topic_arn")],
    "logs": lambda given: [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{_one(given, 'log_group')}:log-stream:*",
    ],
}
"""The ARNs of what an adapter was made with, by service."""


def _in_s3(stack: Stack, declared: Iterable[Place], variables: Mapping[str, Any]) -> Iterator[Need]:
    for place in declared:
        bucket = variables.get(place.bucket) or stack.deployed.ref(place.bucket)
        arn = f"arn:aws:s3:::{bucket}/{place.keys}" if place.keys else f"arn:aws:s3:::{bucket}"
        told = {"s3:prefix": [place.prefix]} if place.prefix else {}
        yield from (Need(f"s3:{action}", arn, place.why, told) for action in place.actions)


def _compared(stack: Stack, name: str, used: set[str], declared: Sequence[Place] | None) -> list[Finding]:
    """Whether the declared places do what the code does, and nothing else."""
    line = _line(stack, name)
    if declared is None:
        instead = "say in cli/check/iam/places.py where in S3 it reads and writes, or () for nowhere"
        return [finding(stack.file, line, name, "places", "nothing is known of its places in S3", instead)]
    told = {f"s3:{action}" for place in declared for action in place.actions}
    # A pinned read may find no version recorded; and whoever reads may have to see that something is missing.
    allowed = used | ({"s3:GetObject"} if "s3:GetObjectVersion" in used else set())
    allowed |= {"s3:ListBucket"} if allowed & {"s3:GetObject", "s3:GetObjectVersion"} else set()
    problems = [(action, "the code uses it, no place does") for action in sorted(used - told)]
    problems += [(action, "a place uses it, the code does not") for action in sorted(told - allowed)]
    instead = "correct the function's places in cli/check/iam/places.py"
    return [finding(stack.file, line, name, "places", f"{action}: {what}", instead) for action, what in problems]


def _destinations(given: Mapping[str, Any]) -> Iterator[Need]:
    for kind, one in (given.get("DestinationConfig") or {}).items():
        arn = str((one or {}).get("Destination", ""))
        if arn.startswith("arn:aws:sqs:"):
            yield Need("sqs:SendMessage", arn, f"Lambda's {kind} destination")


def _of_machine(machine: machine_tasks.Machine) -> Iterator[Need]:
    for task in machine.tasks:
        yield Need(task.action, task.resource, task.why)


def _of_targets(found: Needs, stack: Stack) -> None:
    """Rules and schedules that start machines in the name of a role."""
    for name in stack.of_type("AWS::Events::Rule"):
        for target in stack.properties(name).get("Targets") or []:
            if str(target["Arn"]).split(":")[2] == "states":
                found.add(stack, target.get("RoleArn"), [_start(target, f"the rule {name}")])
    for name in stack.of_type("AWS::Scheduler::Schedule"):
        target = stack.properties(name)["Target"]
        needs = [_start(target, f"the schedule {name}")]
        if queue := (target.get("DeadLetterConfig") or {}).get("Arn"):
            needs.append(Need("sqs:SendMessage", str(queue), f"the dead letters of the schedule {name}"))
        found.add(stack, target.get("RoleArn"), needs)


def _start(target: Mapping[str, Any], why: str) -> Need:
    return Need("states:StartExecution", str(target["Arn"]), why)


def _of_jobs(found: Needs, stack: Stack, code: Code) -> None:
    """The roles of jobs' containers, and that of models, which SageMaker takes on for transforms."""
    definitions = {name: stack.properties(name) for name in stack.of_type("AWS::Batch::JobDefinition")}
    for name, properties in definitions.items():
        if name in places.JOBS:
            _of_wired_job(found, stack, code, name, properties)
    training = [properties for name, properties in definitions.items() if name not in places.JOBS]
    for role in sorted({role for properties in training for role in _job_roles(properties)}):
        needs = [*_in_s3(stack, places.TRAINING, {}), *_beside_s3(stack, code)]
        found.add(stack, role, needs)
        found.findings += _compared(stack, role.rpartition("/")[2], _job_actions(code) & _S3, places.TRAINING)
    for function in stack.of_type("AWS::Lambda::Function"):
        variables = (stack.properties(function).get("Environment") or {}).get("Variables") or {}
        if "MODEL_ROLE_ARN" in variables:
            found.add(stack, variables["MODEL_ROLE_ARN"], _of_transforms(stack))
    calls = {
        action
        for module in imported_modules(code, "inference.__main__")
        for action in _of_methods(method_names(module.tree), _services(code, module.name))
    }
    if calls and stack.of_type("AWS::SageMaker::Model", "AWS::ECR::Repository"):
        what = f"the inference image calls {', '.join(sorted(calls))}"
        instead = "give ModelRole what it calls, and say so in cli/check/iam/needs.py"
        found.findings.append(finding(stack.file, 1, "ModelRole", "code", what, instead))


def _of_wired_job(found: Needs, stack: Stack, code: Code, name: str, properties: Mapping[str, Any]) -> None:
    module, declared = places.JOBS[name]
    container = properties["ContainerProperties"]
    variables = {one["Name"]: one["Value"] for one in container.get("Environment") or []}
    program = Program(module, "main", f"batch_jobs/{module.partition('.')[0]}")
    needs = _of_program(found, stack, code, program, name, variables, declared)
    found.add(stack, container["JobRoleArn"], needs)


_S3 = {action for found in actions.CLIENTS["s3"].values() for action in found} | {
    *("s3:GetObjectVersion", "s3:PutObjectTagging"),
}


def _job_roles(properties: Mapping[str, Any]) -> set[str]:
    containers = [properties.get("ContainerProperties") or {}]
    ranges = (properties.get("NodeProperties") or {}).get("NodeRangeProperties") or []
    containers += [one.get("Container") or {} for one in ranges]
    return {str(one["JobRoleArn"]) for one in containers if one.get("JobRoleArn")}


def _job_actions(code: Code) -> set[str]:
    """What the training image calls. Clients are passed around, so that a method's name alone tells: over-approximated.

    Not seen: `client.copy`, whose name lists and tensors have too.
    """
    modules = imported_modules(code, "training.__main__")
    services = set().union(*(_services(code, module.name) for module in modules))
    methods = {name for module in modules for name in method_names(module.tree)} - {"copy"}
    found = _of_methods(methods, services)
    words = {word for module in modules for word in machine_tasks.words_of(module.tree)}
    found |= {"s3:GetObjectVersion"} if "VersionId" in words else set()
    return found | ({"s3:PutObjectTagging"} if "Tagging" in words else set())


def _beside_s3(stack: Stack, code: Code) -> Iterator[Need]:
    team = stack.deployed.ref("TeamName")
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{stack.deployed.ref('TableName')}"
    for action in sorted(_job_actions(code) - _S3):
        if action.startswith("dynamodb:"):
            told: Condition = {"dynamodb:LeadingKeys": [f"LEASE#{team}-*"]}
            yield Need(action, table, "the lease of the team's own runs", told)
        elif action == "cloudwatch:PutMetricData":
            yield Need(action, ANY, "the run's metrics", {"cloudwatch:namespace": ["Turbine/Training"]})
        else:
            yield Need(action, ANY, "the training image's code")


def _of_transforms(stack: Stack) -> Iterator[Need]:
    """What SageMaker does for a transform job in the model's role.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (CreateModel API: Execution Role
    Permissions)
    """
    why = "SageMaker, for a transform job"
    data, artifacts = (stack.deployed.ref(name) for name in ("DataBucketName", "ArtifactBucketName"))
    predictions = stack.deployed.ref("PredictionBucket")
    for arn in (f"{artifacts}/registry/*", f"{data}/datasets/*"):
        yield Need("s3:GetObject", f"arn:aws:s3:::{arn}", why)
    for bucket in (artifacts, data):
        yield Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", why)
    for name in ("PutObject", "AbortMultipartUpload"):
        yield Need(f"s3:{name}", f"arn:aws:s3:::{predictions}/predictions/*", why)
    repository = stack.deployed.attribute("InferenceRepository", "Arn")
    for name in ("BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"):
        yield Need(f"ecr:{name}", repository, why)
    yield Need("ecr:GetAuthorizationToken", ANY, why)
    yield Need("cloudwatch:PutMetricData", ANY, why, {"cloudwatch:namespace": ["/aws/sagemaker/TransformJobs"]})
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TransformJobs"
    for name in ("CreateLogGroup", "DescribeLogStreams"):
        yield Need(f"logs:{name}", group, why)
    for name in ("CreateLogStream", "PutLogEvents"):
        yield Need(f"logs:{name}", f"{group}:log-stream:*", why)


def _line(stack: Stack, logical_id: str) -> int:
    lines = stack.text.splitlines()
    owner = stack.owner(logical_id)
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"  {owner}:")), 1)

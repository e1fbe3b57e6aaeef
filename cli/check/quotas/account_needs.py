"""What a deployment needs of an account's quotas, from the stack's parameters, the templates and the teams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.check.iam import stacks
from cli.check.iam.stacks import TEAM_TEMPLATE, Stack
from cli.check.quotas import limits
from cli.check.quotas.templates import MANAGED_RULES

_GLOBAL_REGION = "us-east-1"
"""IAM's quotas are read and raised there. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

_ON_DEMAND = {
    "p": ("L-417A185B", "Running On-Demand P instances"),
    "g": ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    "standard": ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
}
_SPOT = {
    "p2": ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    "p5": ("L-C4BD4855", "All P5 Spot Instance Requests"),
    "g": ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    "standard": ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
}
"""vCPUs by kind of instance. Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html"""
_STANDARD = set("acdhimrtz")


@dataclass(frozen=True)
class Need:
    """A quota and how much of it is needed. `code` None is one that is looked up by its name."""

    service: str
    code: str | None
    name: str
    need: int
    why: str
    region: str | None = None


class UnknownInstanceTypeError(ValueError):
    """An instance type of whose quota nothing is known here."""


def needs(root: Path, parameters: Mapping[str, str], teams: int) -> list[Need]:
    """Everything that has to be there. `parameters` are the stack's, over the template's defaults.

    Raises: UnknownInstanceTypeError, OSError.
    """
    read = stacks.read(root)
    given = {name: one.get("Default") for name, one in read[0].written["Parameters"].items()} | dict(parameters)
    return [*_instances(given), *_predictions(given, teams), *_counts(read, teams)]


def _instances(given: Mapping[str, Any]) -> list[Need]:
    kind, one_more = str(given["TrainingInstanceType"]), int(given["TrainingVcpus"])
    on_demand = int(given["MaxTrainingVcpus"])
    why = f"vCPUs of {kind}: {{}} and one instance more, by which AWS Batch may pass it"
    found = [Need("ec2", *_ON_DEMAND[_family(kind, _ON_DEMAND)], on_demand + one_more, why.format("MaxTrainingVcpus"))]
    if int(given["SpotSubmissions"]):
        spot = int(given["MaxSpotVcpus"]) + one_more
        found.append(Need("ec2", *_SPOT[_family(kind, _SPOT)], spot, why.format("MaxSpotVcpus")))
    return found


def _family(instance_type: str, quotas: Mapping[str, Any]) -> str:
    """Under which quota an instance type counts. Raises: UnknownInstanceTypeError."""
    match = re.match(r"([a-z]+)(\d*)", instance_type)
    letters, generation = (match[1], match[2]) if match else ("", "")
    if letters == "p":
        family = "p" if "p" in quotas else "p5" if generation == "5" else "p2" if generation in "234" else ""
    elif letters in ("g", "gr", "vt"):
        family = "g"
    else:
        family = "standard" if letters[:1] in _STANDARD and letters not in ("dl", "hpc", "trn", "inf") else ""
    if family not in quotas:
        raise UnknownInstanceTypeError(instance_type)
    return family


def _predictions(given: Mapping[str, Any], teams: int) -> list[Need]:
    kind = given["TransformInstanceType"]
    why = "a transform job of one instance for each team at once"
    return [Need("sagemaker", None, f"{kind} for transform job usage", max(teams, 1), why)]


def _counts(read: list[Stack], teams: int) -> list[Need]:
    def count(kind: str) -> int:
        return sum(len(stack.of_type(kind)) * (teams if stack.file == TEAM_TEMPLATE else 1) for stack in read)

    at_once = limits.table()["inline-map"].value
    functions = "as many runs of one manifest as a Map has at once, each in one function, and as many others"
    own = "what the stacks make; others in the account come on top"
    rules = count("AWS::Events::Rule") + MANAGED_RULES
    return [
        Need("lambda", "L-B99A9384", "Concurrent executions", 2 * at_once, functions),
        Need("batch", "L-144F0CA5", "Compute environment limit", count("AWS::Batch::ComputeEnvironment"), own),
        Need("batch", "L-4CEA37AD", "Job queue limit", count("AWS::Batch::JobQueue"), own),
        Need("states", None, "Registered state machines", count("AWS::StepFunctions::StateMachine"), own),
        Need("events", "L-244521F2", "Number of rules", rules, f"{own}; with Step Functions' own"),
        Need("iam", "L-FE177D64", "Roles per account", count("AWS::IAM::Role"), own, _GLOBAL_REGION),
        Need("cloudformation", "L-0485CB21", "Stack count", 2 + teams, own),
        Need("vpc", "L-F678F1CE", "VPCs per Region", count("AWS::EC2::VPC"), own),
        Need("vpc", "L-A4707A72", "Internet gateways per Region", count("AWS::EC2::InternetGateway"), own),
    ]

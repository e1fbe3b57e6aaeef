"""CloudFormation's intrinsics with a made-up deployment's values: every ARN becomes a text that can be compared.

Names are the logical ids (buckets in lower case), account and Region are one's own. What is not needed for ARNs
(`Fn::Select`, `Fn::GetAZs`, …) becomes the text `(Fn::Select)`, which no ARN equals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT, REGION, PARTITION = "123456789012", "us-east-1", "aws"
_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class UnknownReferenceError(ValueError):
    """A Ref or GetAtt of nothing that the template has."""


@dataclass
class Deployment:
    """A template as deployed under a stack's name; `nested` are the deployments of its nested stacks."""

    stack: str
    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    nested: dict[str, Deployment] = field(default_factory=dict)
    region: str = REGION

    def resolved(self, value: Any) -> Any:
        """A value without intrinsics. Raises: UnknownReferenceError."""
        if isinstance(value, list):
            return [self.resolved(one) for one in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in _INTRINSICS:
                return _INTRINSICS[name](self, argument)
            if name.startswith("Fn::"):
                return f"({name})"
        return {key: self.resolved(one) for key, one in value.items()}

    def resource(self, logical_id: str) -> Mapping[str, Any]:
        return self.template["Resources"][logical_id]

    def ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": self.region,
            "AWS::Partition": PARTITION,
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": None,
        }
        if name in pseudo:
            return pseudo[name]
        if name in (self.template.get("Parameters") or {}):
            given = self.template["Parameters"][name].get("Default", f"({name})")
            return self.parameters.get(name, given)
        return self._of_resource(name, "Ref")

    def attribute(self, logical_id: str, attribute: str) -> Any:
        if attribute.startswith("Outputs.") and logical_id in self.nested:
            inner = self.nested[logical_id]
            return inner.resolved(inner.template["Outputs"][attribute.removeprefix("Outputs.")]["Value"])
        return self._of_resource(logical_id, attribute)

    def _of_resource(self, logical_id: str, attribute: str) -> str:
        try:
            resource = self.resource(logical_id)
        except KeyError as error:
            raise UnknownReferenceError(f"{logical_id} is neither a parameter nor a resource") from error
        name = self.name(logical_id)
        template = _VALUES.get((resource["Type"], attribute))
        if template is None:
            return name if attribute == "Ref" else f"({logical_id}.{attribute})"
        return template.format(name=name, region=self.region, account=ACCOUNT)

    def name(self, logical_id: str) -> str:
        """A resource's name: the one that the template gives it, else its logical id."""
        resource = self.resource(logical_id)
        key = _NAMES.get(resource["Type"])
        given = (resource.get("Properties") or {}).get(key) if key else None
        if given is not None:
            return str(self.resolved(given))
        return logical_id.lower() if resource["Type"] == "AWS::S3::Bucket" else logical_id

    def _substituted(self, argument: Any) -> str:
        text, own = (argument[0], self.resolved(argument[1])) if isinstance(argument, list) else (argument, {})

        def fill(found: re.Match[str]) -> str:
            if found[1]:
                return f"${{{found[2]}}}"
            name, _, attribute = found[2].strip().partition(".")
            if found[2] in own:
                return str(own[found[2]])
            return str(self.attribute(name, attribute) if attribute else self.ref(name))

        return _VARIABLE.sub(fill, str(text))


def _get_att(deployment: Deployment, argument: Any) -> Any:
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else (argument[0], str(argument[1]))
    return deployment.attribute(name, attribute)


def _join(deployment: Deployment, argument: Any) -> str:
    return str(argument[0]).join(str(one) for one in deployment.resolved(argument[1]))


def _if(deployment: Deployment, argument: Any) -> Any:
    """The first branch: what exists under a condition is looked at as if it held."""
    return deployment.resolved(argument[1])


_INTRINSICS: dict[str, Any] = {
    "Ref": Deployment.ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": Deployment._substituted,
    "Fn::Join": _join,
    "Fn::If": _if,
}
_ARN = "arn:aws:{service}:{{region}}:{{account}}:{rest}"


def _arn(service: str, rest: str) -> str:
    return _ARN.format(service=service, rest=rest)


_VALUES: dict[tuple[str, str], str] = {
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::{name}",
    ("AWS::DynamoDB::Table", "Arn"): _arn("dynamodb", "table/{name}"),
    ("AWS::Lambda::Function", "Arn"): _arn("lambda", "function:{name}"),
    ("AWS::StepFunctions::StateMachine", "Ref"): _arn("states", "stateMachine:{name}"),
    ("AWS::StepFunctions::StateMachine", "Arn"): _arn("states", "stateMachine:{name}"),
    ("AWS::Batch::JobQueue", "Ref"): _arn("batch", "job-queue/{name}"),
    ("AWS::Batch::JobDefinition", "Ref"): _arn("batch", "job-definition/{name}:1"),
    ("AWS::SQS::Queue", "Ref"): "https://sqs.{region}.amazonaws.com/{account}/{name}",
    ("AWS::SQS::Queue", "Arn"): _arn("sqs", "{name}"),
    ("AWS::SNS::Topic", "Ref"): _arn("sns", "{name}"),
    ("AWS::Logs::LogGroup", "Arn"): _arn("logs", "log-group:{name}:*"),
    ("AWS::ECR::Repository", "Arn"): _arn("ecr", "repository/{name}"),
    ("AWS::ECR::Repository", "RepositoryUri"): "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::{account}:role/{name}",
    ("AWS::Events::Rule", "Arn"): _arn("events", "rule/{name}"),
}
"""What a Ref or a GetAtt gives. Source: "Return values" on each resource type's page of the CloudFormation guide."""
_NAMES = {
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Batch::JobDefinition": "JobDefinitionName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SQS::Queue": "QueueName",
}

"""Whether a Task's resource and its arguments are ones that Step Functions knows.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import Resource, ServiceResource
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_factory import state_task_for

from local_cloud.stepfunctions import normalisation
from local_cloud.stepfunctions.diagnostics import SCHEMA, Diagnostic

_JSONATA = "JSONata"


def check(state: Mapping[str, Any], where: str, language: str) -> Iterator[Diagnostic]:
    """An unknown resource, or an argument that it does not take."""
    arn = state.get("Resource")
    if not isinstance(arn, str):
        return
    if arn.startswith("{%") and language == _JSONATA:
        yield Diagnostic(SCHEMA, "Value is not a valid resource ARN", f"{where}/Resource")
        return
    try:
        task = state_task_for(Resource.from_resource_arn(arn))
    except Exception:  # noqa: BLE001  moto has as many exceptions as there are ways to be no ARN
        yield Diagnostic(SCHEMA, "Value is not a valid resource ARN", f"{where}/Resource")
        return
    resource = getattr(task, "resource", None) or Resource.from_resource_arn(arn)
    if not isinstance(resource, ServiceResource):
        return
    task.resource = resource
    field = "Arguments" if language == _JSONATA else "Parameters"
    given = state.get(field)
    if resource.service_name == "aws-sdk":
        yield from _sdk_action(resource, where)
        return
    supported = task._get_supported_parameters()
    if supported is None:
        yield Diagnostic(SCHEMA, _unknown(arn), f"{where}/Resource")
    elif supported and isinstance(given, dict):
        for name in given:
            if name.removesuffix(".$") not in supported:
                yield Diagnostic(SCHEMA, f"The field '{name}' is not supported by Step Functions", f"{where}/{field}")


def _sdk_action(resource: Any, where: str) -> Iterator[Diagnostic]:
    service = normalisation.SDK_NAMES.get(resource.api_name, resource.api_name)
    try:
        normalisation.operation(service, resource.api_action)
    except UnknownServiceError:
        return  # botocore calls it otherwise: the Task will fail by that name
    except ValueError:
        yield Diagnostic(SCHEMA, _unknown(resource.resource_arn), f"{where}/Resource")


def _unknown(arn: str) -> str:
    return (
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, "
        "or the resource is not available in this region."
    )

"""Turns a Task's PascalCase arguments into the names and types of the API, and its answer back.

The shapes come from botocore's service models. moto carries the conversion but has unplugged it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

import datetime
import functools
from typing import Any

from botocore.model import OperationModel
from moto.stepfunctions.parser.utils import camel_to_snake_case

from local_cloud.aws_clients import service_model
from local_cloud.replacements import Replacement

_SERVICE = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service"
SDK_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
}
"""Names of services in ARNs of tasks that botocore knows under another name."""


def iso(moment: datetime.datetime) -> str:
    """A moment as Step Functions writes it: UTC with milliseconds and a Z."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso() -> str:
    """The present, as Step Functions writes it."""
    return iso(datetime.datetime.now(datetime.UTC))


def to_json_values(value: Any, *, dates_as_text: bool) -> Any:
    """`value` with dates, streams and bytes made JSON, changed in place: callers keep references into it.

    The `aws-sdk` integrations write dates as ISO text, the optimised ones as milliseconds since the epoch.
    """
    if isinstance(value, dict):
        for key in value:
            value[key] = to_json_values(value[key], dates_as_text=dates_as_text)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = to_json_values(item, dates_as_text=dates_as_text)
    elif isinstance(value, datetime.datetime):
        return iso(value) if dates_as_text else int(value.timestamp() * 1000)
    elif hasattr(value, "read"):
        return value.read().decode()
    elif isinstance(value, bytes):
        return value.decode()
    return value


@functools.lru_cache(maxsize=512)
def operation(service: str, action: str) -> OperationModel:
    """botocore's model of `action`, in whatever case it is written.

    Raises: ValueError if the service has no such action.
    """
    model = service_model(service)
    names = {camel_to_snake_case(name): name for name in model.operation_names}
    name = names.get(camel_to_snake_case(action))
    if name is None:
        raise ValueError(f"{service} has no action {action}")
    return model.operation_model(name)


def _normalise_parameters(
    self: Any,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    shape = _operation_of(self, boto_service_name, service_action_name).input_shape
    if shape is None:
        return
    self._to_boto_request(parameters, shape)
    unknown = sorted(set(parameters) - set(shape.members))
    if unknown:
        raise ValueError(f"{self.resource.resource_arn} does not take the argument {', '.join(unknown)}")


def _normalise_response(
    self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    if not isinstance(response, dict):
        return
    to_json_values(response, dates_as_text=self.resource.service_name == "aws-sdk")
    shape = _operation_of(self, boto_service_name, service_action_name).output_shape
    if shape is not None:
        self._from_boto_response(response, shape)


def _operation_of(task: Any, service: str | None, action: str | None) -> OperationModel:
    return operation(task._get_boto_service_name(service), task._get_boto_service_action(action))


def _boto_request_value(original: Any) -> Any:
    def to_boto_request_value(self: Any, request_value: Any, value_shape: Any) -> Any:
        if value_shape.type_name == "structure" and not isinstance(request_value, dict):
            raise ValueError(f"{self.resource.resource_arn}: {value_shape.name} must be an object")
        if value_shape.type_name == "map" and isinstance(request_value, dict):
            for key, item in request_value.items():
                request_value[key] = self._to_boto_request_value(item, value_shape.value)
            return request_value
        if value_shape.type_name == "list" and isinstance(request_value, list):
            request_value[:] = [self._to_boto_request_value(item, value_shape.member) for item in request_value]
            return request_value
        return original(self, request_value, value_shape)

    return to_boto_request_value


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_SERVICE}:StateTaskService._normalise_parameters",
        build=lambda _: _normalise_parameters,
        why="stubbed out: every optimised integration fails on the case of its parameters",
    ),
    Replacement(
        target=f"{_SERVICE}:StateTaskService._normalise_response",
        build=lambda _: _normalise_response,
        why="stubbed out: dates and streams in answers break the interpreter",
    ),
    Replacement(
        target=f"{_SERVICE}:StateTaskService._to_boto_request_value",
        build=_boto_request_value,
        why="values inside lists and maps are converted and then dropped",
    ),
    Replacement(
        target=f"{_SERVICE}:StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES",
        build=lambda original: {**original, **SDK_NAMES},
        why="some services are called otherwise in botocore",
    ),
]

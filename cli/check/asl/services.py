"""botocore's service models, and how Step Functions writes their names.

botocore ships what AWS publishes: operations, shapes, limits, enums, errors. Step Functions calls services through the
SDK for Java: arguments begin with a capital, exceptions end in `Exception`.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import re
from functools import lru_cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from cli.check.asl import values
from cli.check.asl.values import ANY, BOOLEAN, NUMBER, STRING, Array, Value

_LOADER = Loader()
_KNOWN = {
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearchservice": "es",
    "costexplorer": "ce",
    "costandusagereportservice": "cur",
    "applicationdiscoveryservice": "discovery",
    "databasemigrationservice": "dms",
    "directoryservice": "ds",
    "directoryservicedata": "ds-data",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "simpledb": "sdb",
    "pinpointsmsvoice": "sms-voice",
}
"""The SDK's names of services that do not begin like botocore's."""
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
NUMBERS = ("integer", "long", "float", "double", "bigdecimal", "biginteger")
_RESULT_DEPTH = 6


@lru_cache(maxsize=64)
def model(service: str) -> ServiceModel:
    """The model of a service by botocore's name."""
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


@lru_cache(maxsize=256)
def by_sdk_name(name: str) -> ServiceModel | None:
    """The service that an `aws-sdk:` ARN calls `name`: its id in small letters without spaces.

    botocore's own names mostly begin alike; where they do not, `_KNOWN` has them.
    """
    known = _LOADER.list_available_services("service-2")
    near = [one for one in known if one.replace("-", "")[:3] == name[:3]]
    for candidate in [_KNOWN.get(name), *near]:
        if candidate is not None and _sdk_name(candidate) == name:
            return model(candidate)
    return None


@lru_cache(maxsize=1024)
def _sdk_name(service: str) -> str:
    return re.sub(r"[\s-]", "", str(model(service).service_id)).lower()


def operation(service: ServiceModel, action: str) -> OperationModel | None:
    """The operation that an ARN calls `action`: its name with a small first letter."""
    name = action[:1].upper() + action[1:]
    return service.operation_model(name) if name in service.operation_names else None


def actions(service: ServiceModel) -> list[str]:
    """How ARNs call a service's operations."""
    return [name[:1].lower() + name[1:] for name in service.operation_names]


def pascal(name: str) -> str:
    """How Step Functions writes a member."""
    return name[:1].upper() + name[1:]


def spellings(name: str) -> set[str]:
    """All ways to write a member: the SDK for Java lowers a run of leading capitals (`ACL` is `Acl`)."""
    run = re.match(r"[A-Z]+(?=[A-Z][a-z]|\d|$)", name)
    lowered = {pascal(run[0].lower() + name[run.end() :])} if run and len(run[0]) > 1 else set()
    return {pascal(name)} | lowered


def sdk_prefix(service: ServiceModel) -> str:
    """What errors of the SDK integrations begin with: the service's id, each word with one capital."""
    return "".join(word.capitalize() for word in _WORD.findall(str(service.service_id)))


def exception_name(shape_name: str) -> str:
    """The SDK's class for an error of the model. `InternalServerError` is `InternalServerErrorException`."""
    name = pascal(shape_name.removesuffix("Fault"))
    return name if name.endswith("Exception") else f"{name}Exception"


def value_of(shape: object, depth: int = 0) -> Value:
    """What can be known of a value of a shape."""
    kind = getattr(shape, "type_name", "")
    if depth > _RESULT_DEPTH or getattr(shape, "is_document_type", False):
        return ANY
    if kind == "structure":
        members = getattr(shape, "members")  # noqa: B009  a shape that is not one of structure has none
        return values.of_object({pascal(name): value_of(member, depth + 1) for name, member in members.items()})
    if kind == "list":
        return Array(value_of(getattr(shape, "member"), depth + 1))  # noqa: B009
    if kind == "map":
        return values.of_object({}, value_of(getattr(shape, "value"), depth + 1))  # noqa: B009
    if kind in NUMBERS:
        return NUMBER
    if kind == "boolean":
        return BOOLEAN
    if kind in ("string", "blob"):
        choices = getattr(shape, "enum", None)
        return values.Scalar("string", frozenset(choices)) if choices else STRING
    return ANY

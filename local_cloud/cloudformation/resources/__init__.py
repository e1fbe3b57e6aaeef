"""The resource types that this cloud makes. A type that is not in this table is refused by name."""

from __future__ import annotations

from local_cloud.cloudformation.resources import (
    compute,
    identity,
    messaging,
    monitoring,
    network,
    serverless,
    storage,
)
from local_cloud.cloudformation.resources.base import Resource

RESOURCE_TYPES: dict[str, Resource] = {
    resource.type_name: resource
    for module in (storage, messaging, identity, monitoring, network, compute, serverless)
    for resource in module.TYPES
}

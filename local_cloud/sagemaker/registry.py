"""The model registry's rules that moto leaves out: client tokens, partial updates, and the state-change event.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException, ConflictException

from local_cloud.durability import commits
from local_cloud.replacements import Replacement
from local_cloud.services import events

MOST_METADATA = 50
LONGEST_METADATA = 256


def _check_metadata(properties: dict[str, str] | None) -> None:
    items = (properties or {}).items()
    if len(items) > MOST_METADATA:
        raise AWSValidationException(f"CustomerMetadataProperties has {len(items)} entries, at most {MOST_METADATA}")
    for name, value in items:
        if len(name) > 128 or len(value) > LONGEST_METADATA:
            raise AWSValidationException(f"CustomerMetadataProperties: {name[:128]} or its value is too long")


def _create(original: Callable[..., str]) -> Callable[..., str]:
    def create_model_package(self: Any, **given: Any) -> str:
        _check_metadata(given["customer_metadata_properties"])
        group = given["model_package_group_name"]
        if group:
            given["model_package_group_name"] = group.rsplit("/", 1)[-1]
            given["model_approval_status"] = given["model_approval_status"] or "PendingManualApproval"
        token = given["client_token"]
        asked = json.dumps(given, sort_keys=True, default=str)
        with commits.together():  # one at a time; and a package is there with its event
            tokens = self.__dict__.setdefault("_client_tokens", {})
            if token and token in tokens:
                arn, first = tokens[token]
                if first != asked:
                    raise ConflictException(f"ClientToken {token} was used for another model package")
                return str(arn)
            arn = original(self, **given)
            if token:
                tokens[token] = (arn, asked)
            _emit(self, arn, [])
        return arn

    return create_model_package


def _update(_: Callable[..., str]) -> Callable[..., str]:
    def update_model_package(*args: Any, **given: Any) -> str:
        with commits.together():  # a change is there with its event
            return _change(*args, **given)

    return update_model_package


def _change(
    self: Any,
    model_package_arn: str,
    model_approval_status: str | None,
    approval_description: str | None,
    customer_metadata_properties: dict[str, str] | None,
    customer_metadata_properties_to_remove: list[str] | None,
    additional_inference_specifications_to_add: list[Any] | None,
) -> str:
    """Change only what is given; metadata is merged."""
    package = self.describe_model_package(model_package_arn)
    changed: list[str] = []
    if model_approval_status is not None:
        package.set_model_approval_status(model_approval_status)
        changed.append("ModelApprovalStatus")
    if approval_description is not None:
        package.approval_description = approval_description
        changed.append("ApprovalDescription")
    if customer_metadata_properties or customer_metadata_properties_to_remove:
        merged = {**(package.customer_metadata_properties or {}), **(customer_metadata_properties or {})}
        for name in customer_metadata_properties_to_remove or []:
            merged.pop(name, None)
        _check_metadata(merged)
        package.customer_metadata_properties = merged
        changed.append("CustomerMetadataProperties")
    if additional_inference_specifications_to_add:
        package.add_additional_inference_specifications(additional_inference_specifications_to_add)
        changed.append("AdditionalInferenceSpecifications")
    package.modifications_done()
    _emit(self, package.arn, changed)
    return str(package.arn)


def _emit(backend: Any, arn: str, changed: list[str]) -> None:
    package = backend.model_packages[arn]
    detail = {
        name: _json(value)
        for name, value in package.gen_response_object().items()
        if name != "CustomerMetadataProperties"
    }
    if package.customer_metadata_properties:
        detail["CustomerMetadataProperties"] = dict(package.customer_metadata_properties)
    if changed:
        detail["UpdatedModelPackageFields"] = changed
    kind = "SageMaker Model Package State Change"
    events.emit("aws.sagemaker", kind, detail, [arn], backend.account_id, backend.region_name)


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


_BACKEND = "moto.sagemaker.models:SageMakerModelBackend"

REPLACEMENTS: list[Replacement] = [
    Replacement(
        target=f"{_BACKEND}.create_model_package",
        build=_create,
        why="ignores ClientToken, so that a retry registers twice; sends no event",
    ),
    Replacement(
        target=f"{_BACKEND}.update_model_package",
        build=_update,
        why="an update of one field empties the others; sends no event",
    ),
]

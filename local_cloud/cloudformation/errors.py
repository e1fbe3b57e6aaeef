"""Errors of CloudFormation operations."""

from __future__ import annotations


class TemplateError(ValueError):
    """A template or its parameters that CloudFormation refuses before it touches a resource."""


class ResourceError(RuntimeError):
    """A resource could not be made, changed or deleted; the message becomes its status reason."""


class UnsupportedPropertyError(ResourceError):
    """A property that this cloud would have to ignore."""

    def __init__(self, type_name: str, path: str) -> None:
        super().__init__(f"{type_name}: property {path} is not emulated")

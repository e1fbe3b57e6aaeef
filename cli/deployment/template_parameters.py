"""The names of the parameters that a template takes, read without CloudFormation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_BaseLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster


class _TemplateLoader(_BaseLoader):
    """A safe loader for which CloudFormation's short forms (`!Ref`, `!Sub`) are plain values."""


def _short_form(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_TemplateLoader.add_multi_constructor("!", _short_form)


def parameter_names(template: Path) -> set[str]:
    """The keys of the template's `Parameters` section."""
    document = yaml.load(template.read_text(), _TemplateLoader)  # noqa: S506 - a SafeLoader with inert tags
    return set(document.get("Parameters", {}))

"""Values for a template's parameters, checked as CloudFormation checks them.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.cloudformation.errors import TemplateError

ReadParameter = Callable[[str], str]
_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_LISTS = ("CommaDelimitedList", "List<")


def resolve(template: Mapping[str, Any], given: Mapping[str, str], read_parameter: ReadParameter) -> dict[str, Any]:
    """Each parameter's value: text, or a list of texts for list types.

    `read_parameter` reads an SSM parameter. Raises: TemplateError.
    """
    declared: dict[str, dict[str, Any]] = template.get("Parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    texts = {name: given.get(name, spec.get("Default")) for name, spec in declared.items()}
    if missing := [name for name, text in texts.items() if text is None]:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _value(name, str(text), declared[name], read_parameter) for name, text in texts.items()}


def _value(name: str, text: str, spec: Mapping[str, Any], read_parameter: ReadParameter) -> Any:
    kind = spec.get("Type", "String")
    _check(name, text, kind, spec)
    if match := _STORED.fullmatch(kind):
        text, kind = read_parameter(text), match[1]
    if kind.startswith(_LISTS):
        return [part.strip() for part in text.split(",")] if text else []
    return text


def _check(name: str, text: str, kind: str, spec: Mapping[str, Any]) -> None:
    allowed = [str(value) for value in spec.get("AllowedValues") or []]
    parts = text.split(",") if kind.startswith(_LISTS) else [text]
    explained = spec.get("ConstraintDescription")

    def refuse(reason: str) -> None:
        raise TemplateError(f"Parameter '{name}' must {explained or reason}")

    if allowed and any(part.strip() not in allowed for part in parts):
        refuse(f"be one of AllowedValues [{', '.join(allowed)}]")
    if (pattern := spec.get("AllowedPattern")) and not re.fullmatch(pattern, text):
        refuse(f"match pattern {pattern}")
    if "MinLength" in spec and len(text) < int(spec["MinLength"]):
        refuse(f"contain at least {spec['MinLength']} characters")
    if "MaxLength" in spec and len(text) > int(spec["MaxLength"]):
        refuse(f"contain at most {spec['MaxLength']} characters")
    if kind == "Number":
        try:
            number = float(text)
        except ValueError:
            refuse("be a number")
            return
        if "MinValue" in spec and number < float(spec["MinValue"]):
            refuse(f"be a number not less than {spec['MinValue']}")
        if "MaxValue" in spec and number > float(spec["MaxValue"]):
            refuse(f"be a number not greater than {spec['MaxValue']}")

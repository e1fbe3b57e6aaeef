"""Resolves intrinsic functions, conditions and dynamic references of one stack.

A reference to nothing, or a function that is not known, is an error: never left in the result.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_cloud.cloudformation.errors import TemplateError

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^}]+)\}\}")
NO_VALUE = object()


@dataclass(frozen=True)
class Scope:
    """What a stack's references mean.

    `ref` and `attribute` answer for resources that exist by now; `read_parameter` reads SSM,
    `import_value` another stack's export.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    pseudo: Mapping[str, Any]
    ref: Callable[[str], str]
    attribute: Callable[[str, str], Any]
    read_parameter: Callable[[str], str]
    import_value: Callable[[str], str]


class Resolver:
    """Resolves values in a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._conditions: dict[str, bool] = {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::If": self._if,
            "Fn::Equals": lambda pair: self._text(pair[0]) == self._text(pair[1]),
            "Fn::Not": lambda parts: not self.resolve(parts[0]),
            "Fn::And": lambda parts: all(self.resolve(part) for part in parts),
            "Fn::Or": lambda parts: any(self.resolve(part) for part in parts),
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": lambda name: self._scope.import_value(self._text(name)),
            "Fn::GetAZs": self._zones,
            "Fn::Base64": lambda text: base64.b64encode(self._text(text).encode()).decode(),
            "Fn::ToJsonString": lambda value: json.dumps(self.resolve(value)),
            "Fn::Length": lambda value: len(self.resolve(value)),
            "Fn::Cidr": self._cidr,
        }

    def resolve(self, node: Any) -> Any:
        """The value of a part of the template; members that are AWS::NoValue are left out.

        Raises: TemplateError.
        """
        if isinstance(node, list):
            return [value for part in node if (value := self.resolve(part)) is not NO_VALUE]
        if isinstance(node, str):
            return self._dynamic(node)
        if not isinstance(node, dict):
            return node
        if function := _function_name(node):
            if function not in self._functions:
                raise TemplateError(f"Template error: intrinsic function {function} is not emulated")
            return self._functions[function](node[function])
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a named condition holds. Raises: TemplateError for an unknown one."""
        if name not in self._conditions:
            declared = self._scope.template.get("Conditions") or {}
            if name not in declared:
                raise TemplateError(f"Template error: condition {name} does not exist")
            self._conditions[name] = bool(self.resolve(declared[name]))
        return self._conditions[name]

    def _text(self, node: Any) -> str:
        value = self.resolve(node)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, dict | list):
            raise TemplateError(f"Template error: expected a string, found {json.dumps(value)[:100]}")
        return str(value)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        for known in (self._scope.pseudo, self._scope.parameters):
            if name in known:
                return known[name]
        return self._scope.ref(name)

    def _get_att(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        name, attribute = parts[0], ".".join(self._text(part) for part in parts[1:])
        return self._scope.attribute(name, attribute)

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        values = {name: self._text(value) for name, value in own.items()}

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{match[2]}}}"
            if name in values:
                return values[name]
            return self._text({"Fn::GetAtt": name.split(".", 1)} if "." in name else {"Ref": name})

        return str(self._dynamic(_PLACEHOLDER.sub(replace, text)))

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(self._dynamic(str(separator).join(self._text(part) for part in self.resolve(parts))))

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return self._text(text).split(separator)

    def _select(self, argument: Any) -> Any:
        index, values = int(self._text(argument[0])), self.resolve(argument[1])
        if not 0 <= index < len(values):
            raise TemplateError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return values[index]

    def _if(self, argument: Any) -> Any:
        name, when_true, when_false = argument
        return self.resolve(when_true if self.condition(name) else when_false)

    def _find_in_map(self, argument: Any) -> Any:
        found: Any = self._scope.template.get("Mappings") or {}
        for key in argument[:3]:
            name = self._text(key)
            if not isinstance(found, dict) or name not in found:
                raise TemplateError(f"Template error: Unable to get mapping for {'::'.join(map(str, argument[:3]))}")
            found = found[name]
        return found

    def _zones(self, region: Any) -> list[str]:
        name = self._text(region) or str(self._scope.pseudo["AWS::Region"])
        return [f"{name}{letter}" for letter in "abc"]

    def _cidr(self, argument: Any) -> list[str]:
        block, count = ipaddress.ip_network(self._text(argument[0])), int(self._text(argument[1]))
        bits = int(self._text(argument[2])) if len(argument) > 2 else 8
        subnets = block.subnets(new_prefix=block.max_prefixlen - bits)
        return [str(subnet) for subnet, _ in zip(subnets, range(count), strict=False)]

    def _dynamic(self, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            if match[1] != "ssm":
                raise TemplateError(f"Template error: dynamic reference to {match[1]} is not emulated")
            return self._scope.read_parameter(match[2].split(":")[0])

        return _DYNAMIC.sub(replace, text)


def references(node: Any) -> Iterator[str]:
    """Names of everything a part of a template refers to, resources and parameters alike."""
    if isinstance(node, list):
        for part in node:
            yield from references(part)
    elif isinstance(node, dict):
        function = _function_name(node)
        argument: Any = node[function] if function else None
        if function == "Ref":
            yield str(argument)
        elif function == "Fn::GetAtt":
            yield str(argument.split(".")[0] if isinstance(argument, str) else argument[0])
        elif function == "Fn::Sub":
            yield from _sub_references(argument)
        else:
            for value in node.values():
                yield from references(value)


def _sub_references(argument: Any) -> Iterator[str]:
    text, own = argument if isinstance(argument, list) else (argument, {})
    for literal, name in _PLACEHOLDER.findall(text):
        if not literal and name.strip() not in own:
            yield name.strip().split(".")[0]
    yield from references(list(own.values()))


def _function_name(node: Mapping[str, Any]) -> str | None:
    if len(node) != 1:
        return None
    name = next(iter(node))
    is_condition = name == "Condition" and isinstance(node[name], str)
    return name if isinstance(name, str) and (name.startswith("Fn::") or name == "Ref" or is_condition) else None

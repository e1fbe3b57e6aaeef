"""What the proofs need of the CloudFormation templates: the machines with their substitutions, and the functions.

A template is read as it is written, not transformed: what a person can mend is what is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.check import documents
from cli.check.documents import Document, Steps

MACHINE = "AWS::Serverless::StateMachine"
FUNCTION = "AWS::Serverless::Function"
TABLE = "AWS::DynamoDB::Table"
LAYER = "AWS::Serverless::LayerVersion"
LAMBDA_TIMEOUT_S = 3
"""Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html"""


@dataclass(frozen=True)
class Substitution:
    """What a template puts in the place of `${name}`.

    `target` is the logical id, parameter or pseudo parameter it comes from, `type` that resource's type or the
    parameter's; both are empty for a constant. `text` is the constant, or a parameter's default; None if only a
    deployment knows it.
    """

    name: str
    target: str = ""
    type: str = ""
    text: str | None = None
    is_parameter: bool = False


@dataclass(frozen=True)
class Machine:
    """A state machine of a template. `steps` lead to its substitutions in the template."""

    logical_id: str
    template: Document
    definition: Path
    substitutions: Mapping[str, Substitution]
    steps: Steps


@dataclass(frozen=True)
class Function:
    """A Lambda function of a template."""

    logical_id: str
    code: Path
    handler: str
    timeout_s: int


@dataclass(frozen=True)
class Templates:
    """All templates of the project."""

    root: Path
    documents: tuple[Document, ...]
    machines: tuple[Machine, ...]
    functions: Mapping[str, Function]
    layers: tuple[Path, ...]
    tables: Mapping[str, Mapping[str, str]]
    """By table: its key's attributes with their types."""

    def machine(self, logical_id: str) -> Machine | None:
        """The machine of a logical id."""
        return next((machine for machine in self.machines if machine.logical_id == logical_id), None)


def read(root: Path) -> Templates:
    """template.yaml and stacks/*.yaml. Raises: DocumentError."""
    paths = [root / "template.yaml", *sorted((root / "stacks").glob("*.yaml"))]
    read_documents = tuple(documents.read(path, root) for path in paths if path.is_file())
    machines: list[Machine] = []
    functions: dict[str, Function] = {}
    layers: list[Path] = []
    tables: dict[str, dict[str, str]] = {}
    for document in read_documents:
        folder = (root / document.name).parent
        machines += list(_machines(document, folder))
        functions |= {function.logical_id: function for function in _functions(document, folder)}
        layers += [(folder / layer["ContentUri"]).resolve() for _, layer in _resources(document, LAYER)]
        tables |= {name: _key(properties) for name, properties in _resources(document, TABLE)}
    return Templates(root, read_documents, tuple(machines), functions, tuple(dict.fromkeys(layers)), tables)


def _resources(document: Document, type_name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in (document.value.get("Resources") or {}).items():
        if resource.get("Type") == type_name:
            yield name, resource.get("Properties") or {}


def _machines(document: Document, folder: Path) -> Iterator[Machine]:
    for name, properties in _resources(document, MACHINE):
        given = properties.get("DefinitionSubstitutions") or {}
        if isinstance(properties.get("DefinitionUri"), str):
            yield Machine(
                name,
                document,
                (folder / properties["DefinitionUri"]).resolve(),
                {key: _substitution(document.value, key, value) for key, value in given.items()},
                ("Resources", name, "Properties", "DefinitionSubstitutions"),
            )


def _functions(document: Document, folder: Path) -> Iterator[Function]:
    shared = ((document.value.get("Globals") or {}).get("Function")) or {}
    for name, properties in _resources(document, FUNCTION):
        given = {**shared, **properties}
        if isinstance(given.get("CodeUri"), str):
            yield Function(
                name,
                (folder / given["CodeUri"]).resolve(),
                given.get("Handler", ""),
                int(given.get("Timeout", LAMBDA_TIMEOUT_S)),
            )


def _key(table: Mapping[str, Any]) -> dict[str, str]:
    types = {one["AttributeName"]: one["AttributeType"] for one in table.get("AttributeDefinitions", [])}
    return {one["AttributeName"]: types.get(one["AttributeName"], "") for one in table.get("KeySchema", [])}


def _substitution(template: Mapping[str, Any], name: str, value: Any) -> Substitution:
    if isinstance(value, bool):
        return Substitution(name, text=str(value).lower())
    if isinstance(value, str | int | float):
        return Substitution(name, text=str(value))
    target = _target(value)
    parameter = (template.get("Parameters") or {}).get(target)
    if parameter is not None:
        default = parameter.get("Default")
        return Substitution(name, target, parameter["Type"], None if default is None else str(default), True)
    resource = (template.get("Resources") or {}).get(target) or {}
    return Substitution(name, target, resource.get("Type", ""))


def _target(value: Any) -> str:
    """The logical id that a `Ref` or a `GetAtt` names; empty for anything else."""
    if not isinstance(value, dict):
        return ""
    if isinstance(value.get("Ref"), str):
        return str(value["Ref"])
    attribute = value.get("Fn::GetAtt")
    return str(attribute[0]) if isinstance(attribute, list) and attribute else ""

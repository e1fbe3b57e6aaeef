"""The whole proof: every machine of the templates, each against its template, its functions and the other machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.check import documents, templates
from cli.check.asl import definition, error_names, structure, substitutions, timeouts
from cli.check.asl.contracts import Contract
from cli.check.asl.flow import Flow
from cli.check.asl.function_code import CodeReader, FunctionCode
from cli.check.asl.report import Report
from cli.check.asl.tasks import Tasks
from cli.check.documents import Document
from cli.check.findings import Finding
from cli.check.templates import Function, Machine, Templates


@dataclass
class Project:
    """What the machines are proved against; functions' code is read once, so that many definitions can be proved.

    `texts` stand, by logical id, for the definitions in the files.
    """

    templates: Templates
    texts: Mapping[str, str] = field(default_factory=dict)
    code: CodeReader | None = None
    _contracts: dict[str, Contract | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.code = self.code or CodeReader(self.templates.layers)

    def with_text(self, logical_id: str, text: str) -> Project:
        """The same project with another definition of one machine."""
        return Project(self.templates, {**self.texts, logical_id: text}, self.code)

    def text(self, machine: Machine) -> str:
        """A machine's definition as written. Raises: OSError."""
        return self.texts.get(machine.logical_id) or machine.definition.read_text(encoding="utf-8")

    def function(self, logical_id: str) -> tuple[Function, FunctionCode] | None:
        """A function of the templates and its code; None if there is no such function, or no handler in its code."""
        function = self.templates.functions.get(logical_id)
        code = self.code.read(function) if function is not None and self.code is not None else None
        return (function, code) if function is not None and code is not None else None

    def table_key(self, logical_id: str) -> Mapping[str, str]:
        """The attributes of a table's key with their types; empty of a table that is not of the templates."""
        return self.templates.tables.get(logical_id, {})

    def contract(self, logical_id: str) -> Contract | None:
        """What a machine asks and gives; None of a machine that is not of the templates, or that starts itself."""
        if logical_id not in self._contracts:
            self._contracts[logical_id] = None
            machine = self.templates.machine(logical_id)
            if machine is not None:
                self._contracts[logical_id] = self._contract_of(machine)
        return self._contracts[logical_id]

    def _contract_of(self, machine: Machine) -> Contract:
        document = self._document(machine, self.text(machine))
        scope = definition.scope_of(document.value)
        flow = Flow(scope, Tasks(machine.substitutions, self), Report(document))
        flow.walk()
        limit = scope.body.get("TimeoutSeconds")
        flow.contract.timeout_s = limit if isinstance(limit, int) else None
        return flow.contract

    def _document(self, machine: Machine, text: str) -> Document:
        return definition.read(text, self._name(machine.definition), machine.substitutions)

    def _name(self, path: Path) -> str:
        return (
            path.relative_to(self.templates.root).as_posix() if path.is_relative_to(self.templates.root) else str(path)
        )

    def prove(self, machine: Machine) -> list[Finding]:
        """What is wrong with a machine. Raises: DocumentError, OSError."""
        text = self.text(machine)
        document = self._document(machine, text)
        report = Report(document)
        _prove(document, Tasks(machine.substitutions, self), report)
        substitutions.check(documents.parse(text, document.name), machine, report)
        return report.findings()


def _prove(document: Document, tasks: Tasks, report: Report) -> None:
    if not isinstance(document.value, dict):
        report.add((), "field-value", "the definition is no object", "write StartAt and States")
        return
    machine = definition.scope_of(document.value)
    structure.check(machine, report)
    timeouts.check(machine, report)
    Flow(machine, tasks, report).walk()
    error_names.check(machine.all_states(), tasks, report)


def of_text(text: str, name: str) -> list[Finding]:
    """What is wrong with a definition by itself, without a template. Raises: DocumentError."""
    document = documents.parse(text, name)
    report = Report(document)
    empty = Templates(Path(), (), (), {}, (), {})
    _prove(document, Tasks({}, Project(empty)), report)
    return report.findings()


def of_project(root: Path) -> tuple[list[Finding], int]:
    """The findings in all machines of a project, and how many machines there are. Raises: DocumentError, OSError."""
    project = Project(templates.read(root))
    found: list[Finding] = []
    for machine in project.templates.machines:
        found += project.prove(machine)
    return sorted(found), len(project.templates.machines)

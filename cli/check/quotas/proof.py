"""The proof: no limit of AWS's can be exceeded by what schemas, code, templates and machines allow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cli.check.findings import Finding
from cli.check.quotas import deployments, history, machines, product, templates, writes
from cli.check.quotas.longest import UnboundedError
from cli.check.quotas.meter import Measure, Meter


def measured(root: Path, texts: Mapping[str, str] | None = None) -> Meter:
    """The worst case of every limit. `texts` stand in for files of these names.

    Raises: OSError, DocumentError; UnboundedError for a schema that bounds something no more.
    """
    meter = Meter()
    project = deployments.read(root, texts)
    ran = product.run(project.stack_name, project.image)
    read = machines.read(project)
    machines.measure(read, ran, meter)
    history.measure(read, ran, meter)
    templates.measure(project, meter)
    writes.measure(ran, meter)
    return meter


def findings(root: Path, texts: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that is over a limit. Raises: OSError, DocumentError."""
    return of_project(root, texts)[0]


def of_project(root: Path, texts: Mapping[str, str] | None = None) -> tuple[list[Finding], list[Measure]]:
    """The findings, and the worst case of each limit."""
    try:
        meter = measured(root, texts)
    except UnboundedError as error:
        mend = "give the field a largest length or count"
        return [Finding("layers/core/turbine/domain", 1, "", "quota:unbounded", str(error), "", mend)], []
    return meter.findings(), list(meter.rows())

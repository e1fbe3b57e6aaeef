"""docs/embedded-cloud-coverage.md: the verdicts and the replaced symbols of moto, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from local_cloud.aws_clients import service_model
from local_cloud.coverage import SERVICES
from local_cloud.coverage.verdicts import NOT_CHECKED, Coverage, Faithful, Partial, Refused
from local_cloud.replacements import Replacement
from local_cloud.server import replaced

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "embedded-cloud-coverage.md"
_TESTS = Path("tests")
_BY_RECORDING = "tests/parity/test_asl_conformance.py"
CHECKS = {
    "local_cloud.durability.reached": "tests/parity/test_kept.py",
    "local_cloud.durability.tables": "tests/parity/test_resume.py",
    "local_cloud.services.accounts": "tests/parity/test_signatures.py",
    "local_cloud.services.awslambda": "tests/parity/test_functions.py",
    "local_cloud.services.batch": "tests/parity/jobs/test_batch_api.py",
    "local_cloud.services.cloudformation": "tests/parity/test_stacks.py",
    "local_cloud.services.cloudwatch": "tests/parity/test_cloudwatch.py",
    "local_cloud.services.dispatch": "tests/parity/test_coverage.py",
    "local_cloud.services.dynamodb": "tests/parity/test_storage.py",
    "local_cloud.services.events": "tests/parity/test_events.py",
    "local_cloud.services.hosts": "tests/parity/jobs/test_hosts.py",
    "local_cloud.services.s3": "tests/parity/test_object_events.py",
    "local_cloud.services.sagemaker": "tests/parity/jobs/test_sagemaker.py",
    "local_cloud.services.scheduler": "tests/parity/test_events.py",
    "local_cloud.sagemaker.registry": "tests/parity/jobs/test_sagemaker.py",
    "local_cloud.services.ssm": "tests/parity/test_resume.py",
    "local_cloud.stepfunctions.api": "tests/parity/jobs/test_step_functions.py",
    "local_cloud.stepfunctions.executions": "tests/parity/jobs/test_step_functions.py",
    "local_cloud.stepfunctions.kept": "tests/parity/test_resume.py",
    "local_cloud.stepfunctions.resuming": "tests/parity/test_resume.py",
}
"""The test that shows what a module's replacements do; those of Step Functions that are not here: the recording."""

_PREAMBLE = """\
# Coverage of the embedded AWS

Written by `python -m local_cloud.coverage`; a test compares it with the verdicts in `local_cloud/coverage/`. The \
cloud reads those itself: what is neither faithful nor partial is refused by name before anything else sees it.

- **Faithful**: what AWS documents of the operation was read, nothing is known to differ, and the named test shows it.
- **Partial**: served, with the difference that is told.
- **Refused**: the answer is `service:Operation is not emulated`. Services that are not listed are refused altogether.

An operation has what its service has: IAM is not enforced, nobody pays, and no quota of AWS holds unless it is named.
"""


def page() -> str:
    """The whole page, in Markdown."""
    parts = [_PREAMBLE, "\n".join(_summary())]
    parts += ["\n".join(_section(service, coverage)) for service, coverage in SERVICES.items()]
    return "\n".join([*parts, "\n".join(_symbols())]) + "\n"


def refused(service: str) -> list[str]:
    """The operations of a service that are refused, by botocore's model."""
    coverage = SERVICES[service]
    return [
        name
        for name in sorted(service_model(service).operation_names)
        if isinstance(coverage.get(name), Refused | None)
    ]


def check_of(replacement: Replacement) -> str:
    """The test that shows what a replacement does: that of the module which makes it. Raises: KeyError for none."""
    module = replacement.build.__module__
    mirror = _TESTS / "unit" / Path(*module.split(".")[:-1]) / f"test_{module.rpartition('.')[2]}.py"
    if module in CHECKS:
        return CHECKS[module]
    if (ROOT / mirror).exists():
        return mirror.as_posix()
    if module.startswith("local_cloud.stepfunctions."):
        return _BY_RECORDING
    raise KeyError(f"{module} replaces {replacement.target}, and no test of it is named in {__name__}.CHECKS")


def _summary() -> Iterator[str]:
    yield "| service | faithful | partial | of these as moto has it | refused |"
    yield "|---|---|---|---|---|"
    for service, coverage in SERVICES.items():
        verdicts = coverage.values()
        faithful = sum(isinstance(verdict, Faithful) for verdict in verdicts)
        partial = sum(isinstance(verdict, Partial) for verdict in verdicts)
        unchecked = sum(verdict == Partial(NOT_CHECKED) for verdict in verdicts)
        yield f"| [{service}](#{service}) | {faithful} | {partial} | {unchecked} | {len(refused(service))} |"


def _section(service: str, coverage: Coverage) -> Iterator[str]:
    yield from ("", f"## {service}", "")
    told = {name: verdict for name, verdict in sorted(coverage.items()) if verdict != Partial(NOT_CHECKED)}
    rows = [f"| {name} | faithful | shown by `{verdict.shown_by}` |" for name, verdict in told.items() if isinstance(verdict, Faithful)]  # fmt: skip  # noqa: E501
    rows += [f"| {name} | partial | {verdict.difference} |" for name, verdict in told.items() if isinstance(verdict, Partial)]  # fmt: skip  # noqa: E501
    if rows:
        yield from ("| operation | verdict | difference |", "|---|---|---|", *rows, "")
    if unchecked := [name for name, verdict in sorted(coverage.items()) if verdict == Partial(NOT_CHECKED)]:
        yield from (f"Partial, {NOT_CHECKED}: {', '.join(unchecked)}.", "")
    reasons = {verdict.reason: None for verdict in told.values() if isinstance(verdict, Refused)}
    for reason in reasons:
        names = [name for name, verdict in told.items() if verdict == Refused(reason)]
        yield from (f"Refused, {reason}: {', '.join(names)}.", "")
    others = [name for name in refused(service) if name not in coverage]
    yield f"Refused: {', '.join(others) or 'nothing'}{' else' if reasons and not others else ''}."


def _symbols() -> Iterator[str]:
    yield from ("", "## Replaced symbols of moto", "")
    yield "That each of them is there is checked whenever the cloud starts, so that a new moto fails loudly."
    yield from ("", "| symbol | why | check |", "|---|---|---|")
    for entry in replaced():
        yield f"| `{entry.target}` | {entry.why} | `{check_of(entry)}` |"

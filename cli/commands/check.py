"""`turbine check`: what can be proved of the templates and the machines without an account, in seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import exit_codes
from cli.check.asl import proof as asl
from cli.check.documents import DocumentError
from cli.check.findings import Finding
from cli.commands import options
from cli.embedded.daemon import PROJECT_DIR
from cli.errors import CommandError
from cli.terminal import Terminal


def _iam(root: Path) -> tuple[list[Finding], int]:
    from cli.check.iam import proof  # imports SAM's translator and moto: only who checks roles waits for them

    return proof.of_project(root)


def _quotas(root: Path) -> tuple[list[Finding], int]:
    from cli.check.quotas import proof  # imports the product's use cases and moto

    found, measures = proof.of_project(root)
    return found, len(measures)


PROOFS: dict[str, tuple[str, Callable[[Path], tuple[list[Finding], int]]]] = {
    "asl": ("machines", asl.of_project),
    "iam": ("roles", _iam),
    "quotas": ("limits", _quotas),
}
"""By name: what a proof looks at, and how; it gives its findings and how many of those it looked at."""


def check(
    definitions: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DEFINITION]…", help="Definitions to prove by themselves, instead of the project."),
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="The folder with template.yaml.")] = PROJECT_DIR,
    limits: Annotated[
        bool, typer.Option("--limits", help="Tell the worst case and the margin of every limit of AWS's.")
    ] = False,
    account: Annotated[
        bool, typer.Option("--account", help="Compare the account's Service Quotas with what the stack needs.")
    ] = False,
    stack: options.Stack = options.STACK,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also tell what is for a person to judge.")] = False,
    json_only: options.Json = False,
) -> None:
    """Prove the templates and machines by reading them: docs/proofs.md says what, and what not. 1 if any is wrong.

    Only --account talks to AWS.
    """
    terminal = Terminal(json_only)
    if limits or account:
        _check_options(definitions, limits and account)
        _require_template(root)
        with _telling_what_is_unreadable():
            _tell_limits(terminal, root.resolve()) if limits else _tell_account(terminal, root.resolve(), stack)
        return
    results = {"asl": _of_definitions(definitions)} if definitions else _of_project(root)
    shown = {name: [one for one in found if verbose or not one.is_note] for name, (found, _) in results.items()}
    count = sum(not one.is_note for found, _ in results.values() for one in found)
    if json_only:
        proofs = [
            {"name": name, "checked": results[name][1], "findings": [one.as_json() for one in found]}
            for name, found in shown.items()
        ]
        terminal.print_json({"findings": count, "proofs": proofs})
    else:
        for name, found in shown.items():
            terminal.print_lines([line for one in found for line in _lines(one)])
            terminal.say(_summary(name, results[name][1], sum(not one.is_note for one in found)))
    if count:
        raise typer.Exit(exit_codes.FAILED)


def _check_options(definitions: list[Path] | None, both: bool) -> None:
    if definitions or both:
        raise CommandError(
            "--limits and --account look at the whole project, one at a time",
            next_step="`turbine check --limits` or `turbine check --account`, without definitions",
            exit_code=exit_codes.REFUSED,
        )


def _tell_limits(terminal: Terminal, root: Path) -> None:
    """Every limit with its worst case, where that comes from, and what is left.

    Raises: CommandError for machines that are wrong: they have no worst case.
    """
    from cli.check.quotas import proof

    if any(not one.is_note for one in asl.of_project(root)[0]):
        raise CommandError("there is something wrong with the machines", next_step="`turbine check`, and mend it")
    found, measures = proof.of_project(root)
    if terminal.json_only:
        rows = [measure.as_json() for measure in measures]
        terminal.print_json({"findings": len(found), "limits": rows})
    else:
        columns = ("limit", "worst case", "AWS", "left", "unit", "where")
        terminal.print_table(columns, [one.as_row() for one in measures])
        terminal.print_lines([line for one in found for line in _lines(one)])
        terminal.say(_summary("quotas", len(measures), len(found)))
    if found:
        raise typer.Exit(exit_codes.FAILED)


def _tell_account(terminal: Terminal, root: Path, stack: str) -> None:
    from cli.commands import account_quotas

    account_quotas.check(terminal, root, stack)


def _require_template(root: Path) -> None:
    if not (root / "template.yaml").is_file():
        raise CommandError(
            f"{root} has no template.yaml",
            next_step="`turbine check --root DIR`, with the folder that has it",
            exit_code=exit_codes.REFUSED,
        )


def _of_project(root: Path) -> dict[str, tuple[list[Finding], int]]:
    """Every proof that can be made of a project: those of roles and quotas know Turbine's own stacks and code.

    Machines that are wrong have no worst case: the proof of quotas waits until they are mended.
    """
    _require_template(root)
    results: dict[str, tuple[list[Finding], int]] = {}
    with _telling_what_is_unreadable():
        for name, (_, proof) in PROOFS.items():
            is_turbines = (root / "stacks/team.yaml").is_file()
            are_wrong = any(not one.is_note for one in results.get("asl", ([], 0))[0])
            if name == "asl" or (is_turbines and not (name == "quotas" and are_wrong)):
                results[name] = proof(root.resolve())
    return results


def _of_definitions(paths: list[Path]) -> tuple[list[Finding], int]:
    found: list[Finding] = []
    with _telling_what_is_unreadable():
        for path in paths:
            found += asl.of_text(path.read_text(encoding="utf-8"), str(path))
    return found, len(paths)


@contextlib.contextmanager
def _telling_what_is_unreadable() -> Iterator[None]:
    try:
        yield
    except (DocumentError, OSError, UnicodeDecodeError) as error:
        raise CommandError(str(error), next_step="mend the file and run `turbine check` again") from error


def _lines(finding: Finding) -> list[str]:
    place = f"{finding.file}:{finding.line}" + (f" {finding.state}" if finding.state else "")
    kind = "note " if finding.is_note else ""
    why = [f"    why:   {finding.why}"] if finding.why else []
    return [f"{place} [{kind}{finding.rule}] {finding.what}", *why, f"    write: {finding.mend}"]


def _summary(name: str, checked: int, count: int) -> str:
    what = f"{checked} {PROOFS[name][0]}"
    return f"{name}: {what}, nothing wrong" if not count else f"{name}: {what}, {count} thing(s) to mend"

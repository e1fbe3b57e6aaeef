"""`turbine check --account`: what the account has of the quotas that the stack needs, and what to file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from botocore.exceptions import ClientError

from cli import exit_codes
from cli.check.quotas import account, account_needs
from cli.check.quotas.account import Answer, QuotasUnreadableError
from cli.check.quotas.account_needs import UnknownInstanceTypeError
from cli.cloud import Cloud
from cli.deployment import team_stacks
from cli.errors import CommandError
from cli.terminal import Terminal

_PERMISSIONS = (
    "servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota, servicequotas:ListAWSDefaultServiceQuotas"
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def check(terminal: Terminal, root: Path, stack: str) -> None:
    """Compare and tell; exit code 1 if anything lacks; what Service Quotas does not list is told, and fails nothing.

    Raises: CommandError where the account, or Service Quotas, cannot be read.
    """
    cloud = Cloud.from_environment(stack)
    parameters, teams, basis = _deployed(cloud, root)
    try:
        needs = account_needs.needs(root, parameters, teams)
        found = account.answers(needs, lambda region: _client(cloud, region))
    except UnknownInstanceTypeError as error:
        raise CommandError(
            f"nothing is known here of the vCPU quota of {error}",
            place="TrainingInstanceType",
            next_step="look under Service Quotas, Amazon EC2, in the console, or use a type of the families P, G or C",
            exit_code=exit_codes.REFUSED,
        ) from error
    except QuotasUnreadableError as error:
        raise _unreadable(cloud, error) from error
    lacking = [answer for answer in found if answer.lacks]
    unknown = [answer for answer in found if answer.have is None]
    if terminal.json_only:
        terminal.print_json(
            {
                "basis": basis,
                "lacking": len(lacking),
                "unknown": len(unknown),
                "quotas": [one.as_json() for one in found],
            }
        )
    else:
        terminal.say(f"needed by {basis}")
        terminal.print_table(("service", "quota", "need", "have", ""), [_row(answer) for answer in found])
        terminal.print_lines([f"{answer.request}" for answer in lacking])
        for answer in unknown:
            terminal.say(f"Service Quotas lists no {answer.need.name!r} of {answer.need.service}: look at it by hand")
    if lacking:
        raise typer.Exit(exit_codes.FAILED)


def _deployed(cloud: Cloud, root: Path) -> tuple[dict[str, str], int, str]:
    """The stack's parameters and teams; before the first deployment the template's and the folder's."""
    try:
        given = cloud.description.get("Parameters", [])
    except CommandError as error:
        found = error.__cause__
        if not isinstance(found, ClientError) or found.response["Error"]["Code"] != "ValidationError":
            raise  # denied, or not reached: nobody knows whether there is a stack
        teams = len(list((root / "config/teams").glob("*.yaml")))
        return {}, teams, f"the template's defaults and {teams} team files, as there is no stack {cloud.stack!r} yet"
    teams = len(team_stacks.published(cloud))
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in given}
    return parameters, teams, f"the parameters of the stack {cloud.stack!r} and its {teams} teams"


def _client(cloud: Cloud, region: str | None) -> Any:
    if region is None or region == cloud.region:
        return cloud.client("service-quotas")
    return cloud.session.client("service-quotas", region_name=region)


def _row(answer: Answer) -> tuple[str, ...]:
    have = "?" if answer.have is None else f"{answer.have:g}"
    return answer.need.service, answer.need.name, str(answer.need.need), have, "too little" if answer.lacks else ""


def _unreadable(cloud: Cloud, error: QuotasUnreadableError) -> CommandError:
    place = f"{cloud.client('service-quotas').meta.endpoint_url}, {error.operation}"
    if error.code in _DENIED:
        next_step = f"let the caller do {_PERMISSIONS}, then `turbine check --account`"
        return CommandError(str(error), place=place, next_step=next_step)
    return CommandError(
        str(error),
        place=place,
        next_step="point the AWS variables at a real account: the embedded cloud has no Service Quotas",
        exit_code=exit_codes.NO_STACK,
    )

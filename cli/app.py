"""The command line: which commands there are, and how an error becomes a message and an exit code."""

from __future__ import annotations

import sys
import traceback

import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli import exit_codes, json_output
from cli.cloud import NO_STACK_HINT
from cli.commands import (
    check,
    demo,
    dlq,
    drop,
    local,
    models,
    operate,
    plan,
    promote,
    pull,
    rebuild,
    runs,
    show,
    simulate,
    smoke,
    teams,
)
from cli.errors import CommandError
from cli.terminal import Terminal

app = typer.Typer(
    name="turbine",
    help="Train, compare, publish and serve the models of several teams.",
    epilog=exit_codes.SUMMARY,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(cls=models.TeamGroup, help="A team's models; restore who was champion.")
models_app.command(models.TEAM, epilog=exit_codes.SUMMARY)(models.models)
models_app.command("rebuild", epilog=exit_codes.SUMMARY)(rebuild.rebuild)

app.command("demo")(demo.demo)
app.add_typer(local.app, name="local")
app.add_typer(teams.app, name="teams")
app.command("drop")(drop.drop)
app.command("runs")(runs.runs)
app.command("show")(show.show)
app.add_typer(models_app, name="models")
app.command("pull")(pull.pull)
app.add_typer(dlq.app, name="dlq")
app.command("redrive")(operate.redrive)
app.command("stop")(operate.stop)
app.command("promote")(promote.promote)
app.command("rollback")(promote.rollback)
app.command("plan")(plan.plan)
app.command("simulate")(simulate.simulate)
app.command("check")(check.check)
app.command("smoke")(smoke.smoke)


def main() -> None:
    """Run a command; every failure ends with a message on stderr and its exit code.

    Raises: InterruptedBySignal, which `cli.__main__` tells, since it can come before this is imported.
    """
    terminal = Terminal(json_only="--json" in sys.argv)
    json_output.begin()
    try:
        # The command's own exits (`typer.Exit`) are returned as their code.
        code = app(standalone_mode=False, prog_name="turbine") or exit_codes.OK
    except typer.TyperException as error:
        code = _report_usage(terminal, error)
    except CommandError as error:
        code = report(terminal, error)
    except (ClientError, BotoCoreError) as error:
        code = report(terminal, _of_aws(error))
    except Exception as error:  # noqa: BLE001 - the last resort: told as a bug, with the traceback
        traceback.print_exception(error)
        code = report(terminal, _internal(error))
    sys.exit(code)


def report(terminal: Terminal, error: CommandError) -> int:
    """Tell an error in its parts, and as the one object of `--json`."""
    terminal.say(f"Error: {error.cause}")
    if error.place:
        terminal.say(f"Where: {error.place}")
    if error.next_step:
        terminal.say(f"Next:  {error.next_step}")
    if terminal.json_only:
        json_output.write_error(error.as_json())
    return error.exit_code


def _report_usage(terminal: Terminal, error: typer.TyperException) -> int:
    """A wrong command line; a group without a command has shown its help already and says nothing more."""
    cause, context = error.format_message(), getattr(error, "ctx", None)
    if not cause:
        return error.exit_code
    path = context.command_path if context else "turbine"
    return report(terminal, CommandError(cause, place=path, next_step=f"`{path} --help`", exit_code=exit_codes.REFUSED))


def _of_aws(error: ClientError | BotoCoreError) -> CommandError:
    """A service's refusal, or no way to a service."""
    if isinstance(error, ClientError):
        return CommandError(
            str(error),
            place=f"request {error.response['ResponseMetadata'].get('RequestId', 'without id')}",
            next_step="check the account, the Region and the permissions of the AWS variables",
        )
    return CommandError(str(error).rstrip("."), next_step=NO_STACK_HINT, exit_code=exit_codes.NO_STACK)


def _internal(error: Exception) -> CommandError:
    return CommandError(
        f"turbine failed in a way it did not foresee: {type(error).__name__}: {error}",
        place="the traceback above, on stderr",
        next_step="report it with the traceback and the command that you typed",
        exit_code=exit_codes.INTERNAL,
    )

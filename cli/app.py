"""The command line: which commands there are, and how an error becomes a message and an exit code."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from cli import exit_codes
from cli.cloud import NO_STACK_HINT
from cli.commands import demo, drop, local, models, runs, show, teams
from cli.errors import CommandError, InterruptedBySignal
from cli.terminal import Terminal

app = typer.Typer(
    name="turbine",
    help="Train, compare, publish and serve the models of several teams.",
    epilog=exit_codes.SUMMARY,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.add_typer(local.app, name="local")
app.add_typer(teams.app, name="teams")
app.command("drop")(drop.drop)
app.command("runs")(runs.runs)
app.command("show")(show.show)
app.command("models")(models.models)


def main() -> None:
    """The entry point: run a command; every failure ends with a message on stderr and its exit code."""
    signal.signal(signal.SIGTERM, _raise_interrupted)
    signal.signal(signal.SIGINT, _raise_interrupted)
    terminal = Terminal(json_only="--json" in sys.argv)
    try:
        app(standalone_mode=True)
    except CommandError as error:
        code = report(terminal, error)
    except (NoCredentialsError, NoRegionError) as error:
        code = report(
            terminal,
            CommandError(str(error).rstrip("."), next_step=NO_STACK_HINT, exit_code=exit_codes.NO_STACK),
        )
    except ClientError as error:
        code = report(
            terminal,
            CommandError(
                str(error),
                place=f"request {error.response['ResponseMetadata'].get('RequestId', 'without id')}",
                next_step="check the account, the Region and the permissions of the AWS variables",
            ),
        )
    except BotoCoreError as error:
        code = report(terminal, CommandError(str(error), next_step=NO_STACK_HINT, exit_code=exit_codes.NO_STACK))
    except InterruptedBySignal as error:
        terminal.say("interrupted")
        code = error.exit_code
    else:
        code = exit_codes.OK
    sys.exit(code)


def report(terminal: Terminal, error: CommandError) -> int:
    """Tell an error in its parts, and as the one object of `--json`."""
    terminal.say(f"Error: {error.cause}")
    if error.place:
        terminal.say(f"Where: {error.place}")
    if error.next_step:
        terminal.say(f"Next:  {error.next_step}")
    if terminal.json_only:
        terminal.print_json(error.as_json())
    return error.exit_code


def _raise_interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    raise InterruptedBySignal(number)

"""`turbine dlq list` and `turbine dlq redrive`: events that could not be delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli import exit_codes
from cli.cloud import Cloud
from cli.commands import options
from cli.errors import CommandError
from cli.operate import dead_letters
from cli.operate.dead_letters import DeadLetter
from cli.terminal import Terminal

app = typer.Typer(help="Events that could not be delivered: look at them, deliver them again.", no_args_is_help=True)


@app.command("list", epilog=exit_codes.SUMMARY)
def list_letters(stack: options.Stack = options.STACK, json_only: options.Json = False) -> None:
    """List what could not be delivered, oldest first: what it is, to whom, and why not."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    letters = dead_letters.read(cloud)
    if json_only:
        terminal.print_json({"messages": [_as_json(letter) for letter in letters]})
        return
    if not letters:
        terminal.say("nothing is undelivered")
        return
    rows = [(letter.message_id, _time(letter), letter.target, letter.event, letter.why) for letter in letters]
    terminal.print_table(("message", "since", "to", "what", "why"), rows)


@app.command("redrive", epilog=exit_codes.SUMMARY)
def redrive(
    message: Annotated[str | None, typer.Argument(help="A message's id, as `turbine dlq list` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message there is.")] = False,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Deliver once more; what was delivered leaves the queue. A run that is there already stays as it is."""
    terminal, cloud = Terminal(json_only), Cloud.from_environment(stack)
    if everything == (message is not None):
        raise CommandError(
            "name one message, or say --all",
            next_step="`turbine dlq list` shows what there is",
            exit_code=exit_codes.REFUSED,
        )
    letters = [one for one in dead_letters.read(cloud) if everything or one.message_id == message]
    if not letters and not everything:
        raise CommandError(
            f"there is no message {message!r}, or another reader has it just now",
            next_step=f"try again in {dead_letters.HIDDEN_S} s, or `turbine dlq list`",
            exit_code=exit_codes.REFUSED,
        )
    done, failed = [], []
    for letter in letters:
        try:
            done.append({**_as_json(letter), "started": dead_letters.redrive(cloud, letter)})
        except CommandError as error:
            failed.append({**_as_json(letter), "error": error.cause, "next": error.next_step})
    _tell(terminal, done, failed)
    raise typer.Exit(exit_codes.FAILED if failed else exit_codes.OK)


def _tell(terminal: Terminal, done: list[dict[str, Any]], failed: list[dict[str, Any]]) -> None:
    if terminal.json_only:
        terminal.print_json({"redriven": done, "left": failed})
        return
    terminal.print_lines([f"{one['message_id']}: {one['started']}" for one in done])
    for one in failed:
        terminal.say(f"left: {one['error']}")
        terminal.say(f"Next:  {one['next']}")
    if not done and not failed:
        terminal.say("nothing is undelivered")


def _time(letter: DeadLetter) -> str:
    return datetime.fromtimestamp(letter.sent_at_ms / 1000, UTC).isoformat(timespec="seconds")


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "since": _time(letter),
        "target_arn": letter.target_arn,
        "event": letter.event,
        "why": letter.why,
        "payload": letter.payload,
    }

"""Where output goes: results on stdout, messages on stderr, with `--json` one object on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import json_output

PIPE_WIDTH = 400
"""Columns of a table that goes into a pipe or a file: wide enough that no row is wrapped."""

STATUS_STYLES = {
    "promoted": "bold green",
    "held": "yellow",
    "rejected": "magenta",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "ABORTED": "red",
    "TIMED_OUT": "red",
    "REFUSED": "red",
    "RUNNING": "cyan",
}


def status_text(status: str) -> Text:
    """A status in its colour; the word itself always stays, so colour is never the only sign."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


@dataclass
class Terminal:
    """The two streams of one command. `rich` drops colour by itself for NO_COLOR and for pipes."""

    json_only: bool = False
    out: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False))
    messages: Console = field(default_factory=lambda: Console(file=sys.stderr, highlight=False, stderr=True))

    def __post_init__(self) -> None:
        if not self.out.is_terminal:
            self.out.width = PIPE_WIDTH

    @property
    def interactive(self) -> bool:
        """Whether a live view can be drawn on stderr."""
        return self.messages.is_terminal and not self.messages.is_dumb_terminal

    def say(self, message: str | Text) -> None:
        """One line for a person, never data."""
        self.messages.print(message, markup=False, soft_wrap=True)

    def print_json(self, value: Any) -> None:
        """The one object of a `--json` command."""
        json_output.write(value)

    def print_lines(self, lines: Sequence[str]) -> None:
        """Plain data lines, never wrapped or coloured."""
        for line in lines:
            self.out.file.write(line + "\n")

    def print_table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], title: str | None = None
    ) -> None:
        """A table that fits the terminal, or has a line for each row in a pipe."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold")  # a cut run id could not be copied
        for row in rows:
            table.add_row(*row)
        self.out.print(table)

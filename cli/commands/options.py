"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.cloud import DEFAULT_STACK, STACK_VARIABLE
from cli.embedded.state import DEFAULT_STATE_DIR

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, messages on stderr.")]
Stack = Annotated[str, typer.Option("--stack", envvar=STACK_VARIABLE, help="The CloudFormation stack to talk to.")]
StateDir = Annotated[Path, typer.Option("--state-dir", help="Where the embedded cloud keeps its files and logs.")]
STACK = DEFAULT_STACK
STATE_DIR = DEFAULT_STATE_DIR

"""The exit codes of every command, in one place, so that scripts can tell causes apart."""

from __future__ import annotations

OK = 0
"""The command did what was asked; for `drop --wait` and `demo`: every run ended in a decision."""

FAILED = 1
"""A run, a deployment or a request ended badly: what was asked did not happen."""

REFUSED = 2
"""The input was refused: a manifest, a team file, or a wrong command line (also Typer's own code)."""

NO_STACK = 3
"""There is nothing to talk to: no credentials, no endpoint, or no such stack."""

NO_CLOUD = 4
"""The embedded cloud could not be started, or is not running."""

INTERNAL = 70
"""A bug of this command: a failure that it did not foresee, with its traceback on stderr (sysexits' EX_SOFTWARE)."""

INTERRUPTED = 130
"""Ctrl-C (128 + SIGINT)."""

TERMINATED = 143
"""SIGTERM (128 + 15)."""

SUMMARY = (
    "Exit codes: 0 done, 1 a run or a request failed, 2 input refused (manifest, team file, command line), "
    "3 no stack or no credentials, 4 the embedded cloud is not running or did not start, "
    "70 a bug of this command, 130 Ctrl-C, 143 SIGTERM."
)

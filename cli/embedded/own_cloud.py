"""An embedded cloud that lives and dies with one command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import exit_codes, interrupts
from cli.embedded import daemon, state
from cli.embedded.state import RunningCloud
from cli.errors import CommandError


@contextmanager
def own_cloud(state_dir: Path, *, keep: bool) -> Iterator[RunningCloud]:
    """Start a cloud, and end it with everything below it however the block is left.

    `keep`: leave it running when the block ends well. Without it the cloud also watches this process, so that
    even a SIGKILL leaves nothing behind.

    Raises: CommandError if a cloud runs in the state directory already, or this one does not start.
    """
    found = state.read(state_dir)
    if found is not None and found.answers():
        raise CommandError(
            f"an embedded cloud runs already in {state_dir}, on port {found.port}",
            next_step=f"`turbine local down --state-dir {state_dir}`, or leave --state-dir out",
            exit_code=exit_codes.NO_CLOUD,
        )
    process, running = daemon.start_ready(state_dir, 0, parent_pid=None if keep else os.getpid(), fresh=True)
    left_well = False
    try:
        with daemon.death_told(running):
            yield running
        left_well = True
    finally:
        if not (keep and left_well):
            # A first Ctrl-C while stopping would leave what is about to end.
            interrupts.ignore()
            daemon.end_child(process)
            daemon.end_containers(state_dir)

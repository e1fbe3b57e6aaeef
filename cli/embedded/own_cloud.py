"""An embedded cloud that lives and dies with one command."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.embedded import daemon
from cli.embedded.state import RunningCloud


@contextmanager
def own_cloud(state_dir: Path, *, keep: bool) -> Iterator[RunningCloud]:
    """Start a cloud, and end it with everything below it however the block is left.

    `keep`: leave it running when the block ends well. Without it the cloud also watches this process, so that
    even a SIGKILL leaves nothing behind.
    """
    process = daemon.start(state_dir, daemon.free_port(), parent_pid=None if keep else os.getpid())
    left_well = False
    try:
        yield daemon.wait_ready(process, state_dir)
        left_well = True
    finally:
        if not (keep and left_well):
            # A second Ctrl-C while stopping would leave what the first was about to end.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            daemon.end(process.pid, lambda: process.poll() is not None)

"""`python -m cli` is the `turbine` command."""

from __future__ import annotations

import os
import sys

from cli import interrupts
from cli.errors import InterruptedBySignal


def run() -> None:
    """Run the command; an interrupt ends it at any time, also while it is still being imported."""
    try:
        interrupts.install()
        # Takes most of a second, in which Ctrl-C must be no traceback.
        from cli.app import main

        main()
    except InterruptedBySignal as error:
        code = interrupts.tell(error, json_only="--json" in sys.argv)
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit, which would wait for the slow requests of threads that nobody needs any more.
        os._exit(code)


if __name__ == "__main__":
    run()

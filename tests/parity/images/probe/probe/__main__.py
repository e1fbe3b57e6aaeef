"""What a container of the parity tests does: `python -m probe ACTION [ARGUMENT]`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from probe.model import serve


def show() -> int:
    """Print what the container sees as one JSON line."""
    seen: dict[str, Any] = {
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path,
        "cores": len(os.sched_getaffinity(0)),
        "writes_bytecode": not sys.dont_write_bytecode,
    }
    print(json.dumps(seen), flush=True)
    return 0


def show_and_meet(port: str) -> int:
    """Print what the container sees; the main node, whose end ends the others, waits until they have, too."""
    show()
    address = ("127.0.0.1", int(port))
    if os.environ["AWS_BATCH_JOB_NODE_INDEX"] != os.environ["AWS_BATCH_JOB_MAIN_NODE_INDEX"]:
        with socket.create_server(address) as listener:
            listener.accept()[0].close()
        return 0
    while True:
        try:
            socket.create_connection(address).close()
            return 0
        except ConnectionRefusedError:
            time.sleep(0.02)


def wait(seconds: str) -> int:
    """Stay for a while; on SIGTERM say so and exit 75, as a job that wrote a checkpoint does."""

    def leave(*_: object) -> None:
        print("asked to stop", flush=True)
        sys.exit(75)

    signal.signal(signal.SIGTERM, leave)
    print("waiting", flush=True)
    time.sleep(float(seconds))
    return 0


def succeed_at(attempt: str) -> int:
    """Exit 7 until the named attempt."""
    return 0 if os.environ["AWS_BATCH_JOB_ATTEMPT"] == attempt else 7


def fail_on_node(index: str) -> int:
    """Exit 9 on one node, wait for ever on the others."""
    if os.environ["AWS_BATCH_JOB_NODE_INDEX"] == index:
        return 9
    return wait("600")


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    actions = {
        "show": show,
        "show-and-meet": show_and_meet,
        "wait": wait,
        "succeed-at": succeed_at,
        "fail-on-node": fail_on_node,
    }
    if name == "exit":
        sys.exit(int(arguments[0]))
    if name == "serve":
        serve()
    sys.exit(actions[name](*arguments))

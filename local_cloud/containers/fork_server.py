"""A small process that makes shims by forking itself: a millisecond each, where a new interpreter takes twenty.

It is told of a container by two handles over its socket: one to read the shim's specification from, one to report by.
It holds nothing of any container, and ends with the cloud; the shims stay.

Source: https://man7.org/linux/man-pages/man7/unix.7.html (SCM_RIGHTS)
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from local_cloud.containers import shim


def main() -> None:
    """Serve the socket on standard input to its end."""
    asked = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for shims
    while True:
        word, handles, _, _ = socket.recv_fds(asked, 1, 2)
        if not word:
            sys.exit()
        for handle in handles:
            os.set_inheritable(handle, False)  # as all others are, but not those that a socket brings
        if os.fork() == 0:
            asked.close()
            _become_shim(*handles)
        for handle in handles:
            os.close(handle)


def _become_shim(specification: int, report: int) -> None:
    """Does not return."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with open(specification, "rb") as given:
            body = given.read()
        shim.run(body, report)
    finally:
        os._exit(0)

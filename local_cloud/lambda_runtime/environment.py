"""One execution environment: a process that has imported a handler and answers one request at a time.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud import processes

INIT_LIMIT_S = 60.0
"""How long the import may take. AWS stops it at 10 s and tries again inside the function's timeout."""

LogSink = Callable[[list[str]], None]


@dataclass(frozen=True)
class Launch:
    """Everything a process needs to become the environment of a function version."""

    bootstrap: Path
    code: tuple[str, ...]
    site_packages: tuple[str, ...]
    task_root: Path
    variables: Mapping[str, str]
    scratch: Path


@dataclass(frozen=True)
class Reply:
    """The handler's JSON text or its error; `max_rss_kib` is the process's peak."""

    payload: str
    failed: bool
    max_rss_kib: int


class TimedOutError(RuntimeError):
    """The function did not answer in time; its process is gone."""


class ExitedError(RuntimeError):
    """The process ended without an answer."""


class Environment:
    """A running process. Not for use by two threads at once."""

    def __init__(self, launch: Launch) -> None:
        launch.scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = launch.scratch
        self._log_rest = b""
        request_end, self._requests = os.pipe()
        self._responses, response_end = os.pipe()
        self._logs, log_end = os.pipe()
        command: Sequence[str] = [
            *(sys.executable, "-I", "-S", "-u", str(launch.bootstrap)),
            *(*launch.code, "--", *launch.site_packages, "--", str(response_end)),
        ]
        try:
            self.process: subprocess.Popen[bytes] = processes.start(
                command,
                cwd=launch.task_root,
                env=launch.variables,
                stdin=request_end,
                stdout=log_end,
                stderr=subprocess.STDOUT,
                pass_fds=(response_end,),
            )
        finally:
            for end in (request_end, response_end, log_end):
                os.close(end)
        os.set_blocking(self._logs, False)

    def wait_ready(self, log: LogSink) -> Reply | None:
        """Wait for the import; the error the function made then, or None when it is ready."""
        message = self._receive(time.monotonic() + INIT_LIMIT_S, log)
        if "ready" in message:
            return None
        return Reply(json.dumps(message["error"]), failed=True, max_rss_kib=message["max_rss_kib"])

    def invoke(self, request: Mapping[str, Any], timeout_s: float, log: LogSink) -> Reply:
        """Hand over one request and wait for its answer.

        Raises: TimedOutError, ExitedError; the environment is of no more use then, and must be closed.
        """
        deadline = time.monotonic() + timeout_s
        body = json.dumps(request).encode()
        try:
            self._send(struct.pack(">I", len(body)) + body)
        except BrokenPipeError as error:
            raise ExitedError(self._how_it_ended()) from error
        message = self._receive(deadline, log)
        if "error" in message:
            return Reply(json.dumps(message["error"]), failed=True, max_rss_kib=message["max_rss_kib"])
        return Reply(message["ok"], failed=False, max_rss_kib=message["max_rss_kib"])

    def close(self) -> None:
        """Kill the process and what it started, and remove its scratch folder."""
        processes.signal_group(self.process, signal.SIGKILL)
        self.process.wait()
        processes.forget(self.process)
        for end in (self._requests, self._responses, self._logs):
            os.close(end)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._requests, data) :]

    def _receive(self, deadline: float, log: LogSink) -> dict[str, Any]:
        buffer = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._responses, selectors.EVENT_READ)
            selector.register(self._logs, selectors.EVENT_READ)
            while len(buffer) < 4 or len(buffer) < 4 + struct.unpack(">I", buffer[:4])[0]:
                remaining_s = deadline - time.monotonic()
                ready = selector.select(remaining_s) if remaining_s > 0 else []
                if not ready:
                    self._take_logs(log, last=True)
                    raise TimedOutError
                for key, _ in ready:
                    if key.fd == self._logs:
                        if not self._take_logs(log):
                            selector.unregister(self._logs)
                    elif chunk := os.read(self._responses, 1 << 20):
                        buffer += chunk
                    else:
                        self._take_logs(log, last=True)
                        raise ExitedError(self._how_it_ended())
        self._take_logs(log, last=True)
        answer: dict[str, Any] = json.loads(bytes(buffer[4:]))
        return answer

    def _take_logs(self, log: LogSink, *, last: bool = False) -> bool:
        """Pass on complete lines, with `last` also an incomplete one; False at the end of the pipe."""
        is_open = True
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._logs, 1 << 16):
                self._log_rest += chunk
            is_open = False
        lines = self._log_rest.split(b"\n")
        self._log_rest = b"" if last else lines.pop()
        texts = [line.decode(errors="replace") for line in lines if line.strip()]
        if texts:
            log(texts)
        return is_open

    def _how_it_ended(self) -> str:
        processes.signal_group(self.process, signal.SIGKILL)
        code = self.process.wait()
        return f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

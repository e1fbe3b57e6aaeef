"""A SageMaker model as a server on this machine: archive unpacked, container started, pinged until it answers.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_cloud import processes
from local_cloud.accounts import AccessKey
from local_cloud.container_logs import LogStream
from local_cloud.images import container
from local_cloud.images.root import build

START_LIMIT_S = 120.0
_STOP_LIMIT_S = 10.0


class ModelServerError(RuntimeError):
    """A model cannot be unpacked, started, or does not become healthy."""


class BadAnswerError(RuntimeError):
    """The model answered with an HTTP status other than 200."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"Bad HTTP status received from algorithm: {status}: {body}")
        self.status = status


def unpack(archive: Path, destination: Path) -> None:
    """Unpack a model.tar.gz.

    Raises: ModelServerError for what is not such an archive, or for members that reach out of the folder.
    """
    destination.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(destination, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ModelServerError(f"the model archive cannot be unpacked: {error}") from error


class ModelServer:
    """One running container of a model. Use as a context manager."""

    def __init__(
        self,
        image_uri: str,
        model_dir: Path,
        environment: Mapping[str, str],
        key: AccessKey,
        log: LogStream,
        scratch: Path,
    ) -> None:
        self.port = _free_port()
        image = build(image_uri).copied_to(scratch / "root")
        variables = {
            **container.aws_variables(key),
            **environment,
            "SM_MODEL_DIR": str(model_dir),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
        }
        self._process = processes.start(
            container.command(image, ["serve"]),
            cwd=container.workdir(image),
            env=container.environment(image, variables, scratch),
        )
        if self._process.stdout is None:
            raise RuntimeError("a container was started without its output")
        self._output = log.follow(self._process.stdout)
        self._connections = threading.local()

    def __enter__(self) -> ModelServer:
        try:
            self._wait_until_healthy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout_s: float) -> bytes:
        """POST /invocations, over one kept connection a thread.

        Raises: BadAnswerError for a status other than 200; OSError or HTTPException if there is no answer.
        """
        connection = self._connection(timeout_s)
        try:
            connection.request("POST", "/invocations", body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            del self._connections.connection
            raise
        if response.status != http.client.OK:
            raise BadAnswerError(response.status, answer.decode(errors="replace")[:800])
        return answer

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        kept: Any = getattr(self._connections, "connection", None)
        if kept is None:
            kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
            kept.connect()
            kept.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.connection = kept
        return kept

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ModelServerError(f"the model container exited with code {self._process.returncode}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/ping")
                status = connection.getresponse().status
                connection.close()
                if status == http.client.OK:
                    return
            time.sleep(0.05)
        raise ModelServerError(f"the model container did not answer /ping with 200 within {START_LIMIT_S:.0f} s")

    def _stop(self) -> None:
        processes.signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            processes.signal_group(self._process, signal.SIGKILL)
            self._process.wait()
        processes.forget(self._process)
        self._output.join(timeout=5)


def remove(folder: Path) -> None:
    """Drop a transform's folder; nothing if it is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

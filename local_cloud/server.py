"""The process that is the embedded cloud: moto behind one loopback port, with this package's replacements.

It is ready when `cloud.json` exists in the state directory, and that file is removed when it ends. It ends on
SIGTERM and SIGINT, and when the process named by `--parent-pid` is gone, however that one died.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import importlib.metadata
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from local_cloud import processes, replacements, settings
from local_cloud.accounts import access_key_id
from local_cloud.gatekeeper import guarded
from local_cloud.services import (
    accounts,
    awslambda,
    batch,
    cloudformation,
    dispatch,
    dynamodb,
    ecr,
    events,
    s3,
    sagemaker,
    scheduler,
    stepfunctions,
)

SERVICES: tuple[ModuleType, ...] = (
    dispatch,
    accounts,
    s3,
    dynamodb,
    awslambda,
    events,
    scheduler,
    ecr,
    batch,
    sagemaker,
    stepfunctions,
    cloudformation,
)
"""Every service module: `REPLACEMENTS`, and for background threads `start(settings)` and `stop()`."""

READY_FILE = "cloud.json"
LOCK_FILE = "lock"
_LOG = logging.getLogger("local_cloud")


class LoopbackRequestHandler(MotoRequestHandler):
    """Writes no line a request: the log is for what went wrong."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop. Called once a process."""
    _configure_moto()
    server = make_server(
        "127.0.0.1",
        arguments.port,
        guarded(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
        request_handler=LoopbackRequestHandler,
    )
    cloud = settings.CloudSettings(
        state_dir=arguments.state_dir.resolve(),
        project_dir=arguments.project_dir.resolve(),
        port=server.server_port,
        vcpus=arguments.vcpus,
        memory_mib=arguments.memory_mib,
        gpus=arguments.gpus,
    )
    settings.use(cloud)
    processes.guard()
    os.environ.update(
        {
            # Nothing in this process may reach for the caller's account, and SAM's transform asks for a Region.
            "AWS_ACCESS_KEY_ID": access_key_id(cloud.account_id),
            "AWS_SECRET_ACCESS_KEY": cloud.secret_access_key,
            "AWS_DEFAULT_REGION": cloud.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    os.environ["MOTO_PORT"] = str(cloud.port)  # moto's Step Functions interpreter finds its own server by it
    replacements.install([entry for service in SERVICES for entry in service.REPLACEMENTS])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.parent_pid:
        threading.Thread(
            target=_stop_after, args=(arguments.parent_pid, stopping), daemon=True, name="parent-watch"
        ).start()
    threading.Thread(target=server.serve_forever, daemon=True, name="http").start()
    for service in SERVICES:
        if hasattr(service, "start"):
            service.start(cloud)
    _announce(cloud)
    _LOG.info("ready on %s", cloud.endpoint)
    stopping.wait()
    _shut_down(cloud, server)


def _configure_moto() -> None:
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # nobody launches an image, and reading them takes a second
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["iam"] = {"load_aws_managed_policies": True}  # roles of SAM functions attach them


def _announce(cloud: settings.CloudSettings) -> None:
    """Write the ready file in one step, so that a reader never sees half of it."""
    ready = cloud.state_dir / READY_FILE
    draft = ready.with_suffix(".draft")
    draft.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "port": cloud.port,
                "endpoint": cloud.endpoint,
                "account_id": cloud.account_id,
                "region": cloud.region,
                "access_key_id": access_key_id(cloud.account_id),
                "secret_access_key": cloud.secret_access_key,
                "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "version": f"moto {importlib.metadata.version('moto')}",
            }
        )
    )
    draft.replace(ready)


def _shut_down(cloud: settings.CloudSettings, server: BaseWSGIServer) -> None:
    for service in SERVICES:
        if hasattr(service, "stop"):
            service.stop()
    processes.stop_all()
    (cloud.state_dir / READY_FILE).unlink(missing_ok=True)
    server.server_close()
    _LOG.info("stopped")
    logging.shutdown()
    # moto's interpreter runs executions in threads that are not daemons: a normal exit would wait for them.
    os._exit(0)


def _stop_after(parent_pid: int, stopping: threading.Event) -> None:
    """Set `stopping` when the process `parent_pid` has ended."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(parent_pid)
            select.select([handle], [], [])
    else:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(parent_pid, 0)
                time.sleep(0.5)
    stopping.set()


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    defaults = settings.CloudSettings(state_dir=Path(), project_dir=Path(), port=0)
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="where this cloud keeps its files")
    parser.add_argument("--project-dir", type=Path, required=True, help="where image sources are found")
    parser.add_argument("--port", type=int, default=0, help="0: any free port, see cloud.json")
    parser.add_argument("--vcpus", type=int, default=defaults.vcpus)
    parser.add_argument("--memory-mib", type=int, default=defaults.memory_mib)
    parser.add_argument("--gpus", type=int, default=defaults.gpus)
    parser.add_argument("--parent-pid", type=int, help="end when this process has ended")
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    arguments.state_dir.mkdir(parents=True, exist_ok=True)
    with _held(arguments.state_dir):
        serve(arguments)


@contextlib.contextmanager
def _held(state_dir: Path) -> Iterator[None]:
    """Hold the state directory while this process lives; the lock goes with it, however it ends.

    Raises: SystemExit naming the process that holds it.
    """
    with (state_dir / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            sys.exit(
                f"the state directory {state_dir} is held by a running embedded cloud (process {holder}): "
                "stop it, or use another --state-dir"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

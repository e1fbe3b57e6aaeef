"""The process that is the embedded cloud: moto behind one loopback port, with this package's replacements.

It is ready when `cloud.json` exists in the state directory, and that file is removed when it ends. It ends on
SIGTERM and SIGINT, and when the process named by `--parent-pid` is gone, however that one died.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib.metadata
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from local_cloud import chaos, crash_points, processes, replacements, settings, state_directory
from local_cloud.admin import administered
from local_cloud.authorization.gate import STRICT_VARIABLE, authorized
from local_cloud.batch import networks
from local_cloud.containers import container
from local_cloud.durability import commits, reached, recovery, tables
from local_cloud.durability.requests import durable
from local_cloud.durability.store import StateRefusedError, Store
from local_cloud.gatekeeper import WsgiApplication, guarded
from local_cloud.services import (
    accounts,
    awslambda,
    batch,
    cloudformation,
    cloudwatch,
    dispatch,
    dynamodb,
    ecr,
    events,
    hosts,
    s3,
    sagemaker,
    scheduler,
    ssm,
    stepfunctions,
)
from local_cloud.signatures.gate import signed
from local_cloud.unemulated import named

SERVICES: tuple[ModuleType, ...] = (
    dispatch,
    accounts,
    s3,
    dynamodb,
    awslambda,
    events,
    scheduler,
    ssm,
    cloudwatch,
    ecr,
    batch,
    hosts,
    sagemaker,
    stepfunctions,
    cloudformation,
)
"""Every service module: `REPLACEMENTS`; for background threads `start(settings)` and `stop()`; for what is kept besides
moto's backends `KEPT` and `kept_spaces()`; for what was under way when an earlier cloud ended `resume()`, and
`settle()`, which waits for what of that needs this cloud's answers."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
GARBAGE_THRESHOLDS = (20_000, 10, 10)
"""See gc.set_threshold. Python's own is (700, 10, 10)."""
NODE_NETWORKS_VARIABLE = "TURBINE_LOCAL_NODE_NETWORKS"
_LOG = logging.getLogger("local_cloud")


class LoopbackRequestHandler(MotoRequestHandler):
    """Writes no line a request: the log is for what went wrong.

    An answer's head and body go out together: botocore takes a head without its body, which is what a client gets
    whose cloud is killed between the two, for an empty success.
    """

    wbufsize = 256 * 1024

    def handle_expect_100(self) -> bool:
        """Tell the client to go on at once, and once only: werkzeug would say it again, and let it lie."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        del self.headers["Expect"]
        return goes_on

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def replaced() -> list[replacements.Replacement]:
    """Every moto symbol that this cloud replaces, in the order in which they are."""
    kept = [*tables.REPLACEMENTS, *reached.REPLACEMENTS]
    return [*kept, *(entry for service in SERVICES for entry in service.REPLACEMENTS)]


def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop. Called once a process."""
    _configure_moto()
    server = make_server(
        "127.0.0.1",
        arguments.port or state_directory.earlier_port(arguments.state_dir),
        guarded(signed(authorized(administered(durable(chaos.disturbed(named(_moto()))))))),
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
        node_networks=arguments.node_networks,
        strict=arguments.strict,
        root_key=state_directory.root_key(arguments.state_dir),
    )
    settings.use(cloud)
    state_directory.keep_temporary_files_in(cloud.state_dir / "tmp")
    if cloud.node_networks == settings.NAMESPACES:
        try:
            networks.require()
        except RuntimeError as error:
            sys.exit(str(error))
    # Containers outlive a cloud only where there will be another one, which finds them.
    ends_with_its_owner = bool(arguments.parent_pid or arguments.forgetful)
    processes.guard(cloud.state_dir if ends_with_its_owner else None)
    own = cloud.access_key()
    os.environ.update(
        {
            # Nothing in this process may reach for the caller's account, and SAM's transform asks for a Region.
            "AWS_ACCESS_KEY_ID": own.access_key_id,
            "AWS_SECRET_ACCESS_KEY": own.secret_access_key,
            "AWS_DEFAULT_REGION": cloud.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    os.environ["MOTO_PORT"] = str(cloud.port)  # moto's Step Functions interpreter finds its own server by it
    replacements.install(replaced())
    if not arguments.forgetful:
        _recover(cloud)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.parent_pid:
        threading.Thread(
            target=_stop_after, args=(arguments.parent_pid, stopping), daemon=True, name="parent-watch"
        ).start()
    _begin(cloud, server)
    _collect_seldom()
    state_directory.announce(cloud)
    _LOG.info("ready on %s", cloud.endpoint)
    stopping.wait()
    _shut_down(cloud, server)


def _begin(cloud: settings.CloudSettings, server: BaseWSGIServer) -> None:
    """Go on with what was under way, and only then serve requests; those that come before wait at the port.

    An execution or a job that a request begins meanwhile would look like one of an earlier cloud, and be run twice.
    """
    for service in SERVICES:
        if hasattr(service, "start"):
            service.start(cloud)
            crash_points.arrive("starting")
    try:
        commits.start()
    except commits.CannotKeepError as error:
        sys.exit(str(error))
    for service in SERVICES:
        if hasattr(service, "resume"):
            service.resume()
            crash_points.arrive("starting")
    threading.Thread(target=server.serve_forever, daemon=True, name="http").start()
    for service in SERVICES:
        if hasattr(service, "settle"):
            service.settle()


def _moto() -> WsgiApplication:
    application: WsgiApplication = DomainDispatcherApplication(create_backend_app)
    return application


def _recover(cloud: settings.CloudSettings) -> None:
    """Read what an earlier cloud of this state directory knew, and write what this one learns."""
    try:
        store = Store(cloud.state_dir / state_directory.STATE_FILE, {"moto": importlib.metadata.version("moto")})
        crash_points.arrive("starting")
        recovered = recovery.recover(store)
        crash_points.arrive("starting")
    except StateRefusedError as error:
        sys.exit(str(error))
    for service in SERVICES:
        for name, (read, restore) in getattr(service, "KEPT", {}).items():
            if name in recovered.extras:
                restore(recovered.extras[name])
            commits.keep_extra(name, read)
    recovered.drop_the_rest({space for service in SERVICES for space in getattr(service, "kept_spaces", set)()})
    crash_points.arrive("starting")


def _configure_moto() -> None:
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # nobody launches an image, and reading them takes a second
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["iam"] = {"load_aws_managed_policies": True}  # roles of SAM functions attach them


def _collect_seldom() -> None:
    """Look for garbage among what is new only, and less often than Python does: a service's first use reads models of
    megabytes, all of which stay; by default that is a quarter of a deployment's time."""
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()


def _shut_down(cloud: settings.CloudSettings, server: BaseWSGIServer) -> None:
    for service in SERVICES:
        if hasattr(service, "stop"):
            service.stop()
    processes.stop_all()
    container.end_all()
    commits.stop()
    networks.remove_all()
    (cloud.state_dir / state_directory.READY_FILE).unlink(missing_ok=True)
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
    parser.add_argument(
        "--node-networks",
        choices=(settings.PROCESSES, settings.NAMESPACES),
        default=os.environ.get(NODE_NETWORKS_VARIABLE, settings.PROCESSES),
        help=f"what the nodes of a multi-node job are here (default: {NODE_NETWORKS_VARIABLE}, else processes)",
    )
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier cloud here knew")
    parser.add_argument("--forgetful", action="store_true", help="keep nothing: every start is the first")
    parser.add_argument(
        "--chaos",
        default=os.environ.get(chaos.VARIABLE) or None,
        metavar="SEED[:options]",
        help=f"inject faults, see local_cloud/chaos.py (default: {chaos.VARIABLE}, else none)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=os.environ.get(STRICT_VARIABLE) == "1",
        help=f"let IAM decide what roles may do (default: {STRICT_VARIABLE}=1, else no)",
    )
    parser.add_argument("--parent-pid", type=int, help="end when this process has ended")
    arguments = parser.parse_args(argv)
    if arguments.node_networks not in (settings.PROCESSES, settings.NAMESPACES):
        parser.error(f"{NODE_NETWORKS_VARIABLE} is {arguments.node_networks!r}, not processes or namespaces")
    try:
        disturbance = chaos.parse(arguments.chaos) if arguments.chaos else None
    except chaos.ChaosOptionError as error:
        parser.error(f"--chaos: {error}")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    arguments.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with state_directory.hold(arguments.state_dir):
        state_directory.begin_log(arguments.state_dir)
        if arguments.fresh:
            state_directory.forget(arguments.state_dir)
        if disturbance:
            logging.getLogger("local_cloud.chaos").warning(chaos.describe(disturbance))
            chaos.use(disturbance)
        try:
            serve(arguments)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            sys.exit(f"{arguments.state_dir} cannot be written ({error.strerror}): make room there, and start again")

"""One attempt of a job: its containers, followed to their end.

The main node decides. It starts first; when it ends the others are stopped, and its end is the attempt's. When another
node dies, nothing is done to the rest: the application must notice. Containers outlive this cloud: what another one
needs to go on with them is in the nodes' states, recorded before the first of them starts.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job-lifecycle.html and
https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
"""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud import settings
from local_cloud.batch import host, instances, networks
from local_cloud.batch.host import Slots
from local_cloud.batch.instances import Instance, Signal
from local_cloud.batch.memory import WATCH
from local_cloud.batch.metadata import MetadataService
from local_cloud.batch.networks import NodeNetwork
from local_cloud.batch.node import Node, NodeState
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.retries import TIMED_OUT, AttemptEnd
from local_cloud.container_logs import LogStream
from local_cloud.containers import container
from local_cloud.containers.container import Container
from local_cloud.containers.output import DELIVERIES, Output
from local_cloud.images import container as container_process
from local_cloud.images.root import Image, build

_LOG = logging.getLogger(__name__)
_FOLDER = "jobs"


@dataclass
class Attempt:
    """What to run, and the handle to stop it. `variables`, `streams`, `hosts` and `states` are those of each node, by
    index.

    `record` is called once `states` has all that finds the containers, and returns when it is written; `started` once
    the main container runs; `note` within each commit that has changed states.
    """

    name: str
    specs: Sequence[NodeSpec]
    variables: Sequence[Mapping[str, str]]
    streams: Sequence[LogStream]
    hosts: Sequence[Instance]
    states: Sequence[NodeState]
    stop_timeout_s: float
    main: int = 0
    timeout_s: float | None = None
    stop_requested: Signal = field(default_factory=Signal)
    record: Callable[[], None] = lambda: None
    started: Callable[[], None] = lambda: None
    note: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        # Set whenever there is something to look at: an end, a stop, a host that goes.
        self._news = threading.Event()

    def run(self) -> AttemptEnd:
        """Run all nodes to their end.

        Raises: ImageError if an image cannot be laid out; OSError or ValueError if a command cannot be started.
        """
        with ExitStack() as around:
            around.callback(shutil.rmtree, self._folder, ignore_errors=True)
            slots = host.take_slots([spec.needs for spec in self.specs])
            around.callback(host.give_slots, slots)
            # All before the first start: the nodes of a gang wait for each other.
            images = [
                build(spec.image).copied_to(self._scratch(index) / "root") for index, spec in enumerate(self.specs)
            ]
            network = around.enter_context(contextlib.closing(networks.of_nodes(len(self.specs))))
            metadata = [around.enter_context(self._host(index)) for index in range(len(self.specs))]
            self._recognise(slots, network)
            self.record()
            nodes = []
            for index in self._order():
                given = {**metadata[index], **self._meeting_point(index, network)}
                begun = self._start(index, images[index], given, network)
                nodes.append(self._join(around, index, begun, network))
                if index == self.main:
                    self.started()
            return self._follow(nodes)

    def go_on(self, begun: Sequence[Container]) -> AttemptEnd:
        """Follow containers that an earlier cloud has started, by index, to their end.

        Raises: OSError if they cannot be reached any more.
        """
        with ExitStack() as around:
            around.callback(shutil.rmtree, self._folder, ignore_errors=True)
            slots = [Slots(state.cores, state.gpus) for state in self.states]
            host.take_again(slots)
            around.callback(host.give_slots, slots)
            network = around.enter_context(
                contextlib.closing(networks.again(len(self.specs), self.states[self.main].network))
            )
            for index in range(len(self.specs)):
                around.enter_context(self._host(index))
            nodes = [self._join(around, index, begun[index], network) for index in self._order()]
            self.started()
            return self._follow(nodes)

    @property
    def _folder(self) -> Path:
        return scratch_of(self.name)

    def _scratch(self, index: int) -> Path:
        return self._folder / str(index)

    @contextlib.contextmanager
    def _host(self, index: int) -> Iterator[dict[str, str]]:
        """A node's host while it is there: known by its id, and by what leads the container to its metadata."""
        with instances.launched(self.hosts[index]), _metadata(self.hosts[index], self.states[index]) as given:
            yield given

    def _order(self) -> list[int]:
        """The main node first, as on AWS; then the others."""
        return [self.main, *(index for index in range(len(self.specs)) if index != self.main)]

    def _meeting_point(self, index: int, network: NodeNetwork) -> dict[str, str]:
        """Only the other nodes are told where the main one is."""
        if index == self.main:
            return {}
        return {"AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": network.addresses[self.main]}

    def _recognise(self, slots: Sequence[Slots], network: NodeNetwork) -> None:
        """Have in the states what finds the containers, and what they hold."""
        for index, state in enumerate(self.states):
            # A container's name for itself, as Docker gives it; it marks all of its processes.
            state.container_id = secrets.token_hex(6)
            state.cores, state.gpus = slots[index].cores, slots[index].gpus
            state.network = network.number
            state.address = network.addresses[index] if len(self.specs) > 1 else None

    def _start(self, index: int, image: Image, given: Mapping[str, str], network: NodeNetwork) -> Container:
        spec, state = self.specs[index], self.states[index]
        variables = {**spec.environment, **self.variables[index], **given, "HOSTNAME": state.container_id}
        if state.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, state.gpus))
        return container.start(
            state.container_id,
            network.inside(index, container_process.command(image, spec.command)),
            container_process.workdir(image),
            container_process.environment(image, variables, self._scratch(index)),
            cores=sorted(state.cores),
            timeout_s=self.timeout_s,
            stop_timeout_s=self.stop_timeout_s,
        )

    def _join(self, around: ExitStack, index: int, begun: Container, network: NodeNetwork) -> Node:
        """A container among all that must be there while it runs."""
        state, instance = self.states[index], self.hosts[index]
        (limit,) = around.enter_context(WATCH.holding({begun.folder.mark: self.specs[index].needs.memory_mib}))
        limit.exceeded.tell(begun.note_out_of_memory)
        output = Output(
            begun.folder.output, self.streams[index], state.log_offset, functools.partial(self._delivered, state)
        )
        around.enter_context(DELIVERIES.following(output))
        around.callback(begun.end)
        # Also what an earlier cloud knew to have ended: how is read again. Not one of which nobody knows how.
        if begun.is_running() or begun.folder.exit() is not None:
            state.status, state.pid = "RUNNING", begun.pid
        return Node(begun, instance, state, functools.partial(network.cut, index))

    def _delivered(self, state: NodeState, offset: int) -> None:
        state.log_offset = offset
        self.note()

    def _follow(self, nodes: Sequence[Node]) -> AttemptEnd:
        main = nodes[0]
        for signal in (self.stop_requested, *(end for one in self.hosts for end in (one.is_going, one.is_lost))):
            signal.tell(self._news.set)
        for node in nodes:
            node.container.watch(self._news.set)
        while self._any_lives(nodes, main):
            if self.stop_requested.is_set():
                self._stop(nodes)
            self._news.wait()
        self._stop(nodes)
        while self._any_lives(nodes, *nodes):
            self._news.wait()
        return _end_of(main)

    def _any_lives(self, nodes: Sequence[Node], *asked: Node) -> bool:
        """Do what is due to all, and look at those asked for. What happens from here on ends the next wait."""
        self._news.clear()
        before = [node.state.status for node in nodes]
        for node in nodes:
            node.heed()
        if before != [node.state.status for node in nodes]:
            self.note()
        return not all(node.has_ended for node in asked)

    def _stop(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            node.ask_to_stop(self.stop_timeout_s)


def _end_of(main: Node) -> AttemptEnd:
    state = main.state
    if main.problem:
        return not_started("CannotStartContainerError", main.problem)
    return AttemptEnd(state.exit_code, TIMED_OUT if main.timed_out else state.status_reason or "", state.reason)


def not_started(error: str, problem: object) -> AttemptEnd:
    """The end of an attempt whose container did not start."""
    return AttemptEnd(None, "Task failed to start", f"{error}: {problem}")


def states_on(hosts: Sequence[Instance]) -> list[NodeState]:
    """What is known of the nodes of an attempt before they start."""
    return [NodeState(one.container_instance_arn, None, instance_id=one.instance_id) for one in hosts]


def scratch_of(name: str) -> Path:
    """The folder of an attempt's own files."""
    return settings.current().state_dir / _FOLDER / name.replace(":", "-")


def sweep(kept: Collection[Path] = ()) -> None:
    """Remove the files of attempts of an earlier cloud, but for those that go on."""
    root = settings.current().state_dir / _FOLDER
    for folder in root.iterdir() if root.is_dir() else ():
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _metadata(host_of_node: Instance, state: NodeState) -> Iterator[dict[str, str]]:
    """What leads a container to its host's metadata: only those on Spot have anything to ask there."""
    if not host_of_node.is_spot:
        yield {}
        return
    try:
        service = MetadataService(host_of_node, *(state.metadata or ()))
    except OSError as error:
        # A container that has the address already goes on without: it will not hear of an interruption.
        _LOG.error("the metadata of %s cannot be served on its port again: %s", host_of_node.instance_id, error)
        yield {}
        return
    state.metadata = (service.port, service.token)
    with contextlib.closing(service):
        yield {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint, "AWS_EC2_METADATA_DISABLED": "false"}

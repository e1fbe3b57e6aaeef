"""One attempt of a job: its containers as process groups, followed to their end.

The main node decides. When it ends, or any node fails, the whole gang ends. A stop is SIGTERM, and SIGKILL after the
grace that ECS gives a container.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_cloud import processes, settings
from local_cloud.batch import host
from local_cloud.batch.nodes import NodeSpec
from local_cloud.batch.retries import AttemptEnd
from local_cloud.container_logs import LogStream
from local_cloud.images import container
from local_cloud.images.root import Image, build

GRACE_S = 30.0
TIMED_OUT = "Job attempt duration exceeded timeout"
ESSENTIAL_EXITED = "Essential container in task exited"
_TICK_S = 0.02


@dataclass
class Node:
    """A started container."""

    process: subprocess.Popen[bytes]
    log: LogStream
    output: threading.Thread


@dataclass
class Attempt:
    """What to run, and the handle to stop it. `variables` are those of each node, by index."""

    name: str
    specs: Sequence[NodeSpec]
    variables: Sequence[Mapping[str, str]]
    streams: Sequence[LogStream]
    main: int = 0
    timeout_s: float | None = None
    stop_requested: threading.Event = field(default_factory=threading.Event)
    exit_codes: list[int | None] = field(default_factory=list)

    def run(self) -> AttemptEnd:
        """Run all nodes to their end.

        Raises: ImageError if an image cannot be laid out; OSError or ValueError if a command cannot be started.
        """
        slots = host.take_slots([spec.needs for spec in self.specs])
        nodes: list[Node] = []
        try:
            # All before the first start: the nodes of a gang wait for each other.
            images = [
                build(spec.image).copied_to(self._scratch(index) / "root") for index, spec in enumerate(self.specs)
            ]
            for index in self._start_order():
                nodes.append(self._start(index, images[index], slots[index]))
            return self._follow(nodes)
        finally:
            for node in nodes:
                _clean(node)
            shutil.rmtree(self._folder, ignore_errors=True)
            host.give_slots(slots)

    @property
    def _folder(self) -> Path:
        return settings.current().state_dir / "jobs" / self.name.replace(":", "-")

    def _scratch(self, index: int) -> Path:
        return self._folder / str(index)

    def _start_order(self) -> list[int]:
        """The main node first, as on AWS; then the others."""
        return [self.main, *(index for index in range(len(self.specs)) if index != self.main)]

    def _start(self, index: int, image: Image, slots: host.Slots) -> Node:
        spec = self.specs[index]
        variables = {**spec.environment, **self.variables[index]}
        if slots.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, slots.gpus))
        process = processes.start(
            container.command(image, spec.command),
            cwd=container.workdir(image),
            env=container.environment(image, variables, self._scratch(index)),
        )
        if slots.cores:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, slots.cores)
        if process.stdout is None:
            raise RuntimeError("a container was started without its output")
        log = self.streams[index]
        return Node(process, log, log.follow(process.stdout))

    def _follow(self, nodes: Sequence[Node]) -> AttemptEnd:
        main, others = nodes[0], nodes[1:]
        started = time.monotonic()
        reason = ESSENTIAL_EXITED
        dead: Node | None = None
        while main.process.poll() is None:
            if self.stop_requested.is_set():
                _stop(nodes)
                break
            if self.timeout_s is not None and time.monotonic() - started > self.timeout_s:
                reason = TIMED_OUT
                _stop(nodes)
                break
            dead = next((node for node in others if node.process.poll() not in (None, 0)), None)
            if dead is not None:
                break
            # Not Popen.wait: that looks up to ten times as often.
            self.stop_requested.wait(_TICK_S)
        if others:
            _stop(nodes, grace_s=2.0)
        main.process.wait()
        self.exit_codes = [_exit_code(node.process) for node in nodes]
        return AttemptEnd(_exit_code((dead or main).process), reason)


def _stop(nodes: Sequence[Node], grace_s: float = GRACE_S) -> None:
    live = [node for node in nodes if node.process.poll() is None]
    for node in live:
        processes.signal_group(node.process, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    for node in live:
        try:
            node.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            processes.signal_group(node.process, signal.SIGKILL)
            node.process.wait()


def _clean(node: Node) -> None:
    """Kill what a container left behind, keep the end of its output."""
    if node.process.poll() is None:
        processes.signal_group(node.process, signal.SIGKILL)
        node.process.wait()
    processes.forget(node.process)
    node.output.join(timeout=5)


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """A container's exit code: 128 + the signal's number for a process that a signal ended."""
    code = process.returncode
    return code if code is None or code >= 0 else 128 - code

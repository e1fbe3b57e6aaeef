"""A cloud on one state directory that is killed, at a named point or now, and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from local_cloud.crash_points import VARIABLE
from tests.parity.conftest import client_maker, running_cloud

Running = AbstractContextManager[tuple[subprocess.Popen[bytes], dict[str, Any]]]


class KilledCloud:
    """`client` speaks to the cloud as it is now. `module` and `arguments` say which cloud it is."""

    def __init__(self, state: Path, arguments: Sequence[str] = (), module: Sequence[str] = ("local_cloud",)) -> None:
        self.state = state
        self._arguments, self._module = arguments, module
        self._armed = state / "crash-at"
        self._context: Running | None = None
        self._endpoint = ""
        state.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """On what the last one has left."""
        (self.state / "cloud.json").unlink(missing_ok=True)
        self._armed.unlink(missing_ok=True)
        variables = {VARIABLE: f"@{self._armed}"}
        context = self._running(variables)
        self.process, written = context.__enter__()
        self._context = context
        self._meet(written)

    def start_and_die(self, number: int) -> bool:
        """A start that is killed at its `number`-th step; False if it has fewer, and the cloud runs."""
        (self.state / "cloud.json").unlink(missing_ok=True)
        context = self._running({VARIABLE: f"starting:{number}"}, may_die=True)
        self.process, written = context.__enter__()
        if not written:
            context.__exit__(None, None, None)
            return True
        self._context = context
        self._meet(written)
        return False

    def _running(self, variables: dict[str, str], may_die: bool = False) -> Running:
        """Nobody owns it, so its jobs outlive it."""
        return running_cloud(
            self.state, *self._arguments, module=self._module, variables=variables, may_die=may_die, is_owned=False
        )

    def _meet(self, written: dict[str, Any]) -> None:
        """A cloud that is started again has its old port and keys: clients are costly to make."""
        if written["endpoint"] != self._endpoint:
            self.client: Callable[..., Any] = client_maker(written)
            self._endpoint = written["endpoint"]

    def arm(self, point: str) -> None:
        """From now on: die at `<point>:<n>`."""
        draft = self._armed.with_suffix(".draft")
        draft.write_text(point)
        draft.replace(self._armed)

    def has_died_within(self, limit_s: float) -> bool:
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None


def until(look: Callable[[], Any], limit_s: float, what: str) -> Any:
    """The first truthy answer of `look`. Raises: TimeoutError naming what did not happen."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"within {limit_s} s not: {what}")
        time.sleep(0.05)
    return found

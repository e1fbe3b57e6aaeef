"""The processes of one node: started, asked to stop once, given time, and killed only then."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from training import errors
from training.launch import last_words
from training.launch.last_words import LastWords, most_telling_words
from training.log import log_event

# How long a killed process may stay: one that waits for a GPU or a network drive inside the kernel does not go.
GONE_WITHIN_S = 5.0

# When several processes fail at once, the code that says most about the cause wins. Then any signal: what a vanished
# neighbour leaves behind is the code of a bug in all the others.
_MOST_TELLING = (errors.BAD_DATA, errors.BAD_CONFIGURATION, errors.LEASE_HELD, errors.INTERRUPTED)


class Workers:
    """One node's workers. Nothing but `kill` waits: `look` is called again and again."""

    def __init__(self, command: Sequence[str], environments: Mapping[int, Mapping[str, str]]) -> None:
        """Start one process a rank, each with its environment.

        They stay in the launcher's process group, so that whoever kills the group leaves none behind.
        """
        self.killed: dict[int, signal.Signals] = {}  # by rank, what ended a worker that nobody here had stopped
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._codes: dict[int, int] = {}  # by rank, of those whose end says something
        self._kill_at: float | None = None
        self._interrupted = False
        self._failing: set[int] = set()  # who had failed when the others were stopped, and was about to end
        self._folder = tempfile.TemporaryDirectory(prefix="workers-")
        try:
            for rank, environment in environments.items():
                variables = {**environment, last_words.VARIABLE: str(self._words_of(rank))}
                self._running[rank] = subprocess.Popen(command, env=variables)
        except BaseException:
            self.kill()
            self._folder.cleanup()
            raise

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.kill()
        self._folder.cleanup()

    @property
    def are_over(self) -> bool:
        """Whether every process has ended."""
        return not self._running

    @property
    def code(self) -> int:
        """The exit code that says most among the workers that have ended of themselves; 0 if none has failed."""
        return most_telling(self._codes.values())

    @property
    def words(self) -> LastWords | None:
        """What the worker whose code is `code` has said, if it has said anything."""
        said = [last_words.find(self._words_of(rank)) for rank in self._codes]
        return most_telling_words(words for words in said if words is not None and words.exit_code == self.code)

    def look(self) -> None:
        """Note who has ended since the last look, and kill those whose time to stop is over."""
        for rank, process in list(self._running.items()):
            code = process.poll()
            if code is not None:
                del self._running[rank]
                self._note(rank, code)
        if self._running and self._kill_at is not None and time.monotonic() >= self._kill_at:
            log_event("workers_killed", ranks=sorted(self._running), reason="they did not stop in time")
            self.kill()

    def stop(self, grace_s: float, interrupted: bool) -> None:
        """Ask them to end within `grace_s`. Asked again, only the time changes, and only to less.

        `interrupted`: each one's code counts. Else they are stopped for another's failure, and how they end says
        nothing about its cause.
        """
        if self._kill_at is None:
            self.look()  # who has ended by now did so of itself
            self._failing = {rank for rank in self._running if self._words_of(rank).exists()}
            self._interrupted = interrupted
            self._send(signal.SIGTERM)
        kill_at = time.monotonic() + grace_s
        self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)

    def kill(self) -> None:
        """End them now."""
        if self._kill_at is None:
            self._kill_at = time.monotonic()
        self._send(signal.SIGKILL)
        for rank, process in self._running.items():
            try:
                self._note(rank, process.wait(GONE_WITHIN_S))
            except subprocess.TimeoutExpired:
                log_event("worker_does_not_go", rank=rank, pid=process.pid)
        self._running.clear()

    def _send(self, number: signal.Signals) -> None:
        for process in self._running.values():
            process.send_signal(number)  # nothing happens to one that has ended

    def _note(self, rank: int, code: int) -> None:
        if code == -signal.SIGTERM:  # it was asked to stop, by whomever, before it could heed that
            code = errors.INTERRUPTED
        if self._kill_at is None or rank in self._failing or self._has_own_cause(rank, code):
            self._codes[rank] = code
            if code < 0:
                self.killed[rank] = signal.Signals(-code)
        elif self._interrupted:
            self._codes[rank] = errors.INTERRUPTED if code == -signal.SIGKILL else code

    def _has_own_cause(self, rank: int, code: int) -> bool:
        """Whether it failed by itself, though stopped for another: that one may have followed from this one."""
        words = last_words.find(self._words_of(rank))
        return words is not None and words.exit_code == code != errors.INTERRUPTED and not words.follows

    def _words_of(self, rank: int) -> Path:
        return Path(self._folder.name) / f"{rank}.json"


def most_telling(codes: Iterable[int]) -> int:
    """The one exit code of several processes. A process killed by signal n has -n, which Batch writes as 128 + n."""
    failed = [128 - code if code < 0 else code for code in codes if code != errors.FINISHED]
    if not failed:
        return errors.FINISHED
    killed = [code for code in failed if code > 128]
    return next((code for code in (*_MOST_TELLING, *killed, errors.BUG) if code in failed), failed[0])

"""What a function costs from its process's start to its first reply, over a floor that nobody can do without.

The function's process imports its handler and answers an ordinary event. The floor's imports Powertools' Logger,
pydantic and boto3, makes the clients that the function makes and the same calls with the same parameters: they were
noted once, with moto's answers, which both get from a loopback port. Both are new processes that see the function's
folder, the core layer and installed packages, as on Lambda; modules are compiled already, as they are not on Lambda.
Both end with the reply. A figure is the median of pairs that take turns, in CPU seconds of the processes.

publish_artifacts imports DVC, which no floor has: its figure is told, and has no bound.

    functions           {name: ratio}
    spread              {name: quartiles of the pairs' ratios}
    cpu_s, floor_cpu_s  {name: seconds}

    python benchmarks/imports.py --json
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks.measure import arguments, median, publish, ratios, spread, take_turns  # noqa: E402
from benchmarks.recorded_aws import RecordedAws, recorded_aws  # noqa: E402
from tests.unit.functions import account  # noqa: E402
from turbine.aws import clients  # noqa: E402

PAIRS = 11
WITH_DVC = "publish_artifacts"
COLD_START = Path(__file__).with_name("cold_start.py")
LIMIT_S = 120


class FailedError(RuntimeError):
    """A process that was to be measured did something else."""


class Measured:
    """One function: its event, the calls it makes, and processes that cost what is asked."""

    def __init__(self, name: str, aws: RecordedAws) -> None:
        self._name = name
        self._aws = aws
        self._event = self._arranged()
        aws.record()
        aws.is_asked_again = name == WITH_DVC  # its temporary objects have random names
        noted = self._run({**self._function(), "record": True}, note=True)
        self._calls = json.loads(noted.splitlines()[-1])

    def function_s(self) -> float:
        return self._cpu_s(self._function())

    def floor_s(self) -> float:
        kept = ("retries", "connect_timeout", "read_timeout")
        config = {name: getattr(clients.CONFIG, name) for name in kept}
        return self._cpu_s({"do": "floor", "paths": _packages(), "calls": self._calls, "config": config})

    def _arranged(self) -> dict[str, Any]:
        """Bring the account to where the function is called; what that takes is not recorded."""
        self._aws.reset()
        os.environ["AWS_ENDPOINT_URL"] = self._aws.moto_endpoint
        account.forget_clients()
        account.make_resources()
        with contextlib.redirect_stdout(io.StringIO()):  # the log of the handlers of earlier steps
            return account.ORDINARY[self._name]()

    def _function(self) -> dict[str, Any]:
        own = [str(ROOT / "functions" / self._name), str(ROOT / "layers/core")]
        return {"do": "function", "paths": [*own, *_packages()], "event": self._event}

    def _cpu_s(self, task: dict[str, Any]) -> float:
        self._aws.replay()
        before_s = _children_s()
        self._run(task)
        spent_s = _children_s() - before_s
        if self._aws.unknown:
            raise FailedError(f"{self._name}, {task['do']}: calls that were not recorded: {self._aws.unknown}")
        return spent_s

    def _run(self, task: dict[str, Any], *, note: bool = False) -> str:
        """Run a process; what it wrote on stderr, if it was to note calls there."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(COLD_START)],
            input=json.dumps(task),
            env={**account.ENVIRONMENT, "AWS_ENDPOINT_URL": self._aws.endpoint, "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise FailedError(f"{self._name}, {task['do']}: {done.stderr[-2000:]}")
        return done.stderr if note else ""


def _packages() -> list[str]:
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _children_s() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(names: Sequence[str], pairs: int) -> dict[str, Any]:
    """Every named function over its floor."""
    results: dict[str, dict[str, Any]] = {"functions": {}, "spread": {}, "cpu_s": {}, "floor_cpu_s": {}}
    os.environ |= account.ENVIRONMENT
    with recorded_aws() as aws:
        for name in names:
            one = Measured(name, aws)
            one.function_s(), one.floor_s()  # compiles what is not compiled yet
            ours, floors = take_turns(pairs, one.function_s, one.floor_s)
            found = ratios(ours, floors)
            results["functions"][name] = median(found)
            results["spread"][name] = spread(found)
            results["cpu_s"][name] = median(ours)
            results["floor_cpu_s"][name] = median(floors)
    return results


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--function", action="append", choices=account.FUNCTIONS, help="only this one; may be repeated")
    given = parser.parse_args()
    started_s = time.perf_counter()
    results = measure(given.function or account.FUNCTIONS, given.pairs)
    publish({**results, "pairs": given.pairs, "took_s": round(time.perf_counter() - started_s, 1)}, given.json)


if __name__ == "__main__":
    main()

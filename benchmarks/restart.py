"""How long the embedded cloud takes to start on a state that holds many executions, and what they take of its memory.

A hundred executions are run, a tenth of them fan-outs. Then the state file's rows are multiplied: each execution, the
records of its frames and its history are there again and again under other names, which are as long as theirs. The
cloud starts on the file before and after, in turns over copies.

    start_s             from the process's start to ready, with all executions; `cpu_s` beside it
    over_few            that over the start with the hundred
    kb_an_execution     resident memory, by the difference

    python benchmarks/restart.py --executions 10000 --json
"""

import re
import shutil
import sqlite3
import sys
import time
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks import fan_out_cloud  # noqa: E402
from benchmarks.fan_out_cloud import FailedError, FanOutCloud  # noqa: E402
from benchmarks.measure import arguments, median, publish, ratios  # noqa: E402
from local_cloud.stepfunctions import history  # noqa: E402

EXECUTIONS, FEW, TURNS = 10_000, 100, 3
FAN_OUTS_OF = 10
WIDTH = 4
STATE_FILE = "state.db"
_ARN = re.compile(rb"arn:aws:states:[\w-]+:\d{12}:execution:[\w-]+:[0-9a-f-]{36}")
_NAME = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FRAMES = re.compile(rb"Frames/[0-9a-f]{32}")


def prepare(folder: Path, few: int) -> None:
    """A stopped cloud's state with some executions that were really run."""
    cloud = fan_out_cloud.start(folder)
    try:
        cloud.deploy()
        for number in range(few):
            if number % FAN_OUTS_OF == 0:
                cloud.fan_out(WIDTH)
            else:
                cloud.execute()
    finally:
        cloud.stop()


def multiply(database: Path, wanted: int) -> int:
    """Have about `wanted` executions in a state file, by writing those that are there again; how many there are."""
    with closing(sqlite3.connect(database)) as state, state:
        rows = state.execute("select space, key, value from cells where space like 'Executions/%'").fetchall()
        times = max(1, round(wanted / len(rows)))
        count = Counter(space for space, _, _ in rows)
        for space, key, value in rows:
            events = _events(state, value)
            for round_ in range(1, times):
                _write_again(state, space, int(key) + round_ * count[space], value, events)
    return len(rows) * times


def _events(state: sqlite3.Connection, execution: bytes) -> list[tuple[str, str, bytes]]:
    space = history.PREFIX + _ARN.findall(execution)[0].decode()
    return state.execute("select space, key, value from cells where space = ?", (space,)).fetchall()


def _write_again(
    state: sqlite3.Connection, space: str, number: int, value: bytes, events: list[tuple[str, str, bytes]]
) -> None:
    """One execution once more: its record, and its history, under a name of its own."""
    name, new_name = _NAME.findall(_ARN.findall(value)[0])[0], str(uuid.uuid4()).encode()
    value = value.replace(name, new_name)
    for frames in set(_FRAMES.findall(value)):
        value = value.replace(frames, b"Frames/" + uuid.uuid4().hex.encode())
    state.execute("insert into cells values (?, ?, ?)", (space, f"{number:012d}", value))
    state.executemany(
        "insert into cells values (?, ?, ?)",
        (
            (told.replace(name.decode(), new_name.decode()), key, event.replace(name, new_name))
            for told, key, event in events
        ),
    )


def started(state: Path, scratch: Path) -> dict[str, float]:
    """Start a cloud on a copy of a state, look whether what it knows is there, and stop it."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(state, scratch)
    began_s = time.perf_counter()
    cloud = fan_out_cloud.start(scratch)
    took_s = time.perf_counter() - began_s
    try:
        taken = cloud.taken()
        _look(cloud)
        return {"s": took_s, "cpu_s": taken.cpu_s, "rss_mb": taken.rss_mb}
    finally:
        cloud.stop()


def _look(cloud: FanOutCloud) -> None:
    cloud.find_stack()
    arn = cloud.outputs["TrivialMachineArn"]
    oldest = cloud.stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=arn)
    last = [found for page in oldest for found in page["executions"]][-1]
    events = cloud.stepfunctions.get_execution_history(executionArn=last["executionArn"])["events"]
    if events[-1]["type"] != "ExecutionSucceeded":
        raise FailedError(f"{last['executionArn']} has no history that ends well")
    cloud.execute()


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=EXECUTIONS)
    parser.add_argument("--few", type=int, default=FEW, help="how many are really run")
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    with fan_out_cloud.state_folder() as folder:
        few, many, scratch = folder / "few", folder / "many", folder / "scratch"
        few.mkdir(mode=0o700)
        prepare(few, given.few)
        shutil.copytree(few, many)
        total = multiply(many / STATE_FILE, given.executions)
        pairs = [(started(few, scratch), started(many, scratch)) for _ in range(given.turns)]
    results: dict[str, Any] = {
        "executions": total,
        "start_s": median([after["s"] for _, after in pairs]),
        "cpu_s": median([after["cpu_s"] for _, after in pairs]),
        "few_start_s": median([before["s"] for before, _ in pairs]),
        "few_cpu_s": median([before["cpu_s"] for before, _ in pairs]),
        "over_few": median(ratios([after["s"] for _, after in pairs], [before["s"] for before, _ in pairs])),
        "rss_mb": median([after["rss_mb"] for _, after in pairs]),
        "kb_an_execution": median(
            [1000 * (after["rss_mb"] - before["rss_mb"]) / (total - given.few) for before, after in pairs]
        ),
    }
    publish(results, given.json)


if __name__ == "__main__":
    main()

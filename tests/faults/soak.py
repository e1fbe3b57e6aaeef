"""Kills the embedded cloud again and again under mixed load, and looks each time whether all it had answered is there.

A round: clients write, and start executions, until SIGKILL ends the cloud, at a random moment or, every third round, at
a named point (`local_cloud.crash_points`); then it is started again on the same state, sometimes killed
while it starts, and every client's journal is compared. The next round's load is on that cloud. State grows from round
to round and is begun anew every ROUNDS_A_STATE, after all of its journals are compared once more. What is done is
noted: a soak that was broken off goes on with the round it was in, on new state.

    python -m tests.faults.soak --kills 300 --seed 1      about 7 s a kill on two quiet cores
    python -m tests.faults.soak --kills 5 --forgetful     the control: must fail
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.journal import Journal, NotThereError, Outage, Writer
from tests.faults.killed_cloud import KilledCloud

WRITERS = 3
ROUNDS_A_STATE = 10
LOAD = (60, 240)
"""Operations answered before a kill, which then comes within the next JITTER_S."""
JITTER_S = 0.2
LOAD_LIMIT_S = 120.0
REACHED_WITHIN_S = 6.0
EXECUTION_EVERY_S = 0.4
STARTING_STEPS = 22
POINTS = {
    "before-commit": 8,
    "after-commit": 8,
    "task-called": 3,
    "event-delivered": 3,
    "resource-made": 3,
    "resource-deleted": 2,
    "starting": 1,
}
"""Named points, and the largest number of arrivals at one, counted from the moment at which it is armed."""


@dataclass(frozen=True)
class Plan:
    """How a round's cloud is killed: after so many operations, at the next arrivals at a point if one is named."""

    operations: int
    point: str = ""
    arrivals: int = 1

    @classmethod
    def drawn(cls, dice: random.Random, number: int) -> Plan:
        operations = dice.randint(*LOAD)
        if number % 3 != 2:
            return cls(operations)
        point = dice.choice(sorted(POINTS))
        most = STARTING_STEPS if point == "starting" else POINTS[point]
        return cls(operations, point, dice.randint(1, most))

    def __str__(self) -> str:
        return f"{self.point}:{self.arrivals}" if self.point else "random"


class Soak:
    """Rounds on one state directory after another. `arguments` and `module` say which cloud it is that is killed."""

    def __init__(
        self, folder: Path, arguments: Sequence[str] = (), module: Sequence[str] = ("local_cloud",), seed: int = 1
    ) -> None:
        self._folder, self._seed = folder, seed
        self._arguments, self._module = arguments, module
        self._cloud: KilledCloud | None = None
        self._compared: list[tuple[Journal, Outage]] = []

    def round(self, number: int, plan: Plan | None = None) -> str:
        """One round; what it was. Raises: NotThereError."""
        started = time.monotonic()
        plan = plan or Plan.drawn(random.Random(f"{self._seed}-{number}"), number)
        journal = Journal(f"s{self._seed}-r{number:04d}")
        cloud = self._running(journal, number)
        note, killed_at = _load(cloud, journal, plan)
        kills = 1
        if plan.point == "starting" and cloud.start_and_die(plan.arrivals):
            kills = 2
        if plan.point != "starting" or kills == 2:
            cloud.start()
        outage = Outage(killed_at, time.time(), kills)
        journal.verify(cloud.client, outage)
        for earlier, when in self._compared if number % ROUNDS_A_STATE == ROUNDS_A_STATE - 1 else ():
            earlier.verify_again(cloud.client, when)
        self._compared.append((journal, outage))
        counts = " ".join(f"{kind}={count}" for kind, count in sorted(journal.answered.items()))
        return (
            f"{number}: {plan}{note}, {journal.in_flight} executions in flight, "
            f"{journal.answered.total()} operations ({counts}), {time.monotonic() - started:.1f} s"
        )

    def _running(self, journal: Journal, number: int) -> KilledCloud:
        """The cloud that the round before has left, or one on new state."""
        if self._cloud is not None and number % ROUNDS_A_STATE:
            return self._cloud
        self.stop()
        shutil.rmtree(self._folder / "state", ignore_errors=True)
        self._compared = []
        self._cloud = KilledCloud(self._folder / "state", self._arguments, self._module)
        self._cloud.start()
        journal.prepare(self._cloud.client)
        return self._cloud

    def stop(self) -> None:
        """End the cloud, as one ends it in peace."""
        if self._cloud is not None:
            self._cloud.stop()
            self._cloud = None


def _load(cloud: KilledCloud, journal: Journal, plan: Plan) -> tuple[str, float]:
    """Until the cloud is dead; a note, and when that was (seconds since 1970)."""
    writers = [Writer(cloud.client, journal, number) for number in range(WRITERS + 1)]
    starter = writers.pop()
    starter.does(starter.executions())
    threads = [threading.Thread(target=writer.work) for writer in writers]
    threads.append(threading.Thread(target=_keep_in_flight, args=(starter,)))
    for thread in threads:
        thread.start()
    note = ""
    deadline = time.monotonic() + LOAD_LIMIT_S
    while journal.answered.total() < plan.operations and time.monotonic() < deadline:
        if cloud.has_died_within(0.02):
            raise NotThereError(f"the cloud died by itself: {cloud.state / 'cloud.log'}")
    time.sleep(random.uniform(0, JITTER_S))
    if plan.point and plan.point != "starting":
        cloud.arm(f"{plan.point}:{plan.arrivals}")
        if not cloud.has_died_within(REACHED_WITHIN_S):
            note = " (not reached)"
    cloud.kill()
    killed_at = time.time()
    for thread in threads:
        thread.join()
    return note, killed_at


def _keep_in_flight(starter: Writer) -> None:
    while starter.does(starter.executions()):
        time.sleep(EXECUTION_EVERY_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--forgetful", action="store_true", help="the control: nothing is kept")
    parser.add_argument("--module", default="local_cloud", help="another cloud, such as one that lacks a defence")
    parser.add_argument("--folder", type=Path, default=Path("build/soak"))
    given = parser.parse_args()
    done_file = given.folder / f"done-{given.seed}.json"
    given.folder.mkdir(parents=True, exist_ok=True)
    first = json.loads(done_file.read_text())["rounds"] if done_file.exists() else 0
    arguments = ("--forgetful",) if given.forgetful else ()
    soak, kinds = Soak(given.folder.resolve(), arguments, (given.module,), given.seed), Counter[str]()
    started_s = time.monotonic()
    print(f"seed {given.seed}, from round {first}", flush=True)
    with contextlib.ExitStack() as stack:
        stack.callback(soak.stop)
        for number in range(first, given.kills):
            try:
                said = soak.round(number)
            except NotThereError as error:
                sys.exit(f"seed {given.seed}, round {number}: {error}")
            print(said, flush=True)
            kinds[said.split()[1].partition(":")[0]] += 1
            if not given.forgetful:
                done_file.write_text(json.dumps({"rounds": number + 1}))
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(one.ru_utime + one.ru_stime for one in used)
    took = f"{time.monotonic() - started_s:.0f} s, {cpu_s:.0f} s of them on a core"
    print(f"{given.kills} kills ({dict(kinds)}), nothing lost, nothing twice, {took}")
    done_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

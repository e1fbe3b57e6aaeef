"""Which jobs start, and where: priority, shares, gangs, tokens, hosts, and no job that jumps the one before it."""

from __future__ import annotations

import ast
import math
import random
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from local_cloud.batch import ordering
from local_cloud.batch.ordering import (
    Capacity,
    Decision,
    Environment,
    FairShare,
    Hold,
    Host,
    PastUse,
    Placement,
    Queue,
    QueuedJob,
    Resources,
    RunningJob,
    decayed_use,
    decide,
)

FIFO = Queue("fifo", 1, ("env",))
MACHINE = Resources(4, 1000)
SMALL, LARGE = Resources(2, 4000), Resources(8, 16_000, gpus=2)


def job(name: str, number: int, queue: Queue = FIFO, vcpus: float = 1, nodes: int = 1, **more: Any) -> QueuedJob:
    return QueuedJob(name, queue.name, (Resources(vcpus, 100),) * nodes, number, **more)


def runs(one: QueuedJob, environment: str = "env", *hosts: Host, since_s: float = 0) -> RunningJob:
    return RunningJob(one, Placement(environment, hosts), since_s)


def decided(
    waiting: Sequence[QueuedJob],
    running: Sequence[RunningJob] = (),
    *,
    queues: Iterable[Queue] = (FIFO,),
    environments: Iterable[Environment] = (Environment("env"),),
    machine: Resources | None = None,
    tokens: Mapping[str, int] | None = None,
    **more: Any,
) -> Decision:
    capacity = Capacity({one.name: one for one in environments}, tokens or {}, machine)
    return decide({queue.name: queue for queue in queues}, waiting, running, capacity, **more)


def names(decision: Decision) -> list[str]:
    return [start.job.job_id for start in decision.starts]


def places(decision: Decision) -> list[str]:
    return [start.placement.environment for start in decision.starts]


def hold(decision: Decision, queue: Queue = FIFO) -> Hold:
    return decision.held[queue.name][1]


def test_the_rules_are_pure() -> None:
    """Other programs decide by them: they know nothing of this cloud, of time, of threads, of the machine."""
    tree = ast.walk(ast.parse(Path(ordering.__file__).read_text()))
    imported = {
        name.partition(".")[0]
        for node in tree
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported <= sys.stdlib_module_names - {"time", "datetime", "threading", "os", "random", "subprocess"}


def test_a_queue_without_a_policy_is_first_in_first_out_whatever_the_scheduling_priority() -> None:
    assert names(decided([job("b", 2, scheduling_priority=9), job("a", 1)])) == ["a", "b"]


def test_the_queue_with_the_higher_priority_goes_first_and_among_equal_ones_the_older_job() -> None:
    urgent, other = Queue("urgent", 5, ("env",)), Queue("other", 1, ("env",))
    waiting = [job("b", 2, other), job("a", 1), job("c", 3), job("d", 4, urgent)]
    assert names(decided(waiting, queues=[FIFO, urgent, other])) == ["d", "a", "b", "c"]


def fair(**more: Any) -> Queue:
    return Queue("fair", 1, ("env",), FairShare(**more))


def test_the_share_that_uses_least_goes_first_and_shares_take_turns() -> None:
    queue = fair()
    waiting = [job("a1", 1, queue, share="a"), job("a2", 2, queue, share="a"), job("b1", 3, queue, share="b")]
    assert names(decided(waiting, queues=[queue])) == ["a1", "b1", "a2"]
    running = [runs(job("a0", 0, queue, share="a"))]
    assert names(decided(waiting, running, queues=[queue])) == ["b1", "a1", "a2"]


@pytest.mark.parametrize("weights", [{"light": 0.25}, {"li*": 0.25, "l*": 100}])
def test_a_lower_weight_gets_more_and_may_be_a_prefixs(weights: dict[str, float]) -> None:
    queue = fair(weights=weights)
    running = [runs(job("l0", 0, queue, 2, share="light")), runs(job("h0", 1, queue, share="heavy"))]
    waiting = [job("h", 2, queue, share="heavy"), job("l", 3, queue, share="light")]
    assert names(decided(waiting, running, queues=[queue])) == ["l", "h"]


def test_scheduling_priority_orders_within_a_share_only() -> None:
    queue = fair()
    waiting = [job("a1", 1, queue, share="a"), job("a2", 2, queue, share="a", scheduling_priority=5)]
    waiting.append(job("b", 0, queue, share="b"))
    assert names(decided(waiting, queues=[queue])) == ["b", "a2", "a1"]


def test_past_use_counts_within_the_window_and_less_the_older_it_is() -> None:
    queue = fair(decay_s=1000)
    waiting = [job("a", 1, queue, share="a"), job("b", 2, queue, share="b")]
    recent = PastUse("fair", "a", 4, 1900, 2000)
    old = PastUse("fair", "a", 4, 0, 900)
    assert names(decided(waiting, queues=[queue], now_s=2000, past=[recent])) == ["b", "a"]
    assert names(decided(waiting, queues=[queue], now_s=2000, past=[old])) == ["a", "b"]
    assert decayed_use(recent, 1000, 2000) > decayed_use(recent, 1000, 2500) > 0
    assert decayed_use(PastUse("q", "s", 3, 0, 2000), 1000, 2000) == pytest.approx(3)


@pytest.mark.parametrize(("shares", "starts"), [(1, 5), (2, 7), (3, 8)])
def test_a_reservation_leaves_room_for_shares_that_are_not_there(shares: int, starts: int) -> None:
    """50 % of 10 vCPUs for one active share is kept free, 25 % for two, 12.5 % for three."""
    queue = fair(reservation=50)
    waiting = [job(str(number), number, queue, share="abc"[number % shares]) for number in range(20)]
    decision = decided(waiting, queues=[queue], environments=[Environment("env", 10)])
    assert len(decision.starts) == starts
    assert hold(decision, queue) is Hold.RESERVED


def test_the_first_job_that_does_not_fit_holds_back_the_smaller_ones_behind_it() -> None:
    waiting = [job("big", 1, vcpus=3), job("small", 2)]
    held = decided(waiting, [runs(job("r", 0, vcpus=2))], machine=MACHINE)
    assert (names(held), hold(held)) == ([], Hold.MACHINE_FULL)
    assert names(decided(waiting, machine=MACHINE)) == ["big", "small"]


def test_one_that_waits_for_room_keeps_it_from_queues_of_lower_priority() -> None:
    low = Queue("low", 0, ("env", "other"))
    waiting = [job("big", 1, vcpus=3), job("small", 2, low)]
    running = [runs(job("r", 0, vcpus=2))]
    environments = [Environment("env", 4), Environment("other", 4)]
    decision = decided(waiting, running, queues=[FIFO, low], environments=environments)
    assert (names(decision), places(decision)) == (["small"], ["other"])


def test_one_that_waits_for_the_machine_keeps_it_from_all_others() -> None:
    """Else those in other environments, which are the same machine here, would let it wait for ever."""
    low = Queue("low", 0, ("other",))
    waiting = [job("big", 1, vcpus=3), job("small", 2, low)]
    environments = [Environment("env"), Environment("other")]
    decision = decided(
        waiting, [runs(job("r", 0, vcpus=2))], queues=[FIFO, low], environments=environments, machine=MACHINE
    )
    assert (names(decision), hold(decision), hold(decision, low)) == ([], Hold.MACHINE_FULL, Hold.MACHINE_FULL)


@pytest.mark.parametrize(
    ("environment", "wanted", "why"),
    [
        (Environment("env", 4), {"vcpus": 8}, Hold.NO_ENVIRONMENT),
        (Environment("env", 64, (SMALL,)), {"vcpus": 8}, Hold.NO_HOST),
        (Environment("env", 64, takes_gangs=False), {"nodes": 2, "is_gang": True}, Hold.NO_GANGS),
        (Environment("env", 4, (SMALL,)), {"nodes": 4, "is_gang": True}, Hold.NO_ENVIRONMENT),
        (Environment("env"), {"vcpus": 64}, Hold.MACHINE_TOO_SMALL),
    ],
)
def test_a_job_that_can_never_start_says_why_and_holds_back_its_queue_only(
    environment: Environment, wanted: dict[str, Any], why: Hold
) -> None:
    other = Queue("other", 0, ("env",))
    waiting = [job("never", 1, **wanted), job("behind", 2), job("elsewhere", 3, other)]
    decision = decided(waiting, queues=[FIFO, other], environments=[environment], machine=Resources(32, 10**6))
    assert (names(decision), hold(decision)) == (["elsewhere"], why)


def test_whether_an_impossible_head_blocks_is_one_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "IMPOSSIBLE_HEAD_BLOCKS", False)
    decision = decided([job("never", 1, vcpus=64), job("small", 2)], machine=MACHINE)
    assert (names(decision), hold(decision)) == (["small"], Hold.MACHINE_TOO_SMALL)


def test_memory_and_gpus_count_as_well() -> None:
    hungry = QueuedJob("m", "fifo", (Resources(1, 2000),), 1)
    on_gpu = QueuedJob("g", "fifo", (Resources(1, 1, gpus=1),), 2)
    assert hold(decided([hungry], machine=MACHINE)) is Hold.MACHINE_TOO_SMALL
    machine = Resources(4, 1000, gpus=1)
    assert names(decided([on_gpu], machine=machine)) == ["g"]
    assert hold(decided([on_gpu], [runs(on_gpu)], machine=machine)) is Hold.MACHINE_FULL


def test_a_full_environment_is_passed_over_for_the_next_of_the_order() -> None:
    queue = Queue("fifo", 1, ("first", "second"))
    environments = [Environment("first", 2), Environment("second", 2)]
    waiting = [job(str(number), number, queue) for number in range(5)]
    decision = decided(waiting, queues=[queue], environments=environments)
    assert places(decision) == ["first", "first", "second", "second"]
    assert hold(decision, queue) is Hold.FULL


def test_containers_share_hosts_and_hosts_count_up_to_the_environments_vcpus() -> None:
    waiting = [job(str(number), number) for number in range(10)]
    decision = decided(waiting, environments=[Environment("env", 6, (SMALL,))])
    used = Counter(start.placement.hosts[0].number for start in decision.starts)
    assert used == {0: 2, 1: 2, 2: 2}


def test_the_last_host_may_pass_the_limit_unless_the_strategy_forbids_it() -> None:
    waiting = [job(str(number), number, vcpus=8) for number in range(3)]
    for may_exceed, starts in ((True, 2), (False, 1)):
        environment = Environment("env", 12, (LARGE,), may_exceed=may_exceed)
        assert len(decided(waiting, environments=[environment]).starts) == starts


def test_the_smallest_host_that_fits_is_launched() -> None:
    decision = decided([job("a", 1), job("b", 2, vcpus=4)], environments=[Environment("env", 64, (LARGE, SMALL))])
    assert [start.placement.hosts[0].size for start in decision.starts] == [SMALL, LARGE]


def test_a_gang_takes_a_host_for_each_node_all_or_none_and_shares_them_with_nobody() -> None:
    environment = Environment("env", 8, (SMALL,))
    gang = job("gang", 1, nodes=3, is_gang=True)
    decision = decided([gang, job("a", 2), job("b", 3), job("c", 4)], environments=[environment])
    assert [host.number for host in decision.starts[0].placement.hosts] == [0, 1, 2]
    assert (names(decision), hold(decision)) == (["gang", "a", "b"], Hold.FULL)
    occupied = [runs(job("r", 0), "env", Host(0, SMALL)), runs(job("s", 0), "env", Host(7, SMALL))]
    assert names(decided([gang], occupied, environments=[environment])) == []


def test_tokens_are_counted_over_all_queues_and_a_head_without_them_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Queue("other", 0, ("env",))
    waiting = [job("a", 1, tokens={"vm": 2}), job("b", 2, tokens={"vm": 2}), job("c", 3), job("d", 4, other)]
    decision = decided(waiting, queues=[FIFO, other], tokens={"vm": 3})
    assert (names(decision), hold(decision)) == (["a", "d"], Hold.NO_TOKENS)
    monkeypatch.setattr(ordering, "TOKENLESS_HEAD_BLOCKS", False)
    assert names(decided(waiting, queues=[FIFO, other], tokens={"vm": 3})) == ["a", "c", "d"]


# ---------------------------------------------------------------------------------------------------------------------
# Whatever the jobs, queues and environments
# ---------------------------------------------------------------------------------------------------------------------


class World:
    """A random system; `step` lets some jobs end and starts what may start."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        choice = self.random.choice
        self.environments = {
            name: Environment(name, choice([4, 10, 32]), choice([(), (SMALL,), (SMALL, LARGE)]), choice([True, False]))
            for name in ("x", "y", "z")
        }
        self.queues = {
            name: Queue(
                name,
                choice([1, 2]),
                tuple(self.random.sample(["x", "y", "z"], choice([1, 2, 3]))),
                choice([None, FairShare({"a": 0.5}, 100, choice([0, 0, 30]))]),
            )
            for name in ("p", "q", "r")
        }
        self.machine = Resources(24, 60_000, 3)
        self.total = {"t": 4}
        self.running: list[RunningJob] = []
        self.waiting = [self._job(number) for number in range(60)]

    def _job(self, number: int) -> QueuedJob:
        choice = self.random.choice
        is_gang = self.random.random() < 0.2
        node = Resources(choice([0.5, 1, 2, 4]), choice([100, 3000]), choice([0, 0, 0, 1]))
        tokens = {"t": choice([1, 2])} if self.random.random() < 0.3 else {}
        nodes = (node,) * (choice([2, 3]) if is_gang else 1)
        return QueuedJob(str(number), choice("pqr"), nodes, number, choice("ab"), choice([0, 5]), is_gang, tokens)

    @property
    def capacity(self) -> Capacity:
        used = sum(one.job.tokens.get("t", 0) for one in self.running)
        return Capacity(self.environments, {"t": self.total["t"] - used}, self.machine)

    def decide(self) -> Decision:
        return decide(self.queues, self.waiting, self.running, self.capacity)

    def apply(self, decision: Decision) -> None:
        started = {start.job.job_id for start in decision.starts}
        self.waiting = [one for one in self.waiting if one.job_id not in started]
        self.running += [RunningJob(start.job, start.placement) for start in decision.starts]

    def end_some(self) -> None:
        self.running = [one for one in self.running if self.random.random() < 0.6]


@pytest.fixture(params=range(40))
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_nothing_is_ever_given_twice(world: World) -> None:
    for _ in range(12):
        world.apply(world.decide())
        assert sum((one.job.needs for one in world.running), Resources()).fits(world.machine)
        assert sum(one.job.tokens.get("t", 0) for one in world.running) <= world.total["t"]
        for name, environment in world.environments.items():
            check_environment(environment, [one for one in world.running if one.placement.environment == name])
        world.end_some()


def check_environment(environment: Environment, here: list[RunningJob]) -> None:
    hosts = {host for one in here for host in one.placement.hosts}
    assert len({host.number for host in hosts}) == len(hosts)
    largest = max((size.vcpus for size in environment.host_sizes), default=0)
    if environment.host_sizes:
        assert sum(host.size.vcpus for host in hosts) < environment.max_vcpus + largest
    else:
        assert sum(one.job.needs.vcpus for one in here) <= environment.max_vcpus
    for host in hosts:
        nodes = [
            (one.job, node)
            for one in here
            for its_host, node in zip(one.placement.hosts, one.job.nodes, strict=False)
            if its_host == host
        ]
        assert sum((node for _, node in nodes), Resources()).fits(host.size)
        assert len(nodes) == 1 or not any(one.is_gang for one, _ in nodes)


def test_what_was_decided_once_is_decided(world: World) -> None:
    """Deciding again starts nobody, and the heads that are held are the same."""
    for _ in range(6):
        decision = world.decide()
        world.apply(decision)
        again = world.decide()
        assert again.starts == ()
        assert {name: found[0].job_id for name, found in again.held.items()} == {
            name: found[0].job_id for name, found in decision.held.items()
        }
        world.end_some()


def test_every_queue_that_still_waits_says_why(world: World) -> None:
    for _ in range(6):
        decision = world.decide()
        world.apply(decision)
        assert set(decision.held) == {one.queue for one in world.waiting}
        world.end_some()


def test_a_queue_without_shares_starts_its_jobs_in_their_order(world: World) -> None:
    started: list[QueuedJob] = []
    for _ in range(12):
        decision = world.decide()
        started += [start.job for start in decision.starts]
        world.apply(decision)
        world.end_some()
    for queue in world.queues.values():
        if queue.fair_share is None:
            numbers = [one.number for one in started if one.queue == queue.name]
            assert numbers == sorted(numbers)


def test_a_decision_does_not_depend_on_the_order_in_which_jobs_are_named(world: World) -> None:
    first = world.decide()
    world.random.shuffle(world.waiting)
    assert world.decide() == first


def test_shares_get_vcpus_in_inverse_proportion_to_their_weights() -> None:
    queue = fair(weights={"a": 0.25, "b": 1.0})
    waiting = [job(f"{share}{n}", 2 * n + k, queue, share=share) for n in range(100) for k, share in enumerate("ab")]
    decision = decided(waiting, queues=[queue], environments=[Environment("env", 50)])
    counted = Counter(start.job.share for start in decision.starts)
    assert math.isclose(counted["a"] / counted["b"], 4, rel_tol=0.1)

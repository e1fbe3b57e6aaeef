"""Which jobs start next: priority, shares, first in first out, and no job that jumps the one before it."""

from __future__ import annotations

from local_cloud.batch.ordering import JobInQueue, Queue, Resources, in_order, next_to_start

FIFO = Queue("fifo", 1)


def job(
    name: str, number: int, queue: Queue = FIFO, vcpus: float = 1, share: str = "", priority: int = 0
) -> JobInQueue:
    return JobInQueue(name, queue, Resources(vcpus, 100), number, share, priority)


def names(jobs: list[JobInQueue]) -> list[str]:
    return [one.job_id for one in jobs]


def test_a_queue_without_a_policy_is_first_in_first_out_whatever_the_scheduling_priority() -> None:
    assert names(in_order([job("b", 2, priority=9), job("a", 1)], [])) == ["a", "b"]


def test_the_queue_with_the_higher_priority_goes_first() -> None:
    urgent = Queue("urgent", 5)
    assert names(in_order([job("a", 1), job("b", 2, urgent)], [])) == ["b", "a"]


def test_the_share_that_uses_least_goes_first_and_shares_take_turns() -> None:
    fair = Queue("fair", 1, {})
    waiting = [job("a1", 1, fair, share="a"), job("a2", 2, fair, share="a"), job("b1", 3, fair, share="b")]
    assert names(in_order(waiting, [])) == ["a1", "b1", "a2"]
    assert names(in_order(waiting, [job("a0", 0, fair, share="a")])) == ["b1", "a1", "a2"]


def test_a_lower_weight_gets_more() -> None:
    fair = Queue("fair", 1, {"light": 0.25})
    running = [job("l0", 0, fair, vcpus=2, share="light"), job("h0", 1, fair, share="heavy")]
    waiting = [job("h", 2, fair, share="heavy"), job("l", 3, fair, share="light")]
    assert names(in_order(waiting, running)) == ["l", "h"]


def test_a_weight_may_be_given_to_a_prefix_of_shares() -> None:
    fair = Queue("fair", 1, {"team*": 0.25})
    running = [job("x0", 0, fair, vcpus=2, share="teamone"), job("y0", 1, fair, share="other")]
    waiting = [job("y", 2, fair, share="other"), job("x", 3, fair, share="teamone")]
    assert names(in_order(waiting, running)) == ["x", "y"]


def test_scheduling_priority_orders_within_a_share_only() -> None:
    fair = Queue("fair", 1, {})
    waiting = [job("a1", 1, fair, share="a"), job("a2", 2, fair, share="a", priority=5)]
    assert names(in_order(waiting, [])) == ["a2", "a1"]


def test_the_first_job_that_does_not_fit_holds_back_the_smaller_ones_behind_it() -> None:
    waiting = [job("big", 1, vcpus=3), job("small", 2)]
    running = [job("r", 0, vcpus=2)]
    assert next_to_start(waiting, running, Resources(4, 1000)) == []
    assert names(next_to_start(waiting, [], Resources(4, 1000))) == ["big", "small"]


def test_a_job_that_can_never_fit_holds_nobody_back() -> None:
    waiting = [job("never", 1, vcpus=64), job("small", 2)]
    assert names(next_to_start(waiting, [], Resources(4, 1000))) == ["small"]


def test_memory_and_gpus_count_as_well() -> None:
    hungry = JobInQueue("m", FIFO, Resources(1, 2000), 1)
    on_gpu = JobInQueue("g", FIFO, Resources(1, 1, gpus=1), 2)
    assert next_to_start([hungry], [], Resources(4, 1000)) == []
    assert names(next_to_start([on_gpu], [], Resources(4, 1000, gpus=1))) == ["g"]
    assert next_to_start([on_gpu], [on_gpu], Resources(4, 1000, gpus=1)) == []

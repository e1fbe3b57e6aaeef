"""What is said of the heads of blocked queues, from one decision to the next."""

from __future__ import annotations

from types import SimpleNamespace

from local_cloud.batch.heads import BlockedHeads
from local_cloud.batch.ordering import Decision, Hold
from local_cloud.batch.record import JobRecord
from tests.unit.local_cloud.batch.fake_cloud import QUEUE_ARN, FakeCloud

TOO_BIG, WAITS = Hold.MACHINE_TOO_SMALL, Hold.FULL


class Followed:
    """Two jobs, and the heads of their queue as decisions say."""

    def __init__(self) -> None:
        cloud = FakeCloud()
        self.jobs = {name: cloud.job(name) for name in ("a", "b")}
        self.blocked: list[str] = []
        self.cancelled: list[str] = []
        self.heads = BlockedHeads(
            lambda _: SimpleNamespace(),
            lambda record: self.blocked.append(record.job_id),
            lambda record, _: self.cancelled.append(record.job_id),
        )

    def head(self, name: str, hold: Hold, now_ms: int = 1) -> JobRecord:
        decision = Decision((), {QUEUE_ARN: (self.jobs[name].in_queue(), hold)})
        self.heads.follow(decision, self.jobs, now_ms)
        return self.jobs[name]


def test_one_that_only_waits_for_room_blocks_nothing() -> None:
    followed = Followed()
    assert followed.head("a", WAITS).status_reason is None
    assert followed.blocked == []


def test_a_job_is_told_of_when_it_begins_to_block_and_its_time_counts_from_then() -> None:
    followed = Followed()
    assert followed.head("a", TOO_BIG, 1).blocked_at == 1
    assert followed.head("a", TOO_BIG, 2).blocked_at == 1
    assert followed.blocked == ["a"]


def test_one_that_is_no_head_any_more_loses_its_reason_and_begins_anew() -> None:
    followed = Followed()
    followed.head("a", TOO_BIG, 1)
    followed.head("b", TOO_BIG, 2)
    assert (followed.jobs["a"].status_reason, followed.jobs["a"].blocked_at) == (None, None)
    assert followed.head("a", TOO_BIG, 3).blocked_at == 3
    assert followed.blocked == ["a", "b", "a"]


def test_one_that_has_ended_keeps_the_reason_of_its_end() -> None:
    followed = Followed()
    ended = followed.head("a", TOO_BIG)
    ended.status, ended.status_reason = "FAILED", "enough"
    followed.head("b", TOO_BIG)
    assert ended.status_reason == "enough"

"""A job's way from SUBMITTED to its end, told by a clock and attempts that the tests hold in their hands."""

from __future__ import annotations

import pickle
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from local_cloud.batch import consumables
from local_cloud.batch.ordering import Placement
from local_cloud.batch.record import JobRecord
from local_cloud.batch.retries import AttemptEnd
from local_cloud.batch.scheduler import Gone
from tests.unit.local_cloud.batch.fake_cloud import ENVIRONMENT_ARN, Attempt, FakeCloud

LIMIT = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


def test_every_state_is_told_in_order_and_has_its_time(cloud: FakeCloud) -> None:
    record = cloud.job("a")
    cloud.submit(record)
    cloud.clock_s += 5
    cloud.scheduler.running(record)
    cloud.clock_s += 5
    cloud.end("a")
    assert cloud.states("a") == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert (record.started_at, record.stopped_at) == (1_005_000, 1_010_000)
    assert record.attempts == [
        {"container": {"exitCode": 0}, "startedAt": 0, "stoppedAt": 1_010_000, "statusReason": record.status_reason}
    ]


def test_a_job_waits_for_those_it_depends_on(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("first"))
    cloud.submit(cloud.job("second", waits_for={"first"}))
    assert cloud.states("second") == ["SUBMITTED", "PENDING"]
    cloud.end("first")
    assert cloud.status("second") == "STARTING"


def test_a_failed_dependency_fails_a_whole_chain_of_any_length(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("0"))
    for number in range(1, 3000):
        cloud.submit(cloud.job(str(number), waits_for={str(number - 1)}))
    cloud.end("0", 1)
    assert Counter(map(cloud.status, cloud.moto._jobs)) == {"FAILED": 3000}
    assert cloud.reason("2999") == "Dependent Job failed"


def test_a_dependency_that_failed_before_or_never_was_fails_the_job(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("failed"))
    cloud.end("failed", 1)
    cloud.submit(cloud.job("late", waits_for={"failed"}), cloud.job("odd", waits_for={"nobody"}))
    assert [cloud.reason("late"), cloud.reason("odd")] == ["Dependent Job failed", "Dependent Job does not exist"]


def test_an_attempt_that_failed_is_followed_by_another_before_jobs_that_came_later(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("a", vcpus=4, retry_strategy={"attempts": 2}), cloud.job("b", vcpus=4))
    cloud.end("a", 75)
    assert [cloud.status("a"), cloud.status("b")] == ["STARTING", "RUNNABLE"]
    cloud.end("a", 1)
    assert [cloud.status("a"), cloud.status("b")] == ["FAILED", "STARTING"]
    assert len(cloud.moto._jobs["a"].attempts) == 2


def test_an_attempt_that_ends_before_it_began_leaves_the_one_before_as_it_was(cloud: FakeCloud) -> None:
    record = cloud.job("a")
    record.attempts.append({"container": {}, "startedAt": 1})
    record.note_end(AttemptEnd(75, "exited"), 2)
    record.note_end(AttemptEnd(None, "no host"), 3)
    (attempt,) = record.attempts
    assert (attempt["container"]["exitCode"], attempt["stoppedAt"]) == (75, 2)


def test_cancel_ends_only_what_has_not_started(cloud: FakeCloud) -> None:
    running, waiting = cloud.job("running", vcpus=4), cloud.job("waiting", vcpus=4)
    cloud.submit(running, waiting)
    for record in (running, waiting):
        cloud.scheduler.cancel(record, "enough")
    assert [running.status, waiting.status] == ["STARTING", "FAILED"]
    assert (waiting.is_cancelled, waiting.status_reason, running.is_cancelled) == (True, "enough", False)
    assert not cloud.attempts["running"].stopped


@pytest.mark.parametrize(("code", "reason"), [(0, "enough"), (1, "enough")])
def test_cancel_takes_hold_of_a_pending_job_when_those_before_it_have_ended(
    cloud: FakeCloud, code: int, reason: str
) -> None:
    second = cloud.job("second", waits_for={"first"})
    cloud.submit(cloud.job("first"), second)
    cloud.scheduler.cancel(second, "enough")
    assert (second.status, second.is_cancelled) == ("PENDING", True)
    cloud.end("first", code)
    assert (second.status, second.status_reason, second.attempts) == ("FAILED", reason, [])


def test_terminate_ends_a_pending_job_at_once(cloud: FakeCloud) -> None:
    second = cloud.job("second", waits_for={"first"})
    cloud.submit(cloud.job("first"), second)
    cloud.scheduler.terminate(second, "enough")
    cloud.end("first")
    assert (second.status, second.status_reason) == ("FAILED", "enough")


def test_terminate_stops_a_started_job_which_is_not_tried_again(cloud: FakeCloud) -> None:
    record = cloud.job("a", retry_strategy={"attempts": 5})
    cloud.submit(record)
    cloud.scheduler.terminate(record, "enough")
    assert (cloud.attempts["a"].stopped, record.status) == (True, "STARTING")
    cloud.end("a", 143)
    assert (record.status, record.status_reason, record.is_terminated) == ("FAILED", "enough", True)
    assert record.attempts[0]["statusReason"] == "enough"


def test_an_arrays_parent_counts_its_children_and_ends_with_the_last(cloud: FakeCloud) -> None:
    parent, *children = cloud.array("a", 3)
    cloud.submit(parent, *children)
    assert parent.status == "PENDING"
    assert parent.children == {"SUBMITTED": 0, "RUNNABLE": 0, "STARTING": 3}
    for name, code in (("a:0", 0), ("a:1", 1)):
        cloud.end(name, code)
    assert (parent.status, parent.children["FAILED"]) == ("PENDING", 1)
    cloud.end("a:2")
    assert (parent.status, parent.status_reason) == ("FAILED", "Array Child Job failed")
    assert cloud.states("a") == ["SUBMITTED", "PENDING", "FAILED"]


def test_terminating_the_parent_ends_its_children_with_its_reason(cloud: FakeCloud) -> None:
    parent, *children = cloud.array("a", 6)
    cloud.submit(parent, *children)
    cloud.scheduler.terminate(parent, "enough")
    for record in children[:4]:
        assert cloud.attempts[record.job_id].stopped
        cloud.end(record.job_id, 143)
    assert {child.status_reason for child in children} == {"enough"}
    assert (parent.status, parent.status_reason) == ("FAILED", "enough")


def test_tokens_are_held_from_starting_to_the_end_of_an_attempt(cloud: FakeCloud) -> None:
    vms = cloud.tokens("vm", 1)
    cloud.submit(cloud.job("a", tokens={vms.arn: 1}), cloud.job("b", tokens={vms.arn: 1}))
    assert (cloud.status("b"), vms.in_use, vms.available) == ("RUNNABLE", 1, 0)
    assert (cloud.reason("b") or "").startswith("CONSUMABLE_RESOURCE")
    cloud.end("a")
    assert (cloud.status("b"), vms.in_use, cloud.reason("b")) == ("STARTING", 1, None)


def test_tokens_that_are_not_replenished_are_used_up(cloud: FakeCloud) -> None:
    licences = cloud.tokens("licence", 1, consumables.NON_REPLENISHABLE)
    cloud.submit(cloud.job("a", tokens={licences.arn: 1}), cloud.job("b", tokens={licences.arn: 1}))
    cloud.end("a")
    assert (cloud.status("b"), licences.total, licences.in_use) == ("RUNNABLE", 0, 0)
    licences.update("ADD", 1)
    cloud.scheduler.look()
    assert cloud.status("b") == "STARTING"


def test_a_blocked_queue_is_told_of_once_and_its_head_is_cancelled_when_its_time_is_over(cloud: FakeCloud) -> None:
    cloud.queue.time_limits = [LIMIT]
    cloud.submit(cloud.job("huge", vcpus=64), cloud.job("behind"))
    for passed_s in (1, 598):
        cloud.clock_s += passed_s
        cloud.scheduler.look()
    assert [fact[:2] for fact in cloud.told if fact[0] == "blocked"] == [("blocked", "huge")]
    assert [cloud.status("huge"), cloud.status("behind")] == ["RUNNABLE", "RUNNABLE"]
    cloud.clock_s += 1
    cloud.scheduler.look()
    cloud.scheduler.look()
    assert cloud.reason("huge") == f"Canceled by JobStateTimeLimit action due to reason: {LIMIT['reason']}"
    assert [cloud.status("huge"), cloud.status("behind")] == ["FAILED", "STARTING"]


def test_a_limit_for_another_reason_cancels_nobody(cloud: FakeCloud) -> None:
    cloud.queue.time_limits = [{**LIMIT, "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"}]
    cloud.submit(cloud.job("huge", vcpus=64))
    cloud.clock_s += 86_400
    cloud.scheduler.look()
    assert cloud.status("huge") == "RUNNABLE"


def test_a_reason_goes_when_it_holds_no_more(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("huge", vcpus=64), cloud.job("busy", vcpus=1))
    cloud.vcpus = 64
    cloud.scheduler.look()
    assert (cloud.status("huge"), cloud.reason("huge")) == ("STARTING", None)


def test_after_a_restart_jobs_go_on_where_they_were(cloud: FakeCloud) -> None:
    """Records alone are enough: they are pickled, and another scheduler takes them."""
    vms = cloud.tokens("vm", 2)
    cloud.submit(cloud.job("runs", vcpus=2, tokens={vms.arn: 1}))
    cloud.submit(cloud.job("lost", vcpus=2, tokens={vms.arn: 1}, retry_strategy={"attempts": 2}))
    cloud.submit(cloud.job("waits"), cloud.job("depends", waits_for={"runs"}), *cloud.array("array", 2))
    records, tokens = pickle.loads(pickle.dumps((cloud.moto._jobs, consumables.of_backend(cloud.moto))))

    later = FakeCloud()
    later.moto._jobs.update(records)
    consumables.of_backend(later.moto).update(tokens)
    found = Attempt(records["runs"])
    later.scheduler.recover(records.values(), lambda record: found if record.job_id == "runs" else Gone.LOST)
    later.scheduler.look()
    assert later.status("runs") == "STARTING"
    assert found.started
    assert records["lost"].attempts[0]["statusReason"].startswith("Host EC2")
    assert len(records["lost"].attempts) == 2, "the lost attempt was followed by another"
    later.end("runs")
    later.end("lost")
    assert [later.status(name) for name in ("waits", "depends", "array:0", "array:1")] == ["STARTING"] * 4
    assert [one.in_use for one in consumables.of_backend(later.moto).values()] == [0]
    later.end("array:0")
    later.end("array:1")
    assert later.status("array") == "SUCCEEDED"


def restarted(cloud: FakeCloud, find: Callable[[JobRecord], Attempt | Gone] = lambda _: Gone.LOST) -> FakeCloud:
    """Another cloud, with what a pickle keeps of the first."""
    later = FakeCloud(cloud.vcpus)
    later.clock_s, later.queue.time_limits = cloud.clock_s, cloud.queue.time_limits
    records, tokens = pickle.loads(pickle.dumps((cloud.moto._jobs, consumables.of_backend(cloud.moto))))
    later.moto._jobs.update(records)
    consumables.of_backend(later.moto).update(tokens)
    later.scheduler.recover(records.values(), find)
    later.scheduler.look()
    return later


def test_an_attempt_that_had_not_begun_is_none(cloud: FakeCloud) -> None:
    vms = cloud.tokens("vm", 1)
    cloud.submit(cloud.job("a", tokens={vms.arn: 1}))
    later = restarted(cloud, lambda _: Gone.NEVER_BEGAN)
    assert later.states("a") == ["RUNNABLE", "STARTING"]
    assert len(later.moto._jobs["a"].attempts) == 1
    assert [one.in_use for one in consumables.of_backend(later.moto).values()] == [1]
    later.end("a")
    assert later.status("a") == "SUCCEEDED"


def test_one_that_was_asked_to_stop_and_had_not_begun_ends(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("a"))
    cloud.scheduler.terminate(cloud.moto._jobs["a"], "enough")
    later = restarted(cloud, lambda _: Gone.NEVER_BEGAN)
    assert (later.status("a"), later.reason("a")) == ("FAILED", "enough")


def test_the_time_of_a_job_that_blocks_goes_on_over_a_restart(cloud: FakeCloud) -> None:
    cloud.queue.time_limits = [LIMIT]
    cloud.submit(cloud.job("huge", vcpus=64))
    cloud.clock_s += 500
    later = restarted(cloud)
    assert later.states("huge") == []
    later.clock_s += 100
    later.scheduler.look()
    assert later.status("huge") == "FAILED"


def test_a_job_that_was_asked_to_stop_is_asked_again_after_a_restart(cloud: FakeCloud) -> None:
    record = cloud.job("a")
    cloud.submit(record)
    cloud.scheduler.terminate(record, "enough")
    found = Attempt(record)
    later = restarted(cloud, lambda _: found)
    assert found.stopped
    later.end("a", 143)
    assert later.reason("a") == "enough"


def test_what_shares_have_used_is_known_after_a_restart(cloud: FakeCloud) -> None:
    cloud.submit(cloud.job("a", share="s"))
    cloud.moto._jobs["a"].attempts[0]["startedAt"] = 900_000
    cloud.end("a")
    (use,) = cloud.moto._jobs["a"].past_use()
    assert (use.share, use.vcpus, use.start_s, use.end_s) == ("s", 1, 900, 1000)
    assert [known.share for known in cloud.scheduler._past] == ["s"]
    assert list(restarted(cloud).scheduler._past) == [use]


LEGAL = {
    "SUBMITTED": {"PENDING", "RUNNABLE", "FAILED"},
    "PENDING": {"RUNNABLE", "FAILED"},
    "RUNNABLE": {"STARTING", "FAILED"},
    "STARTING": {"RUNNING", "RUNNABLE", "SUCCEEDED", "FAILED"},
    "RUNNING": {"RUNNABLE", "SUCCEEDED", "FAILED"},
}


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_every_job_ends_once_and_nothing_is_left_held(seed: int) -> None:
    """Random jobs, ends, cancellations and restarts; what the world was told is a legal way for each job."""
    rng = random.Random(seed)
    cloud = FakeCloud(vcpus=6)
    vms = cloud.tokens("vm", 2)
    told: defaultdict[str, list[str]] = defaultdict(list)
    for number in range(30):
        name = str(number)
        before = {str(rng.randrange(number))} if number and rng.random() < 0.3 else set()
        more = {
            "tokens": {vms.arn: 1} if rng.random() < 0.3 else {},
            "retry_strategy": {"attempts": rng.choice([1, 3])},
        }
        if rng.random() < 0.2:
            cloud.submit(*cloud.array(name, 3, **more))
        else:
            cloud.submit(cloud.job(name, rng.choice([1, 2, 6]), waits_for=before, **more))
    for _ in range(3_000):
        live = [record for record in cloud.moto._jobs.values() if not record.has_ended]
        if not live:
            break
        record, dice = rng.choice(live), rng.random()
        if record.placement is not None and dice < 0.4:
            cloud.scheduler.running(record)
        elif record.placement is not None:
            cloud.end(record.job_id, rng.choice([0, 0, 1]))
        elif dice < 0.02:
            cloud.scheduler.cancel(record, "cancelled")
        elif dice < 0.04:
            cloud.scheduler.terminate(record, "terminated")
        elif dice < 0.06:
            note(told, cloud)
            cloud = restarted(cloud)
        cloud.scheduler.look()
    note(told, cloud)
    assert all(record.has_ended for record in cloud.moto._jobs.values())
    assert [one.in_use for one in consumables.of_backend(cloud.moto).values()] == [0]
    for name, states in told.items():
        assert states[0] == "SUBMITTED"
        for old, new in pairwise(states):
            of_parents = {"SUCCEEDED"} if cloud.moto._jobs[name].is_array else set()
            assert new in LEGAL[old] | of_parents, (name, states)
        attempts = cloud.moto._jobs[name].attempts
        assert all("stoppedAt" in attempt for attempt in attempts)
        assert len(attempts) == states.count("STARTING")


def note(told: defaultdict[str, list[str]], cloud: FakeCloud) -> None:
    for what, job_id, status, _ in cloud.told:
        if what == "changed":
            told[job_id].append(status)
    cloud.told.clear()


def test_a_scheduler_that_stops_changes_no_record_any_more(cloud: FakeCloud) -> None:
    record = cloud.job("a")
    cloud.submit(record)
    cloud.scheduler.start()
    cloud.scheduler.stop()
    cloud.end("a", 137)
    assert (record.status, record.placement) == ("STARTING", Placement(ENVIRONMENT_ARN))


def test_the_thread_wakes_by_itself_for_what_changes(cloud: FakeCloud) -> None:
    cloud.scheduler.start()
    record = cloud.job("a")
    cloud.moto._jobs["a"] = record
    cloud.scheduler.submit([record])
    deadline = time.monotonic() + 5
    while "a" not in cloud.attempts and time.monotonic() < deadline:
        time.sleep(0.005)
    cloud.scheduler.stop()
    assert cloud.attempts["a"].started


def test_ten_thousand_waiting_jobs_cost_little_more_than_looking_at_them(cloud: FakeCloud) -> None:
    cloud.submit(*(cloud.job(str(number)) for number in range(10_000)))
    started = time.process_time()
    for number in range(100):
        cloud.end(str(number))
    assert (time.process_time() - started) / 100 < 0.1
    assert len(cloud.attempts) == 104

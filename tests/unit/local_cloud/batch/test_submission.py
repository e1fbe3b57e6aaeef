"""From a SubmitJob request to records."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from moto.batch.exceptions import ClientException

from local_cloud.batch import consumables, submission
from local_cloud.batch.record import JobRecord

CONTAINER = {"image": "i", "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "64"}]}


@pytest.fixture
def backend() -> Any:
    definition = SimpleNamespace(
        arn="arn:d:1", name="d", status="ACTIVE", type="container", parameters={"a": "1", "b": "2"},
        container_properties=CONTAINER, node_properties=None, retry_strategy={"attempts": 3}, propagate_tags=None,
        timeout={"attemptDurationSeconds": 90}, platform_capabilities=None, scheduling_priority=4, consumables=None,
    )  # fmt: skip
    queue = SimpleNamespace(arn="arn:q", name="q", state="ENABLED", schedule_policy="arn:policy")
    return SimpleNamespace(
        account_id="123456789012",
        region_name="us-east-1",
        _jobs={},
        definition=definition,
        get_job_definition=lambda name: definition if name == "d" else None,
        get_job_queue=lambda name: queue if name == "q" else None,
    )


def submitted(backend: Any, **more: Any) -> list[JobRecord]:
    given = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d", "shareIdentifier": "s", **more}
    records = submission.records(backend, given)
    backend._jobs.update({record.job_id: record for record in records})
    return records


def test_what_a_submission_leaves_out_is_its_definitions(backend: Any) -> None:
    (record,) = submitted(backend, parameters={"b": "3"})
    assert record.parameters == {"a": "1", "b": "3"}
    assert (record.timeout_s, record.retry_strategy, record.scheduling_priority) == (90, {"attempts": 3}, 4)
    (record,) = submitted(
        backend,
        timeout={"attemptDurationSeconds": 60},
        retryStrategy={"attempts": 1},
        schedulingPriorityOverride=0,
    )
    assert (record.timeout_s, record.retry_strategy, record.scheduling_priority) == (60, {"attempts": 1}, 0)


def test_numbers_grow_with_every_job_and_child(backend: Any) -> None:
    first = submitted(backend, arrayProperties={"size": 3})
    second = submitted(backend)
    numbers = [record.number for record in (*first, *second)]
    assert numbers == sorted(set(numbers))


def test_children_wait_for_what_their_array_waits_for_and_for_their_own(backend: Any) -> None:
    (single,) = submitted(backend)
    other, *_ = submitted(backend, arrayProperties={"size": 3})
    depends_on = [{"jobId": single.job_id}, {"jobId": other.job_id, "type": "N_TO_N"}, {"type": "SEQUENTIAL"}]
    parent, *children = submitted(backend, arrayProperties={"size": 3}, dependsOn=depends_on)
    assert parent.children == {"SUBMITTED": 3}
    assert children[0].waits_for == {single.job_id, f"{other.job_id}:0"}
    assert children[2].waits_for == {single.job_id, f"{other.job_id}:2", f"{parent.job_id}:1"}
    assert children[1].waits_for is not children[0].waits_for
    assert children[1].attempts is not children[0].attempts


def test_overriding_tokens_replaces_those_of_the_definition(backend: Any) -> None:
    one, two = (consumables.new(backend, name, None, 1, 0) for name in ("one", "two"))
    backend.definition.consumables = {"consumableResourceList": [{"consumableResource": "one", "quantity": 1}]}
    override = {"consumableResourceList": [{"consumableResource": two.arn, "quantity": 2}]}
    assert [record.tokens for record in submitted(backend)] == [{one.arn: 1}]
    assert [record.tokens for record in submitted(backend, consumableResourcePropertiesOverride=override)] == [
        {two.arn: 2}
    ]


def test_records_are_plain_data(backend: Any) -> None:
    records = submitted(backend, arrayProperties={"size": 2}, tags={"a": "b"})
    assert pickle.loads(pickle.dumps(records)) == records


def test_nothing_is_kept_of_a_refused_submission(backend: Any) -> None:
    with pytest.raises(ClientException):
        submitted(backend, arrayProperties={"size": 10_001})
    assert backend._jobs == {}

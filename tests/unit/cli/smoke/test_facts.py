"""Each fact is judged by what was seen, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from cli.smoke import facts
from cli.smoke.numbers import PublishedMetric
from cli.smoke.seen import Seen
from tests.unit.cli.smoke.runs import at, entered, good, machine, run_machine, task, waited

DENIED = "User: r is not authorized to perform: {} on resource: x"


def verdicts(seen: Seen) -> dict[str, str]:
    return {fact.name: finding.verdict for fact, finding in facts.judged(seen)}


def with_run(*events: dict[str, Any], **changes: Any) -> Seen:
    """A run that failed after its publishing, and no other one."""
    given = {"machines": {**good().machines, "run": run_machine(*events, status="FAILED")}, "failing": None}
    return good(**given, **changes)


def failed(service: str, error: str, cause: str) -> list[dict[str, Any]]:
    return [entered("S", 95), task("Scheduled", service, 95), task("Failed", service, 96, error=error, cause=cause)]


def test_what_a_good_run_shows_and_what_it_cannot() -> None:
    found = verdicts(good())
    assert {name for name, verdict in found.items() if verdict == "holds"} == {
        "sync-grants",
        "no-list-tags",
        "image-unread",
        "metrics-in-time",
        "gpu-quota",
        "batch-cause",
    }
    assert "does not hold" not in found.values()


def test_an_emulator_shows_nothing_of_aws() -> None:
    found = list(facts.judged(good(is_aws=False)))
    assert {finding.verdict for _, finding in found} == {"not AWS", "not seen"}
    told = next(finding.what for fact, finding in found if fact.name == "sync-grants")
    assert told.startswith("says nothing about AWS; seen here: ")


def test_nothing_holds_of_which_nothing_was_seen() -> None:
    nothing = Seen(is_aws=True, dropped_at=at(0), items=good().items.__class__("r"))
    assert set(verdicts(nothing).values()) == {"not seen"}


CASES: list[Any] = [
    pytest.param("sync-grants", with_run(*failed("batch", "Batch", DENIED.format("events:PutRule"))), "does not hold"),
    pytest.param(
        "sync-grants",
        with_run(entered("S", 95), task("SubmitFailed", "states", 95, error="AccessDenied", cause="no")),
        "does not hold",
    ),
    pytest.param("sync-grants", with_run(*failed("lambda", "Boom", "a bug")), "not seen"),
    pytest.param(
        "no-list-tags", with_run(*failed("sagemaker", "S", DENIED.format("sagemaker:ListTags"))), "does not hold"
    ),
    pytest.param("no-list-tags", good(transform={"TransformJobStatus": "InProgress"}), "not seen"),
    pytest.param("no-list-tags", good(inference={}), "not seen"),
    pytest.param(
        "package-group",
        with_run(*failed("lambda", "AccessDenied", DENIED.format("sagemaker:X") + "/model-package-group/g")),
        "does not hold",
    ),
    pytest.param("image-unread", with_run(*failed("lambda", "A", DENIED.format("ecr:GetImage"))), "does not hold"),
    pytest.param("image-unread", good(package={}), "not seen"),
    pytest.param("batch-cause", with_run(*failed("batch", "States.TaskFailed", '{"JobId": "j"}')), "holds"),
    pytest.param("batch-cause", with_run(*failed("batch", "States.TaskFailed", '{"JobId": "j')), "does not hold"),
    pytest.param("batch-cause", with_run(*failed("lambda", "States.TaskFailed", "{}")), "not seen"),
    pytest.param("metrics-in-time", good(metric=None), "not seen"),
    pytest.param(
        "metrics-in-time",
        good(metric=PublishedMetric("recall", 1.0, None, at(91))),
        "does not hold",
        id="the verdict had no number of CloudWatch's",
    ),
    pytest.param("gpu-quota", good(quotas={"P": 192.0, "P on Spot": 0.0}), "not seen"),
    pytest.param("gpu-quota", good(quotas={"P": 0.0, "P on Spot": "AccessDenied"}), "not seen"),
    pytest.param("gpu-launch", good(host_types=["p4d.24xlarge"]), "not seen", id="a host that was there already"),
    pytest.param(
        "gpu-launch",
        good(host_types=["p4d.24xlarge"], job={**good().job, "startedAt": int(at(402).timestamp() * 1000)}),
        "holds",
    ),
    pytest.param(
        "gpu-launch",
        good(host_types=["p4d.24xlarge"], job={**good().job, "startedAt": int(at(1502).timestamp() * 1000)}),
        "does not hold",
    ),
    pytest.param(
        "throttling-names",
        with_run(*failed("sagemaker", "SageMaker.SageMakerException", "Rate exceeded")),
        "holds",
    ),
    pytest.param(
        "throttling-names",
        with_run(*failed("batch", "Batch.TooManyRequestsException", "Rate exceeded")),
        "does not hold",
    ),
    pytest.param(
        "host-lost",
        good(job={**good().job, "attempts": [{"statusReason": "Host EC2 (instance i-1) terminated."}]}),
        "holds",
    ),
    pytest.param("task-timeout", with_run(entered("S", 95), task("TimedOut", "batch", 99)), "not seen"),
    pytest.param(
        "task-timeout",
        with_run(entered("S", 95), task("TimedOut", "batch", 99), job={**good().job, "status": "RUNNING"}),
        "holds",
    ),
]


@pytest.mark.parametrize(("fact", "seen", "verdict"), CASES)
def test_a_fact(fact: str, seen: Seen, verdict: str) -> None:
    assert verdicts(seen)[fact] == verdict


def test_a_transform_that_was_not_waited_for_shows_no_grant() -> None:
    cut = machine("inference", waited("Transform", "sagemaker", 108, 300)[:3], 107, None, status="RUNNING")
    assert verdicts(good(machines={**good().machines, "inference": cut}))["sync-grants"] == "not seen"


def test_facts_have_names_and_places_of_their_own() -> None:
    assert len({fact.name for fact in facts.FACTS}) == len(facts.FACTS)
    assert all(fact.source and fact.statement for fact in facts.FACTS)

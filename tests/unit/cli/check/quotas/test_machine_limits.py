"""Machines that would not fit: payloads, requests and histories, each exceeded by one change in a definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from cli.check.quotas import history, machines
from cli.check.quotas.deployments import Project
from cli.check.quotas.meter import Meter
from cli.check.quotas.product import Product
from tests.unit.cli.check.quotas.conftest import written
from turbine.domain import job_end

TRAINING, RUN, PROMOTION, INFERENCE = (
    f"state_machines/{name}.asl.yaml" for name in ("training", "run", "promotion", "inference")
)
COUNTED = 'submissions: "{% $submissions + 1 %}"'
JOB_NAME = 'JobName: "{% $run.run_id %}"'

CHANGES: dict[str, tuple[str, str, str]] = {
    "definition": (PROMOTION, "Comment: The same promotion_id", f"Comment: {'x' * 1024**2} The same promotion_id"),
    "payload": (INFERENCE, "status: SKIPPED", f"status: {'x' * 262_144}"),
    "variables": (TRAINING, "$substring($states.errorOutput.Error, 0, 64)", "$states.errorOutput.Error"),
    "execution-name": (RUN, "& '-r' & $string($states.context", f"& '{'x' * 20}' & $string($states.context"),
    "error-name": (TRAINING, "Error: IngestNotAvailable", f"Error: {'x' * 257}"),
    "cause": (TRAINING, "Cause: This release trains", f"Cause: {'x' * 32_768} trains"),
    "inline-map": (TRAINING, "MaxConcurrency: 0", "MaxConcurrency: 41"),
    "function-payload": (RUN, 'error: "{% $failure.error %}"', f"error: {'x' * 6 * 1024**2}"),
    "transform-name": (INFERENCE, "$job.transform_name & '-r'", "$job.transform_name & '-redrive'"),
    "transform-payload": (INFERENCE, "MaxPayloadInMB: 6", "MaxPayloadInMB: 26"),
    "event-entry": (RUN, "DetailType: TrainingStarted", f"DetailType: {'x' * 262_144}"),
    "item": (RUN, '        fencing: {N: "1"}', f"        fencing: {{S: {'x' * 409_600}}}"),
    "job-name": (RUN, JOB_NAME, f"JobName: {'x' * 129}"),
    "job-request": (RUN, 'JobDefinition: "{% $run.job_definition %}"', f"JobDefinition: {'x' * 30 * 1024}"),
    "job-overrides": (RUN, "{Name: TURBINE_RUN_SPEC,", f"{{Name: {'x' * 8192},"),
}  # fmt: skip
"""By limit: the file, a text in it, and what stands for it."""

WAIT_ANEW = "      wait_s: 5\n      is_judged: true\n      is_trained:"
JUDGED_ANEW = '      is_judged: false\n      wait_s: "{% $min'
HISTORIES = {
    "retries": (TRAINING, "MaxAttempts: 3", "MaxAttempts: 4"),
    "looked at too often": (RUN, "$min([$ceil(1.25 * $wait_s), 3600])", "$min([2 * $wait_s, 600])"),
    "nothing counts": (RUN, 'takeovers: "{% $takeovers + 1 %}"', 'takeovers: "{% $takeovers %}"'),
    "nothing stops": (RUN, "{% $takeovers < 5 %}", "{% $takeovers >= 0 %}"),
    "another way round": (RUN, "    Default: ClaimKeepsChanging\n", "    Default: TakeOverClaim\n"),
    "compared without end": (RUN, 'comparisons: "{% $comparisons + 1 %}"', "comparisons: 1"),
    "counted from the start again": (RUN, "      package:", "      comparisons: 0\n      package:"),
    "looked at from the start again": (RUN, "      is_judged: true\n      is_trained:", WAIT_ANEW),
    "judged for the first time again": (RUN, '      wait_s: "{% $min', JUDGED_ANEW),
    "compared too often": (RUN, "$comparisons < 20", "$comparisons < 400"),
    "submitted without a count": (RUN, f"{COUNTED}\n          redrives", "submissions: 0\n          redrives"),
    "judged again and again": (RUN, "      is_judged: true\n      is_trained:", "      is_trained:"),
}


def _found(project: Project, ran: Product, changes: Iterable[tuple[str, str, str]]) -> set[str]:
    texts: dict[str, list[tuple[str, str]]] = {}
    for file, before, after in changes:
        texts.setdefault(file, []).append((before, after))
    read = machines.read(replace(project, texts=written(texts)))
    meter = Meter()
    machines.measure(read, ran, meter)
    return {finding.rule.removeprefix("quota:") for finding in meter.findings()}


@pytest.fixture(scope="module")
def found_in_all(project: Project, ran: Product) -> set[str]:
    """What is found when all changes are made at once; they touch different places."""
    return _found(project, ran, CHANGES.values())


@pytest.mark.parametrize("limit", CHANGES)
def test_a_change_that_exceeds_a_limit_is_found(found_in_all: set[str], limit: str) -> None:
    assert limit in found_in_all


def test_what_cannot_be_evaluated_is_no_proof(project: Project, ran: Product) -> None:
    assert _found(project, ran, [(RUN, "$run.run_id & '-v'", "$run.no_such_field & '-v' & $nothing()")]) == {"payload"}


def test_as_the_machines_are_nothing_is_found(project: Project, ran: Product) -> None:
    assert _found(project, ran, []) == set()


@pytest.mark.parametrize("change", HISTORIES.values(), ids=HISTORIES)
def test_a_history_that_can_grow_too_long_is_found(
    project: Project, ran: Product, change: tuple[str, str, str]
) -> None:
    file, before, after = change
    read = machines.read(replace(project, texts=written({file: [(before, after)]})))
    meter = Meter()
    history.measure(read, ran, meter)
    (finding,) = meter.findings()
    assert (finding.rule, finding.file) == ("quota:history", file)


def test_the_histories_of_the_machines_fit(project: Project, ran: Product) -> None:
    meter = Meter()
    history.measure(machines.read(project), ran, meter)
    assert meter.findings() == []


def test_a_function_that_never_refuses_another_submission_bounds_no_loop(
    project: Project, ran: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_end, "SUBMISSIONS_MAX", 10**6)
    meter = Meter()
    history.measure(machines.read(project), ran, meter)
    (finding,) = meter.findings()
    assert "nothing bounds the loop" in finding.why


def test_a_loop_that_adds_to_a_variable_without_end_is_found(project: Project, ran: Product) -> None:
    texts = [
        (RUN, "          takeovers: 0\n", "          takeovers: 0\n          told: x\n"),
        (RUN, 'takeovers: "{% $takeovers + 1 %}"', "takeovers: 1\n          told: \"{% $told & 'again' %}\""),
    ]
    assert _found(project, ran, texts) == {"variables"}


def test_machines_that_start_each_other_are_read(project: Project) -> None:
    started = {"A": {"B"}, "B": {"A", "C"}, "C": set[str]()}
    assert [machines._depth(name, started) for name in "ABC"] == [3, 2, 1]
    assert list(machines.read(project))[-1] == "TrainingMachine"

"""Code and schemas that would not fit: what the use cases write, tell and ask for, each exceeded by one change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from cli.check.quotas import largest, limits, machines, product, proof, writes
from cli.check.quotas.deployments import Project
from cli.check.quotas.meter import Meter
from cli.check.quotas.product import Product
from tests.unit.cli.check.quotas import test_machine_limits as in_machines
from tests.unit.cli.check.quotas import test_template_limits as in_templates
from turbine.domain import inference, job_end, manifest, names, outcome, registry, rejection
from turbine.domain.metrics import Metrics
from turbine.domain.rules import slices
from turbine.domain.run import MetricsTarget
from turbine.usecases import claims, prepare_training, record_outcome
from turbine.usecases.compare_models import CompareModels

ROOT = Path(__file__).parents[5]
Patch = Callable[[pytest.MonkeyPatch], None]


class _LooseMetrics(Metrics):
    test: dict[str, float]


class _LargerBatch(manifest.BatchManifest):
    runs: Annotated[list[dict[str, Any]], Field(max_length=3000)]


def _set(target: Any, name: str, value: Any) -> Patch:
    return lambda patch: patch.setattr(target, name, value)


def _both(*patches: Patch) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        for one in patches:
            one(patch)

    return apply


def _dimensions(patch: pytest.MonkeyPatch) -> None:
    ask = CompareModels._measured

    def more(self: CompareModels, metrics: Any, target: MetricsTarget) -> Any:
        return ask(self, metrics, MetricsTarget(namespace="n", dimensions={f"D{number}": "x" for number in range(31)}))

    patch.setattr(CompareModels, "_measured", more)


def _long(length: int) -> Callable[..., str]:
    return lambda *_: "x" * length


CODE: dict[str, Patch] = {
    "item": _both(_set(outcome, "LOG_TAIL_MAX_BYTES", 10**9), _set(outcome, "LOG_LINE_MAX", 10_000)),
    "event-entry": _set(outcome, "LOG_TAIL_MAX_BYTES", 10**9),
    "notification": _both(_set(outcome, "LOG_TAIL_MAX_BYTES", 10**9), _set(outcome, "LOG_LINE_MAX", 10_000)),
    "subject": _both(_set(names, "RUN_ID_MAX", 150), _set(record_outcome, "SUBJECT_MAX", 1000)),
    "partition-key": _set(claims, "execution_key", lambda _: ("x" * 2049, "INFERENCE")),
    "sort-key": _set(names, "inference_id", _long(1025)),
    "object-key": _set(registry, "archive_key", _long(1025)),
    "model-name": _set(names, "model_name", _long(64)),
    "metadata": _set(registry, "metadata", lambda *_: {f"k{number}": "v" for number in range(51)}),
    "dimensions": _dimensions,
    "cause": _set(job_end, "WORDS_MAX", 10**6),
}
"""By limit: what is written otherwise in the product."""


def _found(ran: Product) -> set[str]:
    meter = Meter()
    writes.measure(ran, meter)
    return {finding.rule.removeprefix("quota:") for finding in meter.findings()}


def test_predictions_of_an_input_with_any_key_that_s3_takes_do_not_fit(
    ran: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "INPUT_KEY_MAX_BYTES", 1024)
    assert "object-key" in _found(product.run(ran.stack, ran.image))


@pytest.mark.parametrize("limit", CODE)
def test_a_change_that_exceeds_a_limit_is_found(ran: Product, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CODE[limit](monkeypatch)
    assert limit in _found(product.run(ran.stack, ran.image))


def test_more_metrics_than_a_call_takes_are_found(ran: Product) -> None:
    query = ran.training.queries[0][0]
    asked = replace(ran, training=replace(ran.training, queries=[[query] * 1001]))
    assert _found(asked) == {"metric-queries", "metric-data"}


def test_an_event_that_a_function_cannot_be_handed_is_found(ran: Product) -> None:
    assert ran.spec is not None
    spec = ran.spec.model_copy(update={"output_uri": f"s3://b/{'x' * 262_144}/"})
    assert _found(replace(ran, spec=spec)) == {"function-event", "notification"}


SLICES_SEEN = slices.evidence
PAYLOADS: dict[str, Patch] = {
    "texts of a refusal": _set(rejection, "TEXT_MAX", 2000),
    "refusals that are answered": _both(
        _set(prepare_training, "REPLIED_REFUSALS_MAX", 1000), _set(rejection, "TEXT_MAX", 400)
    ),
    "slices of a verdict": _set(slices, "evidence", lambda *told: SLICES_SEEN(*told) * 3),
    "runs of a batch manifest": _set(manifest, "BatchManifest", _LargerBatch),
}


@pytest.mark.parametrize("patch", PAYLOADS.values(), ids=PAYLOADS)
def test_a_reply_too_large_for_a_machine_is_found(
    project: Project, ran: Product, patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(monkeypatch)
    meter = Meter()
    machines.measure(machines.read(project), product.run(ran.stack, ran.image), meter)
    assert {finding.rule for finding in meter.findings()} >= {"quota:payload"}


def test_a_schema_that_bounds_something_no_more_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "Metrics", _LooseMetrics)
    ((finding,), measures) = proof.of_project(ROOT)
    assert (finding.rule, measures) == ("quota:unbounded", [])
    assert "_LooseMetrics.test has no largest size" in finding.what


def test_every_limit_of_the_table_has_a_change_that_exceeds_it() -> None:
    by_hand = {"metric-queries", "metric-data", "function-event", "history"}
    named = {*CODE, *by_hand, *in_machines.CHANGES, *in_templates.CHANGES}
    named |= {*in_templates.LOOSE_STACK_NAME, *in_templates.PER_TEAM}
    assert named == set(limits.table())


def test_as_the_code_is_nothing_is_found(ran: Product) -> None:
    assert _found(ran) == set()

"""From the details of the demo's runs to what the report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli.cloud import Cloud
from cli.demo.details import RunDetails
from cli.report.model import Comparison, Epoch, Predictions, Report, RunReport
from cli.report.work import seconds_by_work

# Source: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
ANSWER_FIELD = "SageMakerOutput"


def report_of(cloud: Cloud, runs: Sequence[RunDetails], wall_s: float, split_s: Mapping[str, float]) -> Report:
    """The demo's report, on the `run` machine as it is deployed."""
    machine_arn = cloud.output("RunMachineArn")
    machine = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=machine_arn)
    return Report(
        title="Turbine demo",
        created_at=datetime.now(UTC),
        wall_s=wall_s,
        runs=[_run(run) for run in runs],
        definition=json.loads(machine["definition"]),
        machine_name=machine["name"],
        split_s=split_s,
        work_s=seconds_by_work(execution for run in runs for execution in run.executions),
    )


def _run(run: RunDetails) -> RunReport:
    items, inference = run.ended.items, run.ended.inference or {}
    decision = items.decision if items else {}
    outcome = items.outcome if items else {}
    rule = decision.get("rule") or {}
    return RunReport(
        team=run.team,
        round=run.round,
        run_id=run.ended.run_id or "refused",
        status=run.ended.status,
        verdict=run.ended.verdict,
        reason=str(decision.get("reason") or outcome.get("cause") or _refusal(run)),
        recipe=_recipe(run.provenance),
        rule=rule,
        comparisons=_comparisons(run.metrics, decision, str(rule.get("metric"))),
        delta=decision.get("delta"),
        data_version=str((run.provenance.get("dataset") or {}).get("version", "")),
        provenance=_provenance(run),
        epochs=[_epoch(entry) for entry in run.metrics.get("epochs", [])],
        predictions=Predictions(
            inference["predictions_uri"], int(inference["records"]), [_shortened(line) for line in run.sample]
        )
        if run.ended.predicted
        else None,
        executions=run.executions,
    )


def _shortened(line: str) -> str:
    """A joined prediction without the input's fields but its first, which identifies it."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or ANSWER_FIELD not in record:
        return line
    name, value = next(iter(record.items()))
    answer = json.dumps(record[ANSWER_FIELD], ensure_ascii=False)
    return f'{{"{name}": {json.dumps(value)}, …, "{ANSWER_FIELD}": {answer}}}'


def _refusal(run: RunDetails) -> str:
    return "; ".join(f"{item.get('field')}: {item.get('problem')}" for item in run.ended.rejections)


def _recipe(provenance: Mapping[str, Any]) -> str:
    recipe = provenance.get("recipe") or {}
    values = ", ".join(f"{name} {value}" for name, value in (recipe.get("hyperparameters") or {}).items())
    return f"{recipe.get('name', '')}: {values}" if values else str(recipe.get("name", ""))


def _comparisons(metrics: Mapping[str, Any], decision: Mapping[str, Any], rule_metric: str) -> list[Comparison]:
    """Every test metric of the challenger, the deciding one first; the champion's where the verdict has it."""
    champion = (decision.get("champion") or {}).get("metrics") or {}
    baseline = metrics.get("baseline") or {}
    rows = [
        Comparison(
            metric=name,
            challenger=value,
            champion=(champion.get(name) or {}).get("file"),
            baseline=baseline.get(name),
            decides=name == rule_metric,
        )
        for name, value in (metrics.get("test") or {}).items()
    ]
    return sorted(rows, key=lambda row: not row.decides)


def _provenance(run: RunDetails) -> dict[str, str]:
    items = run.ended.items
    dvc = run.published.get("dvc") or {}
    facts = {
        "manifest": items.record.get("manifest_uri") if items else None,
        "run spec": items.record.get("spec_uri") if items else None,
        "model archive": run.published.get("model_data_uri"),
        "DVC file": run.published.get("dvc_file_uri"),
        "DVC md5": dvc.get("md5"),
        "provenance": run.published.get("provenance_uri"),
        "model package": items.package.get("model_package_arn") if items else None,
        "seed": run.provenance.get("seed"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _epoch(entry: Mapping[str, Any]) -> Epoch:
    return Epoch(
        number=int(entry["epoch"]),
        train_loss=float(entry["train_loss"]),
        validation_loss=float(entry["validation_loss"]),
        validation=entry.get("validation") or {},
    )

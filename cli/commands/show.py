"""`turbine show RUN`: everything that is known of one run, and where to look further."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from cli.cloud import Cloud
from cli.commands import options
from cli.commands.operate import require_run
from cli.observe import executions
from cli.observe.artifacts import Artifacts
from cli.observe.records import Item, Records, RunItems
from cli.terminal import Terminal, status_text


def show(
    run: Annotated[str, typer.Argument(help="The run's id, as `turbine runs` lists it.")],
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """Show one run: its cause, its decision with the numbers, its outcome and its predictions."""
    terminal = Terminal(json_only)
    cloud = Cloud.from_environment(stack)
    records = Records(cloud)
    items = require_run(cloud, run)
    inference = records.inference_of(items.team, run)
    links = _links(cloud, items, inference)
    published = _published(cloud, items)
    if json_only:
        terminal.print_json(_as_json(items, inference, links, published))
    else:
        _print(terminal, items, inference, links, published)


def _published(cloud: Cloud, items: RunItems) -> dict[str, Any]:
    """`published.json`. Before a run is registered it is nothing."""
    published = Artifacts(cloud).document(items.team, items.run_id, "published.json") if items.package else None
    return published or {}


def _links(cloud: Cloud, items: RunItems, inference: Item | None) -> dict[str, str]:
    """The executions that worked for this run."""
    run_arn = executions.execution_arn(cloud.output("RunMachineArn"), items.run_id)
    links = {
        "training execution": items.record.get("training_execution_arn"),
        "run execution": items.outcome.get("execution_arn") or items.claim.get("owner") or run_arn,
        "inference execution": (inference or {}).get("owner"),
    }
    return {name: str(arn) for name, arn in links.items() if arn}


def _as_json(
    items: RunItems, inference: Item | None, links: dict[str, str], published: dict[str, Any]
) -> dict[str, Any]:
    return {
        "run_id": items.run_id,
        "team": items.team,
        "status": items.status,
        "decision": items.verdict,
        "record": items.record,
        "claim": items.claim or None,
        "verdict": items.decision or None,
        "package": items.package or None,
        "epochs": published.get("epochs") or {},
        "epochs_not_reached": published.get("epochs_not_reached") or [],
        "outcome": items.outcome or None,
        "predictions": inference,
        "executions": links,
    }


def _print(
    terminal: Terminal, items: RunItems, inference: Item | None, links: dict[str, str], published: dict[str, Any]
) -> None:
    out = terminal.out
    out.print(items.run_id, status_text(items.status), status_text(items.verdict or ""), soft_wrap=True)
    if reason := items.decision.get("reason"):
        terminal.print_lines(["", str(reason)])
    _print_numbers(terminal, items.decision)
    record = items.record
    facts = {
        "dataset": record.get("dataset"),
        "recipe": record.get("recipe"),
        "created": record.get("created_at"),
        "planned": plan_text(record),
        "trained": work_text(record, items.outcome),
        "manifest": record.get("manifest_uri"),
        "spec": record.get("spec_uri"),
        "model package": items.package.get("model_package_arn"),
        "published epochs": epochs_text(items, published),
        "epochs not reached": ", ".join(map(str, published.get("epochs_not_reached") or [])),
        "attempt": items.outcome.get("attempt"),
        "ended": items.outcome.get("ended_at"),
        "error": items.outcome.get("error"),
        "cause": items.outcome.get("cause"),
        "failed as": items.outcome.get("failure_class"),
        "next": items.outcome.get("next_step"),
        **links,
    }
    if inference:
        facts["predictions"] = f"{inference['status']} {inference.get('predictions_uri') or ''}".strip()
        facts["records"] = inference.get("records")
        facts["prediction error"] = inference.get("error")
    terminal.print_lines([""])
    terminal.print_lines([f"{name + ':':<21}{value}" for name, value in facts.items() if value not in (None, "")])
    if items.status not in ("RUNNING", "SUCCEEDED") and (tail := items.outcome.get("log_tail")):
        lines = tail if isinstance(tail, list) else str(tail).splitlines()
        terminal.print_lines(["", "last lines of the job's log:", *(f"  {line}" for line in lines)])


def _print_numbers(terminal: Terminal, decision: Item) -> None:
    """A row for each metric of the verdict, and the rule."""
    challenger = (decision.get("challenger") or {}).get("metrics") or {}
    if not challenger:
        return
    champion = (decision.get("champion") or {}).get("metrics") or {}
    baseline, rule = decision.get("baseline") or {}, decision.get("rule") or {}
    terminal.print_lines([""])
    terminal.print_table(
        ("metric", "challenger", "champion", "baseline"),
        [
            (
                f"{name} *" if name == rule.get("metric") else name,
                number(value.get("file")),
                number((champion.get(name) or {}).get("file")),
                number(baseline.get(name)),
            )
            for name, value in challenger.items()
        ],
    )
    terminal.print_lines([f"* decides: {rule_text(rule)}; difference {number(decision.get('delta'))}"])
    source = str((decision.get("champion") or {}).get("source", ""))
    if "/champions/" in source:
        terminal.print_lines([f"  the champion was measured on this run's test rows: {source}"])
    if seen := decision.get("evidence"):
        terminal.print_lines([evidence_text(seen)])
    for guardrail in decision.get("slices") or []:
        _print_slices(terminal, guardrail)


def _print_slices(terminal: Terminal, guardrail: Item) -> None:
    """A row for each value of a column that a guardrail looked at."""
    column, metric = plain(guardrail["column"]), guardrail["metric"]
    terminal.print_lines(
        ["", f"{metric} by {column}, which may not worsen by more than {guardrail['max_worsening']:g}:"]
    )
    terminal.print_table(
        ("slice", "rows", "challenger", "champion", "judged"),
        [
            (
                Text(slice_text(one)),
                f"{one['rows']:g}",
                number(one["challenger"]),
                number(one["champion"]),
                "yes" if one["is_judged"] else f"no, fewer than {guardrail['min_rows']:g}",
            )
            for one in guardrail["slices"]
        ],
    )


def epochs_text(items: RunItems, published: dict[str, Any]) -> str | None:
    """Which epochs' models were published, how good each was on the validation rows, and how to get one."""
    epochs = published.get("epochs")
    if not epochs:
        return None
    metric = (items.decision.get("rule") or {}).get("metric")
    scores = {epoch: (one.get("validation") or {}).get(metric) for epoch, one in epochs.items()}
    told = [epoch if score is None else f"{epoch} ({metric} {number(score)})" for epoch, score in scores.items()]
    version = items.package.get("model_version", "VERSION")
    return f"{', '.join(told)}: turbine pull {items.team}@{version} DEST --epoch {next(iter(epochs))}"


def plan_text(record: Item) -> str | None:
    """A run's place in the fleet's plan, as it was expected when the run was prepared."""
    plan = record.get("plan")
    if not plan:
        return None
    nodes = int(record["nodes"])
    return (
        f"{nodes} VM{'s' if nodes > 1 else ''} from {plan['starts_at'][:16]}Z to {plan['ends_at'][:16]}Z, "
        f"estimated at {float(plan['cost_usd']):.2f} USD"
    )


def work_text(record: Item, outcome: Item) -> str | None:
    """What a run took, beside what its plan expected; its price is the plan's."""
    plan, trained_s = record.get("plan"), outcome.get("trained_s")
    if not plan or not trained_s or not plan["hours"]:
        return None
    hours, nodes = float(trained_s) / 3600, int(record["nodes"])
    cost_usd = float(plan["cost_usd"]) / float(plan["hours"]) * hours
    return f"{hours:.2f} h on {nodes} VM{'s' if nodes > 1 else ''}, about {cost_usd:.2f} USD"


def slice_text(one: Item) -> str:
    """The name of a slice: a value, none, or how many are folded into it."""
    if one.get("folded"):
        return f"({one['folded']:g} rarer values)"
    return "(missing)" if one["value"] is None else plain(one["value"])


def plain(text: str) -> str:
    """A text from the data without what a terminal would obey."""
    return text if text.isprintable() else repr(text)


def number(value: Any) -> str:
    """A metric for people: six significant digits, or a dash."""
    return f"{value:.6g}" if isinstance(value, int | float) else "–"


def evidence_text(seen: Item) -> str:
    """What a bootstrap saw, in one line."""
    return (
        f"  drawn {seen['resamples']:g} times from {seen['rows']:g} rows in {seen['blocks']:g} blocks: between "
        f"{number(seen['lower'])} and {number(seen['upper'])}, each at {number(seen['confidence'])}; "
        f"better in {seen['share_better']:.1%}"
    )


def rule_text(rule: Item) -> str:
    """A rule in one line."""
    text = f"{rule.get('direction', '?')} {rule.get('metric', '?')} by at least {number(rule.get('min_delta'))}"
    return f"{rule.get('name', 'rule')}: {text}"

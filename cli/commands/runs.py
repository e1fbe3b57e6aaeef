"""`turbine runs`: what was asked for lately, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import threads
from cli.cloud import Cloud
from cli.commands import options
from cli.observe.records import Item, Records
from cli.terminal import Terminal, status_text

_AT_ONCE = 8


def runs(
    team: Annotated[str | None, typer.Option("--team", help="Only this team's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 20,
    stack: options.Stack = options.STACK,
    json_only: options.Json = False,
) -> None:
    """List runs and refused manifests, newest first."""
    terminal = Terminal(json_only)
    listed = listing(Records(Cloud.from_environment(stack)), team, limit)
    if json_only:
        terminal.print_json({"runs": listed})
    elif not listed:
        terminal.say("no runs yet: drop a manifest with `turbine drop FILE`")
    else:
        terminal.print_table(
            ("created", "team", "run", "status", "decision", "why"),
            [
                (
                    str(entry["created_at"])[:16].replace("T", " "),
                    entry["team"] or "",
                    entry["run_id"] or entry["manifest_uri"],
                    status_text(entry["status"]),
                    status_text(entry["decision"] or ""),
                    entry["why"] or "",
                )
                for entry in listed
            ],
        )


def listing(records: Records, team: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest runs and rejections of one team or all, each with its outcome."""
    found = [*records.newest("run", limit, team), *records.newest("rejection", limit, team)]
    found.sort(key=lambda item: str(item.get("created_at", "")), reverse=True)
    with threads.pool(_AT_ONCE) as pool:
        return list(pool.map(lambda item: _entry(records, item), found[:limit]))


def _entry(records: Records, record: Item) -> dict[str, Any]:
    entry = {name: record.get(name) for name in ("created_at", "team", "run_id", "manifest_uri")}
    if record["kind"] == "rejection":
        told = {name: record.get(name) for name in ("field", "problem", "mend")}
        refusal = f"{told['field']} {told['problem']}; {told['mend']}"
        return {**entry, **told, "status": "REFUSED", "decision": None, "why": refusal}
    items = records.run(str(record["run_id"]))
    ended_badly = items.status not in ("RUNNING", "SUCCEEDED")
    why = items.failure if ended_badly else items.decision.get("reason")
    return {**entry, "status": items.status, "decision": items.verdict, "why": why}

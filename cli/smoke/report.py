"""What `turbine smoke` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from cli.smoke import facts
from cli.smoke.cleaning import Cleaned
from cli.smoke.facts import Fact, Finding
from cli.smoke.seen import Seen
from cli.smoke.steps import Step
from cli.terminal import Terminal
from turbine.domain.capacity import PRICES_AS_OF, PRICES_USD_PER_HOUR

_STYLES = {
    "done": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "holds": "green",
    "does not hold": "bold red",
}


@dataclass(frozen=True)
class Report:
    """What became of one run. Units: `wall_s` in seconds, from making the team to having read what was seen."""

    team: str
    run_id: str
    steps: Sequence[Step]
    seen: Seen
    wall_s: float

    @property
    def succeeded(self) -> bool:
        """Whether the whole path was gone, as far as the decision led."""
        return all(step.status in ("done", "skipped") for step in self.steps)

    def facts(self) -> list[tuple[Fact, Finding]]:
        return list(facts.judged(self.seen))


def as_json(report: Report, cleaned: Sequence[Cleaned]) -> dict[str, Any]:
    """The one object of `--json`."""
    return {
        "team": report.team,
        "run_id": report.run_id,
        "is_aws": report.seen.is_aws,
        "succeeded": report.succeeded,
        "wall_s": round(report.wall_s, 3),
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "took_s": None if step.took_s is None else round(step.took_s, 3),
                "what": step.what,
            }
            for step in report.steps
        ],
        "facts": [
            {"name": fact.name, "statement": fact.statement, "source": fact.source, **_finding(finding)}
            for fact, finding in report.facts()
        ],
        **cleaned_json(cleaned),
    }


def cleaned_json(cleaned: Sequence[Cleaned]) -> dict[str, Any]:
    """What was removed, and what could not be."""
    return {
        "removed": [one.what for one in cleaned if not one.problem],
        "left": [{"what": one.what, "problem": one.problem} for one in cleaned if one.problem],
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"verdict": finding.verdict, "what": finding.what}


def show(terminal: Terminal, report: Report) -> None:
    """The steps with their times, then the facts."""
    terminal.print_table(
        ("step", "", "took", "what was seen"),
        [(step.name, _styled(step.status), _took(step), step.what) for step in report.steps],
        title=f"run {report.run_id}",
    )
    terminal.print_lines([""])
    terminal.print_table(
        ("fact", "", "what was seen"),
        [(fact.statement, _styled(finding.verdict), finding.what) for fact, finding in report.facts()],
        title="facts about AWS" if report.seen.is_aws else "facts about AWS, of which an emulator shows none",
    )


def show_cleaned(terminal: Terminal, cleaned: Sequence[Cleaned]) -> None:
    """What could not be removed."""
    for one in cleaned:
        if one.problem:
            terminal.say(f"left: {one.what}: {one.problem}")


def cost(host_types: Sequence[str]) -> str:
    """What the test will make the account pay for."""
    prices = [f"{kind} {PRICES_USD_PER_HOUR[kind]:.2f}" for kind in host_types if kind in PRICES_USD_PER_HOUR]
    known = f"; USD an hour, {PRICES_AS_OF}: {', '.join(prices)}" if prices else ""
    host = " or ".join(host_types) or "host"
    return (
        f"this launches one {host} for two jobs of a minute, which AWS Batch keeps for some minutes more, and one "
        f"instance for a transform{known}"
    )


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _took(step: Step) -> str:
    return "" if step.took_s is None else f"{step.took_s:.1f} s"

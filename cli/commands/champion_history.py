"""`turbine models TEAM --history`: which model was champion when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cli import exit_codes
from cli.errors import CommandError
from cli.terminal import Terminal
from turbine.domain.champion import Champion, Reign, reigning, reigns


def show(terminal: Terminal, history: Sequence[Champion], team: str, on: str | None) -> None:
    """Print the whole history, newest first, or who was champion on a day or at a moment.

    Raises: CommandError for a day that is none.
    """
    found = reigns(history) if on is None else reigning(history, *_span(on))
    if terminal.json_only:
        terminal.print_json({"team": team, "on": on, "history": [_as_json(reign) for reign in found]})
        return
    if not found:
        when = "yet" if on is None else f"on {on}"
        terminal.say(f"team {team} had no champion {when}")
        return
    terminal.print_table(
        ("champion", "version", "from", "until", "how", "by", "run", "why"),
        [_row(reign) for reign in reversed(found)],
    )


def _span(on: str) -> tuple[datetime, datetime]:
    """A day in UTC, from midnight to midnight, or a moment, which is UTC unless it says otherwise."""
    try:
        if len(on) == len("2026-11-23"):
            start = datetime.combine(date.fromisoformat(on), datetime.min.time(), UTC)
            return start, start + timedelta(days=1)
        moment = datetime.fromisoformat(on)
    except ValueError as error:
        raise CommandError(
            f"--on {on} is no day and no moment",
            next_step="write it as 2026-11-23 or 2026-11-23T20:15:00Z",
            exit_code=exit_codes.REFUSED,
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment, moment


def _as_json(reign: Reign) -> dict[str, Any]:
    return {**reign.champion.model_dump(), "until": reign.until}


def _row(reign: Reign) -> tuple[str, ...]:
    champion = reign.champion
    return (
        str(champion.champion_version),
        str(champion.model_version),
        champion.promoted_at[:19],
        reign.until[:19] if reign.until else "",
        champion.kind,
        champion.actor,
        champion.run_id,
        champion.reason,
    )

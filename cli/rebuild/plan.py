"""What is to be written, compared with what the table has: nothing that is there is ever written over.

Only a champion pointer that stands behind the history is moved on, as a promotion would move it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cli.rebuild.evidence import Evidence, PackageLeft
from cli.rebuild.history import History, Restored, Source, told
from turbine.domain import registry
from turbine.domain.champion import Champion, history_key
from turbine.ports import Item, Table

Status = Literal["present", "missing", "differing", "lost"]


class Line(NamedTuple):
    """One version of the history; `champion` as it will stand there, None for a `lost` one."""

    version: int
    status: Status
    champion: Champion | None
    source: Source | None = None
    unknown: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """What to write for a team. `expected`: the version of the pointer that is moved on, 0 for none.

    `obstacles` say why something that is left is not written; `notes` what else to know.
    """

    team: str
    lines: tuple[Line, ...]
    pointer: Status
    champion: Champion | None
    expected: int
    inserts: tuple[Item, ...]
    obstacles: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to write."""
        return self.champion is None and not self.inserts


def of_table(evidence: Evidence, table: Table, stored: Iterable[Champion]) -> Plan:
    """Put what is left beside what a table has; `stored` is its history."""
    current = table.get(f"TEAM#{evidence.team}", "CHAMPION")
    return compared(
        evidence,
        None if current is None else Champion.model_validate(current),
        stored,
        lambda package: table.get(f"RUN#{package.run_id}", "PACKAGE") is not None,
    )


def compared(
    evidence: Evidence, current: Champion | None, stored: Iterable[Champion], has_package: Callable[[PackageLeft], bool]
) -> Plan:
    """Put what is left beside what the table has: its champion `current`, and its history `stored`."""
    history, there = told(evidence), {champion.champion_version: champion for champion in stored}
    known = there | (
        {} if current is None else {current.champion_version: there.get(current.champion_version, current)}
    )
    lines = [_line(version, history, known, there) for version in sorted({*history.restored, *history.gaps, *known})]
    obstacles = _obstacles(history, current, known, lines)
    last = known | {version: one.champion for version, one in history.restored.items() if version not in known}
    champion = None
    if not obstacles and last and (current is None or current.champion_version < max(last)):
        champion = last[max(last)]
    return Plan(
        team=evidence.team,
        lines=tuple(lines),
        pointer=_pointer(current, champion, last, obstacles),
        champion=champion,
        expected=0 if current is None else current.champion_version,
        inserts=(*_history_items(evidence.team, lines, obstacles), *_package_items(evidence, has_package)),
        obstacles=tuple(obstacles),
        notes=(*history.notes, *_newer(history, current)),
    )


def _line(version: int, history: History, known: Mapping[int, Champion], there: Mapping[int, Champion]) -> Line:
    left = history.restored.get(version)
    if version not in known:
        if left is None:
            return Line(version, "lost", None, why=history.gaps[version])
        return Line(version, "missing", left.champion, left.source, left.unknown)
    status: Status = "present" if version in there else "missing"
    if left is not None and not _agrees(left, known[version]):
        return Line(version, "differing", known[version], "table", why=f"left is {_words(left.champion)}")
    return Line(version, status, known[version], "table")


def _agrees(left: Restored, stored: Champion) -> bool:
    """Whether they tell of the same promotion, as far as is known."""
    if left.source == "record":
        return left.champion == stored
    return left.champion.model_package_arn == stored.model_package_arn


def _obstacles(
    history: History, current: Champion | None, known: Mapping[int, Champion], lines: Iterable[Line]
) -> list[str]:
    differing = [line for line in lines if line.status == "differing"]
    if differing:
        line = differing[0]
        newest = max((one.champion.promoted_at for one in history.restored.values()), default="")
        if current is not None and current.promoted_at > newest:
            return [
                f"champion {current.champion_version} of the table ({_words(current)}) is newer than all that is left, "
                f"and stays; {line.why} for champion {line.version}"
            ]
        return [f"champion {line.version} of the table is another one, and stays: {line.why}"]
    if history.top in history.gaps and history.top not in known and history.top > max(known, default=0):
        return [f"the last champion, {history.top}, cannot be told: {history.gaps[history.top]}"]
    if history.doubt and max(known, default=0) < max(history.top, 1):
        return [history.doubt]
    if current is not None and current != known[current.champion_version]:
        return [f"the table's champion {current.champion_version} is not the one of its own history, and stays"]
    return []


def _pointer(
    current: Champion | None, champion: Champion | None, last: Mapping[int, Champion], obstacles: list[str]
) -> Status:
    if champion is not None:
        return "missing"
    if current is None:
        return "lost" if last or obstacles else "present"
    return "differing" if obstacles else "present"


def _history_items(team: str, lines: list[Line], obstacles: list[str]) -> Iterable[Item]:
    """The missing ones; behind something that differs nobody knows what followed on what."""
    if obstacles and not any(line.status == "differing" for line in lines):
        return
    for line in lines:
        if line.status == "differing":
            return
        if line.status == "missing" and line.champion is not None:
            yield {"pk": f"TEAM#{team}", "sk": history_key(line.version), **line.champion.model_dump()}


def _package_items(evidence: Evidence, has_package: Callable[[PackageLeft], bool]) -> Iterable[Item]:
    """Without its package's item a model cannot be promoted, nor rolled back to."""
    for run_id in sorted({package.run_id for package in evidence.packages}):
        package = evidence.package_of(run_id)
        if package is not None and not has_package(package):
            yield {
                "pk": f"RUN#{run_id}",
                "sk": "PACKAGE",
                "client_token": registry.client_token(run_id),
                "reserved_at": package.created_at,
                "model_package_arn": package.arn,
                "model_version": package.version,
                "model_data_uri": package.model_data_uri,
                "decision": package.decision,
            }


def _newer(history: History, current: Champion | None) -> Iterable[str]:
    if current is not None and current.champion_version > history.top:
        yield f"champion {current.champion_version} of the table is newer than all that is left, and stays"


def _words(champion: Champion) -> str:
    return f"{champion.run_id} since {champion.promoted_at} by {champion.actor}"

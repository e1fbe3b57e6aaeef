"""Who was champion when, told from what is left; and what nobody can tell any more.

A record in the bucket is the champion as the table had it. A promotion from before there were records is told from
verdicts (each names the champion that it was against, and one that promotes says why) and from the approval of the
champion's package. Nothing is made up: where several could have been the champion there is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from cli.rebuild.evidence import Evidence, PackageLeft, VerdictLeft
from turbine.domain.champion import Champion

Source = Literal["record", "verdict", "registry", "table"]
RUNS = "turbine"
"""The actor of a run's own promotion (run.asl.yaml)."""
UNKNOWN = "unknown"
LOST_REASON = "Restored by turbine models rebuild: why it was made champion only the lost table knew."

# As promotion.asl.yaml approves a champion, and the reconciler one whose approval was taken.
_MARK = re.compile(r"Champion (?:(?P<number>\d+) )?of [a-z][a-z0-9]*(?: by (?P<actor>.+))?", re.DOTALL)


class Restored(NamedTuple):
    """A champion, where it was found, and which of its fields are not what the table had, but the nearest known."""

    champion: Champion
    source: Source
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """The champions that can be restored by version, why others cannot, and what else there is to tell."""

    restored: Mapping[int, Restored]
    gaps: Mapping[int, str]
    notes: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """The version of the last champion that there was, as far as is known; 0 for none."""
        return max([*self.restored, *self.gaps], default=0)


class _Approval(NamedTuple):
    package: PackageLeft
    number: int | None
    actor: str | None


def told(evidence: Evidence) -> History:
    """The history that the evidence tells."""
    records, notes = _of_one_time(evidence.records)
    named = _named(evidence.verdicts)
    top = max([*records, *named], default=0)
    approvals = _approvals(evidence.packages, top)
    approval = approvals[0] if len(approvals) == 1 else None
    restored = {version: Restored(champion, "record") for version, champion in records.items()}
    gaps: dict[int, str] = {}
    if approval is not None and approval.number is not None:
        top = max(top, approval.number)
    elif approval is not None and not _is_top(approval.package.run_id, top, records, named):
        top += 1
        approval = approval._replace(number=top)
        notes.append(f"champion {top}: its number is the lowest that it can have had")
    elif len(approvals) > 1:
        gaps[top + 1] = f"several are Approved as champion: {', '.join(one.package.run_id for one in approvals)}"
    for version in range(1, top + 1):
        if version in restored:
            continue
        runs = _runs(version, top, evidence, named, approval)
        packages = [package for run in runs if (package := evidence.package_of(run)) is not None]
        if len(runs) != 1:
            gaps[version] = (
                f"several runs may have been it: {', '.join(sorted(runs))}" if runs else "nothing tells of it"
            )
        elif not packages:
            gaps[version] = f"the package of its run {next(iter(runs))} is not in the registry any more"
        else:
            restored[version] = _inferred(version, packages[0], evidence, approval)
    notes += _remarks(evidence, records, restored, top)
    return History(dict(sorted(restored.items())), gaps, tuple(notes))


def _of_one_time(records: Iterable[Champion]) -> tuple[dict[int, Champion], list[str]]:
    """The records that follow on one another, back from the newest one.

    A version has two where promotions went on without the table: they counted anew.
    """
    versions: dict[int, list[Champion]] = {}
    for record in sorted(records, key=lambda record: _at(record.promoted_at)):
        versions.setdefault(record.champion_version, []).append(record)
    if all(len(several) == 1 for several in versions.values()):
        return {version: one for version, (one,) in sorted(versions.items())}, []
    newest = max((several[-1] for several in versions.values()), key=lambda record: _at(record.promoted_at))
    chosen, later = {newest.champion_version: newest}, newest
    for version in sorted((one for one in versions if one < newest.champion_version), reverse=True):
        before = [one for one in versions[version] if _at(one.promoted_at) <= _at(later.promoted_at)]
        later = chosen[version] = before[-1] if before else versions[version][0]
    left_out = [one for several in versions.values() for one in several if one not in chosen.values()]
    told_of = ", ".join(f"{one.champion_version} ({one.run_id}, {one.promoted_at})" for one in left_out)
    note = f"promotions have counted anew; not restored, for their numbers are taken: champion {told_of}"
    return dict(sorted(chosen.items())), [note]


def _named(verdicts: Iterable[VerdictLeft]) -> dict[int, set[str]]:
    """Whom the verdicts name as champion."""
    named: dict[int, set[str]] = {}
    for verdict in verdicts:
        if verdict.champion is not None:
            named.setdefault(verdict.champion_version, set()).add(verdict.champion.run_id)
    return named


def _approvals(packages: Iterable[PackageLeft], known: int) -> list[_Approval]:
    """The approvals that may be the champion's; by hand one is a wish, and those before `known` were left behind.

    Of several with a number the greatest is it; with one that has none among them, nobody knows.
    """
    marked = [
        _Approval(package, int(mark["number"]) if mark["number"] else None, mark["actor"])
        for package in packages
        if package.is_approved and (mark := _MARK.fullmatch(package.approval_description))
    ]
    late = [one for one in marked if one.number is None or one.number >= known]
    if all(one.number is not None for one in late):
        return sorted(late, key=lambda one: one.number or 0)[-1:]
    return late


def _is_top(run_id: str, top: int, records: Mapping[int, Champion], named: Mapping[int, set[str]]) -> bool:
    return run_id in named.get(top, set()) or (top in records and records[top].run_id == run_id)


def _runs(
    version: int, top: int, evidence: Evidence, named: Mapping[int, set[str]], approval: _Approval | None
) -> set[str]:
    """The runs that may have been a champion. That one was to be promoted is enough where others came after it."""
    if version in named:
        return named[version]
    if approval is not None and approval.number == version:
        return {approval.package.run_id}
    if version == top:
        return set()
    return {verdict.run_id for verdict in evidence.verdicts if _promotes(verdict, version)}


def _promotes(verdict: VerdictLeft, version: int) -> bool:
    return verdict.decision == "promote" and verdict.champion_version == version - 1


def _inferred(version: int, package: PackageLeft, evidence: Evidence, approval: _Approval | None) -> Restored:
    """A champion without a record."""
    is_approved = approval is not None and approval.number == version and approval.package == package
    actor = approval.actor if approval is not None and is_approved else None
    own = [one for one in evidence.verdicts if one.run_id == package.run_id and _promotes(one, version)]
    fields: dict[str, Any] = {
        "team": evidence.team,
        "run_id": package.run_id,
        "model_package_arn": package.arn,
        "model_version": package.version,
        "champion_version": version,
    }
    if own and actor in (None, RUNS):
        champion = Champion(
            **fields,
            promotion_id=f"{package.run_id}-v{version}",
            promoted_at=own[0].decided_at,
            reason=own[0].reason,
            actor=RUNS,
        )
        return Restored(champion, "verdict", ("promoted_at",))
    against = [one.decided_at for one in evidence.verdicts if one.champion and one.champion_version == version]
    moments = [*against, *([package.modified_at] if is_approved else [])]
    champion = Champion(
        **fields,
        promotion_id=f"rebuilt-{evidence.team}-v{version}",
        promoted_at=min(moments, key=_at),
        reason=LOST_REASON,
        actor=actor or UNKNOWN,
    )
    unknown = ("promoted_at", "promotion_id", "reason", "kind", *(() if actor else ("actor",)))
    return Restored(champion, "registry" if is_approved else "verdict", unknown)


def _remarks(
    evidence: Evidence, records: Mapping[int, Champion], restored: Mapping[int, Restored], top: int
) -> Iterable[str]:
    for place in evidence.unreadable:
        yield f"{place} cannot be read, and is left out"
    arns = {package.arn for package in evidence.packages}
    for version, record in records.items():
        if record.model_package_arn not in arns:
            yield f"champion {version}: its package {record.model_package_arn} is not in the registry any more"
    latest: dict[str, VerdictLeft] = {}
    for verdict in sorted(evidence.verdicts, key=lambda verdict: verdict.champion_version):
        latest[verdict.run_id] = verdict
    for run_id, verdict in latest.items():
        if _promotes(verdict, top + 1) and (top not in restored or restored[top].champion.run_id != run_id):
            yield f"run {run_id} was to follow champion {top}, and nothing tells that it did"


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)

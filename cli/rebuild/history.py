"""Who was champion when, told from what is left; and what nobody can tell any more.

A record in the bucket is the champion as the table had it. A promotion from before there were records is told from
verdicts (each names the champion that it was against, and one that promotes says why) and from the approval of the
champion's package. Nothing is made up: where several could have been the champion there is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
    """The champions that can be restored by version, why others cannot, and what else there is to tell.

    `doubt`: why nobody can say who was the last of them.
    """

    restored: Mapping[int, Restored]
    gaps: Mapping[int, str]
    doubt: str = ""
    notes: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """The version of the last champion that there was, as far as is known; 0 for none."""
        return max([*self.restored, *self.gaps], default=0)


class _Approval(NamedTuple):
    """The approval of a champion of this number; `is_exact` where its mark says the number."""

    package: PackageLeft
    number: int
    actor: str | None
    is_exact: bool = True


def told(evidence: Evidence) -> History:
    """The history that the evidence tells."""
    records, notes = _of_one_time(evidence.records)
    evidence = replace(evidence, verdicts=tuple(_since(records, evidence.verdicts)))
    named = _named(evidence.verdicts)
    known = max([*records, *named], default=0)
    last = {records[known].run_id} if known in records else named.get(known, set())
    approvals = _approvals(evidence.packages, known, last, is_recorded=known in records)
    approval = approvals[0] if len(approvals) == 1 else None
    top = known if approval is None else max(known, approval.number)
    restored = {version: Restored(champion, "record") for version, champion in records.items()}
    gaps: dict[int, str] = {}
    for version in range(1, top + 1):
        if version not in restored:
            found = _champion(version, evidence, named, approval)
            if isinstance(found, str):
                gaps[version] = found
            else:
                restored[version] = found
    notes += _remarks(evidence, records, restored, top)
    is_told = approval is not None or (not approvals and (known == 0 or known in records))
    doubt = "" if is_told else _doubt(known, approvals)
    return History(dict(sorted(restored.items())), gaps, doubt, tuple(notes))


def _doubt(known: int, approvals: list[_Approval]) -> str:
    if approvals:
        runs = ", ".join(one.package.run_id for one in approvals)
        return f"several packages are Approved as champion, and nothing tells which was the last: {runs}"
    return f"no package is Approved as champion, and nothing else tells whether champion {known} was the last"


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


def _since(records: Mapping[int, Champion], verdicts: Iterable[VerdictLeft]) -> Iterable[VerdictLeft]:
    """Without those on champions from before promotions counted anew: by number they would come after the newest."""
    if not records:
        return verdicts
    newest = records[max(records)]
    return [
        verdict
        for verdict in verdicts
        if verdict.champion_version < newest.champion_version or _at(verdict.decided_at) >= _at(newest.promoted_at)
    ]


def _named(verdicts: Iterable[VerdictLeft]) -> dict[int, set[str]]:
    """Whom the verdicts name as champion."""
    named: dict[int, set[str]] = {}
    for verdict in verdicts:
        if verdict.champion is not None:
            named.setdefault(verdict.champion_version, set()).add(verdict.champion.run_id)
    return named


def _approvals(packages: Iterable[PackageLeft], known: int, last: set[str], *, is_recorded: bool) -> list[_Approval]:
    """The approvals that may be the last champion's, of whom no more is known than `known` and its run in `last`.

    Of several those before `known` were left behind by promotions that were stopped; of several with a number the
    greatest is it; with one that has none among them, nobody knows. Where promotions were not on record yet the only
    one is the champion's, also with an old number or by hand: then it was approved once more, over its mark.
    """
    approved = [package for package in packages if package.is_approved]
    marks = [(package, _MARK.fullmatch(package.approval_description)) for package in approved]
    marked = [(package, mark["number"], mark["actor"]) for package, mark in marks if mark]
    if len(approved) == 1 and not is_recorded:
        marked = marked or [(approved[0], None, None)]
        marked = [(one, number if number and int(number) >= known else None, actor) for one, number, actor in marked]
    lowest = [known if package.run_id in last else known + 1 for package, _, _ in marked]
    found = [
        _Approval(package, int(number or least), actor, number is not None)
        for (package, number, actor), least in zip(marked, lowest, strict=True)
    ]
    late = [one for one in found if one.number >= known]
    return sorted(late, key=lambda one: one.number)[-1:] if all(one.is_exact for one in late) else late


def _champion(
    version: int, evidence: Evidence, named: Mapping[int, set[str]], approval: _Approval | None
) -> Restored | str:
    """A champion without a record, or why it cannot be told; one that was to be promoted need not have been."""
    runs = named.get(version, set())
    if not runs and approval is not None and approval.number == version:
        runs = {approval.package.run_id}
    if len(runs) > 1:
        return f"verdicts name several: {', '.join(sorted(runs))}"
    if not runs:
        wanted = sorted({one.run_id for one in evidence.verdicts if _promotes(one, version)})
        return f"nothing tells who it was; to be promoted: {', '.join(wanted) or 'nobody'}"
    package = evidence.package_of(next(iter(runs)))
    if package is None:
        return f"the package of its run {next(iter(runs))} is not in the registry any more"
    return _inferred(version, package, evidence, approval)


def _promotes(verdict: VerdictLeft, version: int) -> bool:
    return verdict.decision == "promote" and verdict.champion_version == version - 1


def _inferred(version: int, package: PackageLeft, evidence: Evidence, approval: _Approval | None) -> Restored:
    """A champion without a record."""
    is_approved = approval is not None and approval.number == version and approval.package == package
    actor = approval.actor if approval is not None and is_approved else None
    guessed = ("champion_version",) if approval is not None and is_approved and not approval.is_exact else ()
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
        return Restored(champion, "verdict", (*guessed, "promoted_at"))
    against = [one.decided_at for one in evidence.verdicts if one.champion and one.champion_version == version]
    moments = [*against, *([package.modified_at] if is_approved else [])]
    champion = Champion(
        **fields,
        promotion_id=f"rebuilt-{evidence.team}-v{version}",
        promoted_at=min(moments, key=_at),
        reason=LOST_REASON,
        actor=actor or UNKNOWN,
    )
    unknown = (*guessed, "promoted_at", "promotion_id", "reason", "kind", *(() if actor else ("actor",)))
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

"""Make the registry say what is true: exactly the champion is Approved, and an approval by hand is a promotion.

The champion in the table is the truth. Between a swap and its approvals a promotion may be stopped, and nobody goes on;
an approval may come late; a person may press Approve or Reject in the SageMaker console. This looks after each such
event and once an hour.

Every change is followed by another look, and only a look that finds nothing to change ends it: so of several that work
at the same moment, promotions among them, the last one leaves it right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turbine.domain import names, registry
from turbine.domain.errors import EventNotUnderstoodError
from turbine.domain.registry import Approval, ApprovedPackage
from turbine.ports import Approvals, Item, Promotions, Table

LOOKS_MAX = 10
DEAD = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})
PENDING: Approval = "PendingManualApproval"


@dataclass(frozen=True)
class ReconcileRegistry:
    """The function `reconcile_registry`."""

    stack: str
    table: Table
    approvals: Approvals
    promotions: Promotions

    def __call__(self, event: dict[str, Any]) -> dict[str, list[str]]:
        """Settle the group that an event names, or all of the stack's; what was changed, in words.

        Raises: EventNotUnderstoodError.
        """
        prefix, detail = f"{self.stack}-", event.get("detail") or {}
        if not isinstance(detail, dict):
            raise EventNotUnderstoodError("The input's detail is no object.")
        named = detail.get("ModelPackageGroupName")
        groups = self.approvals.groups(prefix) if named is None else [str(named)]
        # A stack whose name begins with this one's has groups that begin so too; but no team has a hyphen.
        own = [group for group in groups if group.startswith(prefix) and names.is_team(group.removeprefix(prefix))]
        return {"changes": [change for group in own for change in self._settle(group.removeprefix(prefix), group)]}

    def _settle(self, team: str, group: str) -> list[str]:
        """Look and change until a look finds nothing to change; where that is not soon, the next event goes on."""
        done: list[str] = []
        for _ in range(LOOKS_MAX):
            champion = self.table.get(f"TEAM#{team}", "CHAMPION")
            changes = self._changes(team, champion, self.approvals.approved(group))
            done += changes
            if not changes:
                break
        return done

    def _changes(self, team: str, champion: Item | None, approved: list[ApprovedPackage]) -> list[str]:
        """Change what is wrong now."""
        arn = None if champion is None else str(champion["model_package_arn"])
        changes = [
            self._retired(team, champion, package)
            for package in approved
            if package.arn != arn and not self._may_stay(team, champion, package)
        ]
        if arn is not None and arn not in {package.arn for package in approved}:
            self.approvals.mark(arn, "Approved", registry.champions_mark(team))
            changes.append(f"{arn} is champion and was not Approved")
        return changes

    def _retired(self, team: str, champion: Item | None, package: ApprovedPackage) -> str:
        if package.is_by_promotion:
            why = f"Succeeded by {'nobody' if champion is None else champion['model_package_arn']}"
        else:
            why = f"Approved by hand, but not promoted; see the execution {_name(team, champion, package)}"
        self.approvals.mark(package.arn, PENDING, why)
        return f"{package.arn} was Approved and is not champion: {why}"

    def _may_stay(self, team: str, champion: Item | None, package: ApprovedPackage) -> bool:
        """Whether a person approved it, and that is becoming a promotion; one that is refused is no promotion.

        A promoted one without any champion is what is left of a table that was lost: nothing is known better.
        """
        if package.is_by_promotion:
            return champion is None
        name = _name(team, champion, package)
        status = self.promotions.start(name, _promotion(team, champion, package, name))
        return status not in DEAD


def _version(champion: Item | None) -> int:
    return 0 if champion is None else int(champion["champion_version"])


def _name(team: str, champion: Item | None, package: ApprovedPackage) -> str:
    """The same for the same approval over the same champion; over another one it is asked for again."""
    moment = "".join(character for character in package.modified_at if character.isdigit())
    return f"{team}-approved-{package.version}-{moment}-c{_version(champion)}"


def _promotion(team: str, champion: Item | None, package: ApprovedPackage, name: str) -> dict[str, Any]:
    return {
        "team": team,
        "run_id": package.run_id,
        "model_package_arn": package.arn,
        "model_version": package.version,
        "expected_champion_version": _version(champion),
        "promotion_id": name,
        "reason": f"Approved by hand in the registry: {package.description or 'without a word'}",
        "actor": package.actor or "a person in the registry",
    }

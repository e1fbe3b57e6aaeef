"""Make a run its team's champion by compare-and-swap; the only writer of a champion.

The same promotion asked again gives the same answer, so the machine may retry between the write and
the event. Once a later promotion has replaced it, `is_current` says so: a former champion is neither
approved nor announced again.

The table is the truth. A copy of each champion goes into the bucket, so that who it was, when, why and by
whom outlives the table: `turbine models rebuild`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from turbine.domain.champion import Champion, Promotion, history_key, promoted_detail, record_name, successor
from turbine.domain.errors import ChampionChangedError, PackageMissingError
from turbine.domain.uri import S3Uri
from turbine.ports import Clock, Item, ObjectStore, Table
from turbine.usecases.run_files import RunFiles


@dataclass(frozen=True)
class PromoteModel:
    """The function `promote_model`."""

    artifact_bucket: str
    store: ObjectStore
    table: Table
    clock: Clock

    def __call__(self, promotion: Promotion) -> dict[str, Any]:
        """Promote, or say that the champion is another one by now. Raises: PackageMissingError."""
        request = promotion.model_dump(mode="json")
        package = self._package(promotion)
        pk = f"TEAM#{promotion.team}"
        try:
            champion = self._done(pk, promotion) or self._swap(pk, promotion)
        except ChampionChangedError:
            current = self.table.get(pk, "CHAMPION") or {}
            if current.get("model_package_arn") != promotion.model_package_arn:
                return {
                    "status": "champion_changed",
                    "champion_version": current.get("champion_version", 0),
                    "is_current": False,
                    "previous_model_package_arn": None,
                    "detail": None,
                    "request": request,
                }
            champion = Champion.model_validate(current)  # by another promotion; there is nothing left to do
        files = RunFiles(self.store, self.artifact_bucket)
        self._keep(files, pk, champion)
        spec = files.find_spec(champion.team, champion.run_id)
        inference = None if spec is None else spec.inference
        return {
            "status": "promoted",
            "champion_version": champion.champion_version,
            "is_current": self._is_current(pk, champion),
            "previous_model_package_arn": self._previous_arn(pk, champion),
            "detail": promoted_detail(champion, package["model_data_uri"], inference),
            "request": request,
        }

    def _package(self, promotion: Promotion) -> Item:
        if not promotion.run_id.startswith(f"{promotion.team}-"):
            raise PackageMissingError(
                f"Run {promotion.run_id} is none of team {promotion.team}'s; see: turbine models {promotion.team}"
            )
        package = self.table.get(f"RUN#{promotion.run_id}", "PACKAGE")
        if package is None or package.get("model_package_arn") != promotion.model_package_arn:
            raise PackageMissingError(
                f"Run {promotion.run_id} did not register {promotion.model_package_arn}; "
                f"see: turbine show {promotion.run_id}"
            )
        if package["model_version"] != promotion.model_version:
            raise PackageMissingError(
                f"{promotion.model_package_arn} is version {package['model_version']} of team {promotion.team}, not "
                f"{promotion.model_version}; see: turbine models {promotion.team}"
            )
        return package

    def _done(self, pk: str, promotion: Promotion) -> Champion | None:
        """What an earlier attempt of this promotion wrote, or another one of the same model over the same champion.

        A person may approve a model while its run promotes it; then the run's own promotion has nothing left to do.
        """
        item = self.table.get(pk, history_key(promotion.expected_champion_version + 1))
        if item is None:
            return None
        champion = Champion.model_validate(item)
        is_same_model = champion.model_package_arn == promotion.model_package_arn
        return champion if is_same_model or champion.promotion_id == promotion.promotion_id else None

    def _swap(self, pk: str, promotion: Promotion) -> Champion:
        """Replace the expected champion. Raises: ChampionChangedError."""
        champion = successor(promotion, self.clock().isoformat(timespec="milliseconds"))
        expected = promotion.expected_champion_version
        fields = champion.model_dump()
        swapped = self.table.swap(
            {"pk": pk, "sk": "CHAMPION", **fields},
            {"champion_version": expected} if expected else None,
            {"pk": pk, "sk": history_key(champion.champion_version), **fields},
        )
        if swapped:
            return champion
        # A reply that was lost looks like a lost race: then our own promotion is in the history.
        done = self._done(pk, promotion)
        if done is None:
            raise ChampionChangedError(f"{promotion.team} is no longer at champion version {expected}.")
        return done

    def _keep(self, files: RunFiles, pk: str, champion: Champion) -> None:
        """Put a champion on record in the bucket, and those before it whose promotions were stopped before they did.

        Oldest first, so that whatever dies on the way leaves no gap behind a record.
        """
        former: Champion | None = champion
        unkept: list[Champion] = []
        while former is not None and files.find_json(_record(files, former)) is None:
            unkept.append(former)
            item = self.table.get(pk, history_key(former.champion_version - 1))
            former = None if item is None else Champion.model_validate(item)
        for one in reversed(unkept):
            document = {"schema_version": 1, **one.model_dump()}
            self.store.put_if_absent(_record(files, one), json.dumps(document, indent=1).encode())

    def _is_current(self, pk: str, champion: Champion) -> bool:
        current = self.table.get(pk, "CHAMPION")
        return current is not None and current["champion_version"] == champion.champion_version

    def _previous_arn(self, pk: str, champion: Champion) -> str | None:
        """The package to be archived: that of the champion before, unless it is this very one."""
        item = self.table.get(pk, history_key(champion.champion_version - 1))
        if item is None or item["model_package_arn"] == champion.model_package_arn:
            return None
        return str(item["model_package_arn"])


def _record(files: RunFiles, champion: Champion) -> S3Uri:
    return files.place(champion.team, champion.run_id, record_name(champion.champion_version))

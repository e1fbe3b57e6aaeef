"""Turn an arrival (a dropped manifest, a batch of them, a schedule) into runs that may start.

Everything it writes lies under a name made from the cause, with a conditional write: the same event
delivered twice, or ten times at once, makes the same runs, and the first one's files stay. What it
refuses is recorded and told of; nothing else happens to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from turbine.domain import arrival, capacity, document, manifest, names, outcome, run, team, uri
from turbine.domain.arrival import BATCH_FOLDER
from turbine.domain.capacity.model import PlanInfeasibleError
from turbine.domain.cause import ManifestCause, batch_entry_cause, padded_sequencer, schedule_cause
from turbine.domain.errors import (
    ManifestUnreadableError,
    ObjectForbiddenError,
    ObjectMissingError,
    TooManyTeamsError,
)
from turbine.domain.manifest import Manifest
from turbine.domain.rejection import WHOLE_FILE, Fault, ManifestFaultyError, fault
from turbine.domain.run import Planned, RunSpec
from turbine.domain.team import TeamFile
from turbine.domain.uri import S3Uri
from turbine.ports import Clock, EventBus, ObjectStore, Table
from turbine.usecases import candidates
from turbine.usecases.budgets import Budgets
from turbine.usecases.candidates import Candidate, Wish
from turbine.usecases.catalog import TEAMS_PREFIX, Catalog
from turbine.usecases.fleet_book import RUNS_MAX, Fleet, FleetBook, Place
from turbine.usecases.refusals import Refusals, Slot
from turbine.usecases.run_files import RunFiles
from turbine.usecases.work_book import WorkBook

# Step Functions passes at most 262,144 bytes between states. A thousand runs take about 100,000 of them.
REPLIED_REFUSALS_MAX = 50


@dataclass(frozen=True)
class PrepareTraining:
    """The function `prepare_training`."""

    data_bucket: str
    artifact_bucket: str
    store: ObjectStore
    table: Table
    bus: EventBus
    clock: Clock
    fleet: Fleet = field(default_factory=Fleet)

    def __call__(self, event: dict[str, Any], execution_arn: str) -> dict[str, Any]:
        """Prepare the runs of an arrival.

        Raises: EventNotUnderstoodError, ManifestUnreadableError, TooManyTeamsError.
        """
        catalog = Catalog(self.store, self.data_bucket)
        if arrival.is_object_created(event):
            file = arrival.dropped(event)
            if self._is_stale(file):
                self._supersede(file, execution_arn)
                return _reply(file.key, stale=True)
            return self._prepare(file.key, self._dropped(file), catalog, execution_arn)
        firing = arrival.fired(event)
        key = names.digest(["schedule", firing.schedule, firing.scheduled_time])
        return self._prepare(key, list(self._scheduled(firing, catalog)), catalog, execution_arn)

    def _prepare(self, cause_key: str, wishes: list[Wish], catalog: Catalog, execution_arn: str) -> dict[str, Any]:
        refusals = Refusals(self.table, self.bus, self.clock, execution_arn)
        runs: list[dict[str, Any]] = []
        rejected: list[dict[str, Any]] = []

        def refuse(wish: Wish, error: ManifestFaultyError) -> None:
            faults = _indexed(error.faults, wish.slot.entry)
            rejected.append(refusals.record(wish.slot, wish.team, faults))

        accepted: list[tuple[Wish, RunSpec | Candidate]] = []
        for wish in wishes:
            earlier = refusals.find(wish.slot)
            if earlier is not None:
                rejected.append(earlier)
                continue
            try:
                accepted.append((wish, self._found_or_checked(wish, catalog)))
            except ManifestFaultyError as error:
                refuse(wish, error)
        places = self._places([one for _, one in accepted if isinstance(one, Candidate)])
        for wish, one in accepted:
            try:
                spec = self._pinned(one, places) if isinstance(one, Candidate) else one
            except ManifestFaultyError as error:
                refuse(wish, error)
                continue
            self._record(spec, wish.slot.manifest_uri, execution_arn)
            runs.append(run.prepared(spec))
        return _reply(cause_key, runs, rejected)

    def _is_stale(self, file: ManifestCause) -> bool:
        """Whether a newer version of the same key has been seen; an event seen again is not stale."""
        item = {
            "pk": f"SEQUENCER#{file.bucket}/{file.object_key}",
            "sk": "LATEST",
            "sequencer": padded_sequencer(file.sequencer),
            "version_id": file.version_id,
        }
        if self.table.put_newer(item, "sequencer"):
            return False
        latest = self.table.get(item["pk"], item["sk"])
        return latest is not None and latest["sequencer"] > item["sequencer"]

    def _supersede(self, file: ManifestCause, execution_arn: str) -> None:
        """End the runs that an earlier try of this event prepared and did not start.

        It was accepted then, and a newer version came before this one's retry: its runs may not start any more, nor
        may they be left without an end. Should one be started all the same by another delivery that was accepted in
        time, then its real outcome replaces this one, which is the oldest there can be.
        """
        files = RunFiles(self.store, self.artifact_bucket)
        try:
            wishes = self._dropped(file)
        except ManifestUnreadableError:  # an old version may have expired; then nothing was prepared just now
            return
        for wish in wishes:
            given = wish.manifest
            if given is None:
                continue
            run_id = names.run_id(given.team, given.dataset.name, wish.cause.key)
            spec = files.find_spec(given.team, run_id)
            if spec is not None and self.table.get(f"RUN#{run_id}", "CLAIM") is None:
                self._record(spec, wish.slot.manifest_uri, execution_arn)
                self.table.insert(outcome.superseded(spec.run_id, spec.team, execution_arn, self._now()))

    def _dropped(self, file: ManifestCause) -> list[Wish]:
        """The wishes in a dropped file."""
        slot = Slot(file.key, None, file.uri)
        team_name = ""
        try:
            folder = arrival.key_of(file, "manifests").folder
            if folder == BATCH_FOLDER:
                return self._batch(file, slot)
            team_name = folder
            parsed = manifest.parse(document.read_json(self._read(file)), team_name, self.data_bucket)
        except ManifestFaultyError as error:
            return [Wish(file, slot, team_name, None, error.faults)]
        return [Wish(file, slot, team_name, parsed)]

    def _batch(self, file: ManifestCause, slot: Slot) -> list[Wish]:
        body = self._read(file, document.BATCH_SIZE_MAX_BYTES)
        entries = manifest.parse_batch(document.read_json(body, document.BATCH_SIZE_MAX_BYTES)).runs
        return [self._entry(file, slot, index, entry) for index, entry in enumerate(entries)]

    def _entry(self, file: ManifestCause, slot: Slot, index: int, entry: dict[str, Any]) -> Wish:
        """One entry of a batch manifest; its faults are its own, named by its index."""
        name = entry.get("team")
        team_name = name if isinstance(name, str) and names.is_team(name) else ""
        cause = batch_entry_cause(file, team_name, index)
        own = slot._replace(entry=index)
        try:
            if len(json.dumps(entry)) > document.SIZE_MAX_BYTES:
                raise document.too_large(len(json.dumps(entry)), document.SIZE_MAX_BYTES)
            return Wish(cause, own, team_name, manifest.parse(entry, None, self.data_bucket))
        except ManifestFaultyError as error:
            return Wish(cause, own, team_name, None, error.faults)

    def _scheduled(self, firing: arrival.Firing, catalog: Catalog) -> Iterator[Wish]:
        """A wish for each team of a firing, made from the team's file."""
        everyone = firing.teams == ["*"]
        for name in self._teams(catalog) if everyone else firing.teams:
            cause = schedule_cause(firing.schedule, firing.scheduled_time, name)
            slot = Slot(cause.key, None, f"s3://{self.data_bucket}/{TEAMS_PREFIX}{name}.yaml")
            try:
                file = catalog.team(name)
                if everyone and file.schedule is not None:
                    continue
                yield Wish(cause, slot, name, team.scheduled_manifest(file, self.data_bucket))
            except ManifestFaultyError as error:
                yield Wish(cause, slot, name, None, error.faults)

    def _teams(self, catalog: Catalog) -> list[str]:
        """Every team's name. Raises: TooManyTeamsError."""
        found = catalog.team_names()
        if len(found) > team.TEAMS_MAX:
            raise TooManyTeamsError(
                f"{TEAMS_PREFIX} has {len(found)} team files, and there is room for {team.TEAMS_MAX} teams. "
                "Remove those that are no longer trained: turbine teams remove TEAM"
            )
        return found

    def _found_or_checked(self, wish: Wish, catalog: Catalog) -> RunSpec | Candidate:
        """The run spec that there is of a wish, or what one can be made of. Raises: ManifestFaultyError."""
        given = wish.manifest
        run_id = ""
        if given is not None:
            run_id = names.run_id(given.team, given.dataset.name, wish.cause.key)
            existing = RunFiles(self.store, self.artifact_bucket).find_spec(given.team, run_id)
            if existing is not None:
                return existing
        if wish.team:
            catalog.team(wish.team)  # for a team that nobody knows, this comes before any other fault
        if given is None:
            raise ManifestFaultyError(wish.faults)
        return self._checked(wish, given, run_id, catalog)

    def _checked(self, wish: Wish, given: Manifest, run_id: str, catalog: Catalog) -> Candidate:
        """Look at what a manifest points to, and at what it may cost. Raises: ManifestFaultyError."""
        file = catalog.team(given.team)
        _check_metrics(given, file)
        shards = catalog.shards(given.dataset.source.uri, given.dataset.format)
        catalog.check_sha256(shards, given.dataset.sha256)
        if given.inference is not None:
            catalog.check_input("inference.uri", given.inference.uri)
            if given.inference.labels is not None:
                catalog.check_input("inference.labels", given.inference.labels)
        measured = WorkBook(self.table).measured(given.team, given.recipe.name, given.dataset.name)
        try:
            return candidates.candidate(wish, given, run_id, file, shards, self.fleet, measured)
        except PlanInfeasibleError as error:  # of this run's own numbers: it must not end the others' arrival
            raise ManifestFaultyError([fault("compute.nodes", error.constraint, error.mend)]) from error

    def _places(self, found: list[Candidate]) -> Mapping[str, Place] | PlanInfeasibleError:
        """The place of each in the fleet, planned together, or why there is none."""
        if not found:
            return {}
        book = FleetBook(self.table, self.clock, self.fleet)
        demands = [book.demand(one.run_id, one.file.team, one.belief.work_vm_h, one.widths, one.curve) for one in found]
        own = {one.run_id: one.file.compute.priority for one in found if one.file.compute.priority is not None}
        try:
            return book.plan(demands, own)
        except PlanInfeasibleError as error:
            return error

    def _pinned(self, one: Candidate, places: Mapping[str, Place] | PlanInfeasibleError) -> RunSpec:
        """The run spec of a candidate, with its place, once its week can pay it. Raises: ManifestFaultyError."""
        if isinstance(places, PlanInfeasibleError):
            raise ManifestFaultyError([fault("compute.nodes", places.constraint, places.mend)])
        given = one.manifest
        if one.run_id not in places:
            problem = f"asks for a place among {RUNS_MAX} runs that have not ended, which is all that there is room for"
            raise ManifestFaultyError([fault("compute.nodes", problem, "drop it again when some of them have")])
        place, expected = self._paid(one, places[one.run_id])
        spec = run.spec_of(
            given,
            cause=one.wish.cause,
            run_id=one.run_id,
            shards=one.shards,
            source_key=uri.parse(given.dataset.source.uri).key,
            rule=one.file.rule,
            nodes=place.nodes,
            plan=Planned(
                priority=place.priority,
                planned_at=place.planned_at,
                starts_at=place.starts_at,
                ends_at=place.ends_at,
                hours=expected.hours,
                cost_usd=expected.cost_usd,
                may_use_spot=place.may_use_spot,
            ),
            artifact_bucket=self.artifact_bucket,
            created_at=self._now(),
        )
        files = RunFiles(self.store, self.artifact_bucket)
        self.store.put_if_absent(
            files.place(given.team, one.run_id, "manifest.json"), given.model_dump_json(indent=2).encode()
        )
        where = files.place(given.team, one.run_id, "run.json")
        if self.store.put_if_absent(where, spec.model_dump_json(indent=2).encode()):
            return spec
        return files.spec(str(where))  # another delivery of the same event was faster: its spec holds

    def _paid(self, one: Candidate, place: Place) -> tuple[Place, capacity.Estimate]:
        """A place that the team's week can pay, reserved: this one, or one with fewer VMs, which cost less.

        Who is refused gives up its place. Raises: ManifestFaultyError.
        """
        expected = one.estimate(place.nodes)
        limit_usd = one.file.budget.max_cost_usd_per_week
        if limit_usd is None:
            return place, expected
        try:
            Budgets(self.table, self.clock).reserve(one.file.team, one.run_id, expected.cost_usd, limit_usd)
        except ManifestFaultyError:
            FleetBook(self.table, self.clock, self.fleet).strike(one.run_id)
            cheaper = tuple(nodes for nodes in one.widths if one.estimate(nodes).cost_usd < expected.cost_usd)
            if not cheaper:
                raise
            narrower = one._replace(widths=cheaper)
            found = self._places([narrower])
            if isinstance(found, PlanInfeasibleError) or one.run_id not in found:
                raise
            return self._paid(narrower, found[one.run_id])
        return place, expected

    def _record(self, spec: RunSpec, manifest_uri: str, execution_arn: str) -> None:
        """Make the run visible. Inserting again is harmless: the first record stays."""
        self.table.insert(
            {
                "pk": f"RUN#{spec.run_id}",
                "sk": "RECORD",
                "kind": "run",
                "run_id": spec.run_id,
                "team": spec.team,
                "dataset": spec.dataset.name,
                "cause_key": spec.cause.key,
                "manifest_uri": manifest_uri,
                "spec_uri": f"{spec.output_uri}run.json",
                "recipe": spec.recipe.name,
                "created_at": spec.created_at,
                "training_execution_arn": execution_arn,
                "nodes": spec.compute.nodes,
                "plan": None if spec.plan is None else spec.plan.model_dump(mode="json"),
            }
        )

    def _read(self, file: ManifestCause, size_max_bytes: int = document.SIZE_MAX_BYTES) -> bytes:
        """The pinned version's bytes; its size is looked at before they are read."""
        place = S3Uri(file.bucket, file.object_key)
        try:
            size_bytes = self.store.head(place, file.version_id).size_bytes
            if size_bytes > size_max_bytes:
                raise document.too_large(size_bytes, size_max_bytes)
            return self.store.read(place, file.version_id)
        except (ObjectMissingError, ObjectForbiddenError) as error:
            raise ManifestUnreadableError(
                f"Version {file.version_id} of {file.uri} cannot be read ({error}). If it was deleted, "
                f"drop it again: aws s3 cp FILE {file.uri}"
            ) from error

    def _now(self) -> str:
        return self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_metrics(given: Manifest, file: TeamFile) -> None:
    measured = manifest.RECIPES[given.recipe.name]
    if file.rule.metric not in measured:
        problem = f"{given.recipe.name} does not measure {file.rule.metric}, by which {given.team} is judged"
        mend = f"use a recipe like {file.recipe.name}, or change rule.metric in the team file"
        raise ManifestFaultyError([fault("recipe.name", problem, mend)])


def _indexed(faults: tuple[Fault, ...], entry: int | None) -> tuple[Fault, ...]:
    """Faults of a batch manifest's entry, named from the file's root."""
    if entry is None:
        return faults
    prefix = f"runs.{entry}"
    return tuple(
        one.model_copy(update={"field": prefix if one.field == WHOLE_FILE else f"{prefix}.{one.field}"})
        for one in faults
    )


def _reply(
    cause_key: str,
    runs: list[dict[str, Any]] | None = None,
    rejected: list[dict[str, Any]] | None = None,
    *,
    stale: bool = False,
) -> dict[str, Any]:
    """The function's answer. All refusals are recorded; the answer names the first ones."""
    return {
        "cause_key": cause_key,
        "runs": runs or [],
        "rejected": (rejected or [])[:REPLIED_REFUSALS_MAX],
        "needs_ingest": [],
        "stale": stale,
    }

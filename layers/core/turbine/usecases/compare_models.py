"""Judge a new model against its team's champion, and write the decision where it can be read for ever.

`metrics.json` is the truth, CloudWatch its published copy: both are read for both models, and
nothing is promoted on a value that is missing or that disagrees. A champion that was measured on
another test split, or not by the slices that the rule guards, is measured on the challenger's rows
first: the machine is told, and asks again. The first decision against a champion stays; asking again
gives it again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from turbine.domain import champion_evaluation, verdict
from turbine.domain.champion import OWN_ACTOR, history_key
from turbine.domain.champion_evaluation import ChampionMetrics, MeasurementWanted, why_wanted
from turbine.domain.errors import ArtifactMissingError, MetricsLateError
from turbine.domain.metrics import Measured, Metrics, period_s
from turbine.domain.run import MetricsTarget, RunReference, RunSpec
from turbine.domain.verdict import PAST_TENSE, Side, Verdict
from turbine.ports import Clock, Item, MetricQuery, MetricReader, ObjectStore, Table
from turbine.usecases.run_files import RunFiles


class ComparisonRequest(RunReference):
    """`final_attempt` says that the machine has waited long enough for CloudWatch."""

    final_attempt: bool = False


class Opponent(NamedTuple):
    """The champion in a comparison. `folder`: of the challenger's run, where it was measured again; else empty."""

    side: Side
    folder: str = ""


@dataclass(frozen=True)
class CompareModels:
    """The function `compare_models`."""

    artifact_bucket: str
    store: ObjectStore
    table: Table
    metrics: MetricReader
    clock: Clock

    def __call__(self, request: ComparisonRequest) -> dict[str, Any]:
        """Decide, or say what has to be measured first. Raises: MetricsLateError while CloudWatch may catch up."""
        files = RunFiles(self.store, self.artifact_bucket)
        champion = self.table.get(f"TEAM#{request.team}", "CHAMPION")
        if self._was_promoted(files, request, champion):
            return self._own_promotion(files, request)
        version = int(champion["champion_version"]) if champion is not None else 0
        place = files.place(request.team, request.run_id, f"decisions/{version}.json")
        if files.find_json(place) is None:
            spec = files.spec(request.spec_uri)
            opponent = None if champion is None else self._opponent(files, spec, champion["run_id"], version)
            if isinstance(opponent, MeasurementWanted):
                return opponent.model_dump(mode="json")
            spent = self._margin_spent(files, spec, champion)
            decided = self._decide(files, spec, opponent, version, spent, must_decide=request.final_attempt)
            self.store.put_if_absent(place, decided.model_dump_json(indent=2).encode())
        stored = Verdict.model_validate_json(self.store.read(place))
        self._record(files, stored)
        return stored.model_dump(mode="json")

    def _was_promoted(self, files: RunFiles, request: ComparisonRequest, champion: Item | None) -> bool:
        """Whether this run has become the champion already, be it that another has succeeded it since."""
        if champion is None:
            return False
        if champion["run_id"] == request.run_id:
            return True
        latest = files.find_json(files.place(request.team, request.run_id, "decision.json"))
        if latest is None or latest["decision"] != "promote":
            return False
        made = self.table.get(f"TEAM#{request.team}", history_key(latest["champion_version"] + 1))
        return made is not None and made["run_id"] == request.run_id

    def _own_promotion(self, files: RunFiles, request: ComparisonRequest) -> dict[str, Any]:
        """The decision that made this run the champion."""
        latest = self.store.read(files.place(request.team, request.run_id, "decision.json"))
        return Verdict.model_validate_json(latest).model_dump(mode="json")

    def _opponent(
        self, files: RunFiles, spec: RunSpec, champion_run_id: str, version: int
    ) -> Opponent | MeasurementWanted:
        """The champion on the challenger's test split; or what has to be done before that can be told."""
        reigning = files.spec(str(files.place(spec.team, champion_run_id, "run.json")))
        own = files.metrics(spec.team, reigning.run_id)
        unsliced = self._unsliced(files, spec, reigning)
        why = why_wanted(files.metrics(spec.team, spec.run_id), own, self.clock(), unsliced)
        if why is None:
            return Opponent(self._own_side(files, reigning, own))
        measured = files.champion_metrics(spec.team, spec.run_id, reigning.run_id)
        if measured is None:
            return self._wanted(files, spec, reigning, version, why)
        folder = champion_evaluation.folder(reigning.run_id)
        side = Side(
            run_id=reigning.run_id,
            split_id=measured.split_id,
            metrics=self._measured(measured, champion_evaluation.target(spec, reigning.run_id)),
            source=str(files.place(spec.team, spec.run_id, f"{folder}metrics.json")),
            obstacle=measured.obstacle,
        )
        return Opponent(side, folder)

    def _unsliced(self, files: RunFiles, spec: RunSpec, reigning: RunSpec) -> list[str]:
        """Columns of the rule's that the challenger's evaluation is summed by, and the champion's is not."""
        if not spec.rule.slice_guardrails:
            return []
        mine, theirs = (files.evaluation_blocks(run.team, run.run_id) for run in (spec, reigning))
        there = theirs.slices if theirs is not None else {}
        return [column for column in spec.rule.slice_columns if mine and column in mine.slices and column not in there]

    def _own_side(self, files: RunFiles, spec: RunSpec, metrics: Metrics) -> Side:
        """A model by the numbers of its own run."""
        return Side(
            run_id=spec.run_id,
            split_id=metrics.split_id,
            metrics=self._measured(metrics, spec.metrics),
            source=str(files.place(spec.team, spec.run_id, "metrics.json")),
        )

    def _wanted(self, files: RunFiles, spec: RunSpec, reigning: RunSpec, version: int, why: str) -> MeasurementWanted:
        marker = files.marker(spec.team, reigning.run_id)
        if marker is None:
            missing = files.place(spec.team, reigning.run_id, "_SUCCESS")
            raise ArtifactMissingError(f"{missing} is missing, by which the champion's model is found. Restore it.")
        place = files.place(
            spec.team, spec.run_id, champion_evaluation.folder(reigning.run_id) + champion_evaluation.SPEC_FILE
        )
        document = champion_evaluation.spec_document(spec, reigning, marker["files"])
        self.store.put_if_absent(place, json.dumps(document, indent=1).encode())
        return MeasurementWanted(
            run_id=spec.run_id,
            team=spec.team,
            champion_version=version,
            champion_run_id=reigning.run_id,
            evaluation_uri=str(place),
            reason=why,
        )

    def _margin_spent(self, files: RunFiles, spec: RunSpec, champion: Item | None) -> float:
        """By how much the champion may be worse than the best before it. One that a person chose is the new measure."""
        if spec.rule.non_inferiority_margin is None or champion is None:
            return 0.0
        if champion.get("actor") != OWN_ACTOR or champion.get("kind") != "promotion":
            return 0.0
        place = files.place(spec.team, champion["run_id"], f"decisions/{int(champion['champion_version']) - 1}.json")
        if files.find_json(place) is None:
            return 0.0
        return verdict.margin_spent_by(Verdict.model_validate_json(self.store.read(place)), spec.rule)

    def _decide(
        self,
        files: RunFiles,
        spec: RunSpec,
        opponent: Opponent | None,
        version: int,
        margin_spent: float,
        *,
        must_decide: bool,
    ) -> Verdict:
        own = files.metrics(spec.team, spec.run_id)
        challenger = self._own_side(files, spec, own)
        champion = None if opponent is None else opponent.side
        late = verdict.missing(challenger, champion)
        if late and not must_decide:
            raise MetricsLateError(f"CloudWatch does not show {', '.join(late)} yet; ask again in a while.")
        return verdict.decide(
            challenger,
            champion,
            rule=spec.rule,
            team=spec.team,
            baseline=own.baseline,
            champion_version=version,
            decided_at=self._now(),
            blocks=self._blocks(files, spec, opponent),
            margin_spent=margin_spent,
        )

    def _blocks(self, files: RunFiles, spec: RunSpec, opponent: Opponent | None) -> verdict.Blocks:
        """Only where the rule draws from them."""
        rule = spec.rule
        is_asked_for = rule.name == "paired_bootstrap" or rule.class_guardrail is not None or rule.slice_guardrails
        if opponent is None or not is_asked_for:
            return None, None
        run_id = spec.run_id if opponent.folder else opponent.side.run_id
        mine = files.evaluation_blocks(spec.team, spec.run_id)
        return mine, files.evaluation_blocks(spec.team, run_id, opponent.folder)

    def _measured(self, metrics: Metrics | ChampionMetrics, target: MetricsTarget) -> dict[str, Measured]:
        """A model's test metrics as CloudWatch shows them and as its file says."""
        period = period_s(self.clock() - metrics.published_at)
        names = sorted(metrics.test)
        queries = [
            MetricQuery(target.namespace, f"test_{name}", target.dimensions, metrics.published_at, period)
            for name in names
        ]
        points = self.metrics.read(queries) if queries else []
        return {
            name: Measured(
                cloudwatch=None if point is None else point.value,
                file=metrics.test[name],
                period_s=period,
                timestamp=None if point is None else point.timestamp,
            )
            for name, point in zip(names, points, strict=True)
        }

    def _record(self, files: RunFiles, decided: Verdict) -> None:
        """The latest decision, for machines in S3 and for lists in the table."""
        document = decided.model_dump(mode="json")
        self.store.put(
            files.place(decided.team, decided.run_id, "decision.json"),
            decided.model_dump_json(indent=2).encode(),
        )
        item = {"pk": f"RUN#{decided.run_id}", "sk": "DECISION", **document}
        item["verdict"] = decided.decision
        item["decision"] = PAST_TENSE[decided.decision]
        item["trained_s"] = files.metrics(decided.team, decided.run_id).worked_s
        self.table.put(item)

    def _now(self) -> str:
        return self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Judge a new model against its team's champion, and write the decision where it can be read for ever.

`metrics.json` is the truth, CloudWatch its published copy: both are read for both models, and
nothing is promoted on a value that is missing or that disagrees. The first decision against a
champion stays; asking again gives it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from turbine.domain import verdict
from turbine.domain.champion import history_key
from turbine.domain.errors import MetricsLateError
from turbine.domain.metrics import Measured, Metrics, period_s
from turbine.domain.run import RunReference, RunSpec
from turbine.domain.verdict import PAST_TENSE, Side, Verdict
from turbine.ports import Clock, Item, MetricQuery, MetricReader, ObjectStore, Table
from turbine.usecases.run_files import RunFiles


class ComparisonRequest(RunReference):
    """`final_attempt` says that the machine has waited long enough for CloudWatch."""

    final_attempt: bool = False


@dataclass(frozen=True)
class CompareModels:
    """The function `compare_models`."""

    artifact_bucket: str
    store: ObjectStore
    table: Table
    metrics: MetricReader
    clock: Clock

    def __call__(self, request: ComparisonRequest) -> dict[str, Any]:
        """Decide. Raises: MetricsLateError while CloudWatch may still be catching up."""
        files = RunFiles(self.store, self.artifact_bucket)
        champion = self.table.get(f"TEAM#{request.team}", "CHAMPION")
        if self._was_promoted(files, request, champion):
            return self._own_promotion(files, request)
        version = int(champion["champion_version"]) if champion is not None else 0
        place = files.place(request.team, request.run_id, f"decisions/{version}.json")
        earlier = files.find_json(place)
        if earlier is None:
            decided = self._decide(files, request, champion, version)
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

    def _decide(self, files: RunFiles, request: ComparisonRequest, champion: Item | None, version: int) -> Verdict:
        spec = files.spec(request.spec_uri)
        own = files.metrics(spec.team, spec.run_id)
        challenger = self._side(spec, own)
        opponent = None
        if champion is not None:
            reigning = files.spec(str(files.place(spec.team, champion["run_id"], "run.json")))
            opponent = self._side(reigning, files.metrics(spec.team, reigning.run_id))
        late = verdict.missing(challenger, opponent)
        if late and not request.final_attempt:
            raise MetricsLateError(f"CloudWatch does not show {', '.join(late)} yet; ask again in a while.")
        return verdict.decide(
            challenger,
            opponent,
            rule=spec.rule,
            team=spec.team,
            baseline=own.baseline,
            champion_version=version,
            decided_at=self._now(),
            blocks=self._blocks(files, spec, opponent),
        )

    def _blocks(self, files: RunFiles, spec: RunSpec, opponent: Side | None) -> verdict.Blocks:
        """Only where the rule draws from them."""
        if opponent is None or spec.rule.name != "paired_bootstrap":
            return None, None
        return files.evaluation_blocks(spec.team, spec.run_id), files.evaluation_blocks(spec.team, opponent.run_id)

    def _side(self, spec: RunSpec, metrics: Metrics) -> Side:
        """A model's test metrics as CloudWatch shows them and as its file says."""
        period = period_s(self.clock() - metrics.published_at)
        names = sorted(metrics.test)
        points = self.metrics.read([self._query(spec, name, metrics.published_at, period) for name in names])
        measured = {
            name: Measured(
                cloudwatch=None if point is None else point.value,
                file=metrics.test[name],
                period_s=period,
                timestamp=None if point is None else point.timestamp,
            )
            for name, point in zip(names, points, strict=True)
        }
        return verdict.side_of(spec.run_id, metrics, measured)

    def _query(self, spec: RunSpec, name: str, moment: datetime, period: int) -> MetricQuery:
        return MetricQuery(spec.metrics.namespace, f"test_{name}", spec.metrics.dimensions, moment, period)

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
        self.table.put(item)

    def _now(self) -> str:
        return self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")

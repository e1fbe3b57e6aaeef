"""Everything that is known of one finished run, read once for the result, the table and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli import threads
from cli.cloud import Cloud
from cli.observe import executions
from cli.observe.artifacts import Artifacts
from cli.observe.executions import Execution
from cli.observe.follow import Ended

_AT_ONCE = 4
_SAMPLE_LINES = 5


@dataclass(frozen=True)
class RunDetails:
    """One run of one round; a document is `{}` where the run did not get that far."""

    round: int
    ended: Ended
    metrics: dict[str, Any]
    published: dict[str, Any]
    provenance: dict[str, Any]
    sample: Sequence[str]
    executions: Sequence[Execution]

    @property
    def team(self) -> str:
        return self.ended.team

    @property
    def reached_goal(self) -> bool:
        """Whether it ended in a decision, with predictions if it was promoted."""
        if self.ended.status != "SUCCEEDED" or self.ended.verdict is None:
            return False
        return self.ended.verdict != "promoted" or self.ended.predicted


def read_all(cloud: Cloud, rounds: Sequence[Sequence[Ended]]) -> list[RunDetails]:
    """The details of every run, round by round."""
    artifacts = Artifacts(cloud)
    numbered = [(number, ended) for number, runs in enumerate(rounds, start=1) for ended in runs]
    with threads.pool(_AT_ONCE) as pool:
        return list(pool.map(lambda pair: _read(cloud, artifacts, *pair), numbered))


def _read(cloud: Cloud, artifacts: Artifacts, number: int, ended: Ended) -> RunDetails:
    def document(name: str) -> dict[str, Any]:
        return artifacts.document(ended.team, ended.run_id or "", name) or {} if ended.items else {}

    uri = (ended.inference or {}).get("predictions_uri")
    return RunDetails(
        round=number,
        ended=ended,
        metrics=document("metrics.json"),
        published=document("published.json"),
        provenance=document("provenance.json"),
        sample=artifacts.first_lines(uri, ".out", _SAMPLE_LINES) if uri else (),
        executions=[executions.read(cloud.client("stepfunctions"), arn) for arn in _executions_of(ended)],
    )


def _executions_of(ended: Ended) -> list[str]:
    """The run's own execution, and that of its predictions."""
    if ended.items is None:
        return []
    own = ended.items.outcome.get("execution_arn") or ended.items.claim.get("owner")
    return [str(arn) for arn in (own, (ended.inference or {}).get("owner")) if arn]

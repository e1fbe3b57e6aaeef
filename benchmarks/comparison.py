"""How often the rule `paired_bootstrap` promotes a model that is no better, and how often one that is.

Pairs of models are simulated on a test split of their own: right on a row or not, mostly on the same rows, as models
trained on one data set are. Under the null both are right equally often; then one is better by `gain`. The control
takes the higher number, which is what comparing two metrics without asking for luck does.

    false_promotion_rate    share of null pairs promoted; its bound is the rule's level plus three standard errors
    few_rows                the same where the two differ on a handful of rows
    power                   share of pairs promoted in which the challenger is better by `gain`
    chain                   what a non-inferiority margin costs over `steps` challengers, each worse than the champion
                            by `loss`: the most that the last champion of a chain is below the first; the control
                            forgets what promotions before have spent

    python benchmarks/comparison.py --json
"""

import random
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks.measure import arguments, publish  # noqa: E402
from turbine.domain.evaluation import EvaluationBlocks  # noqa: E402
from turbine.domain.rule import Rule  # noqa: E402
from turbine.domain.rules import Sample, paired_bootstrap  # noqa: E402

PAIRS, ROWS, BLOCKS = 2_000, 1_000, 512
ACCURACY, GAIN, SHARED = 0.9, 0.02, 0.7
FEW_ROWS, FEW_ACCURACY, FEW_SHARED = 100, 0.95, 0.6
CHAINS, STEPS, LOSS, MARGIN = 10, 25, 0.005, 0.03


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--chains", type=int, default=CHAINS)
    parser.add_argument("--confidence", type=float, default=0.95)
    given = parser.parse_args()
    rule = Rule(
        name="paired_bootstrap",
        metric="accuracy",
        direction="maximize",
        min_delta=1e-9,
        confidence=given.confidence,
        guardrails=[],
        slice_guardrails=[],
    )
    null = _promoted(rule, given.pairs, Setting(given.rows, ACCURACY, SHARED, 0.0))
    few = _promoted(rule, given.pairs, Setting(FEW_ROWS, FEW_ACCURACY, FEW_SHARED, 0.0))
    better = _promoted(rule, given.pairs, Setting(given.rows, ACCURACY, SHARED, GAIN))
    level = 1 - given.confidence
    publish(
        {
            "pairs": given.pairs,
            "rows": given.rows,
            "level": round(level, 6),
            "false_promotion_rate": null["promoted"],
            "bound": round(level + 3 * (level * (1 - level) / given.pairs) ** 0.5, 4),
            "control_false_promotion_rate": null["higher"],
            "few_rows": {"rows": FEW_ROWS, "false_promotion_rate": few["promoted"], "interval_alone": few["interval"]},
            "gain": GAIN,
            "power": better["promoted"],
            "chain": {
                "chains": given.chains,
                "steps": STEPS,
                "loss": LOSS,
                "margin": MARGIN,
                "fallen_by": _fallen_by(rule, given.chains, is_remembered=True),
                "control_fallen_by": _fallen_by(rule, given.chains, is_remembered=False),
            },
        },
        given.json,
    )


class Setting(NamedTuple):
    """A test split of `rows`, and two models: how often right, how often alike, and by how much one is better."""

    rows: int
    accuracy: float
    shared: float
    gain: float


def _promoted(rule: Rule, pairs: int, setting: Setting) -> dict[str, float]:
    """Shares of the pairs that the rule, its interval alone, and the higher number alone would promote."""
    promoted = interval = higher = 0
    for seed in range(pairs):
        mine, theirs = _pair(random.Random(f"{seed} {setting.gain}"), setting)
        ruling = paired_bootstrap.judge(rule, _sample(mine), _sample(theirs))
        promoted += ruling.decision == "promote"
        interval += ruling.evidence is not None and ruling.evidence.lower > 0
        higher += sum(mine.columns["hits"]) > sum(theirs.columns["hits"])
    return {"promoted": promoted / pairs, "interval": interval / pairs, "higher": higher / pairs}


def _fallen_by(rule: Rule, chains: int, *, is_remembered: bool) -> float:
    """By how much the worst of the chains' last champions is truly less accurate than the first."""
    lenient, worst = rule.model_copy(update={"non_inferiority_margin": MARGIN}), 0.0
    for chain in range(chains):
        fallen = spent = 0.0
        for step in range(STEPS):
            setting = Setting(4 * ROWS, ACCURACY - fallen, SHARED, -LOSS)
            mine, theirs = _pair(random.Random(f"chain {chain} {step}"), setting)
            ruling = paired_bootstrap.judge(lenient, _sample(mine), _sample(theirs, spent))
            if ruling.decision == "promote" and ruling.evidence is not None:
                fallen += LOSS
                spent = ruling.evidence.margin_spent if is_remembered else 0.0
        worst = max(worst, fallen)
    return round(worst, 6)


def _sample(blocks: EvaluationBlocks, margin_spent: float = 0.0) -> Sample:
    accuracy = sum(blocks.columns["hits"]) / sum(blocks.columns["rows"])
    return Sample({"accuracy": accuracy}, blocks, margin_spent)


def _pair(dice: random.Random, setting: Setting) -> tuple[EvaluationBlocks, EvaluationBlocks]:
    """The two draw a row's difficulty together in `shared` of all cases, and else each its own."""
    sides: list[dict[str, Any]] = [{"rows": [0.0] * BLOCKS, "hits": [0.0] * BLOCKS} for _ in range(2)]
    for _ in range(setting.rows):
        block, together, common = dice.randrange(BLOCKS), dice.random() < setting.shared, dice.random()
        for columns, level in zip(sides, (setting.accuracy + setting.gain, setting.accuracy), strict=True):
            columns["rows"][block] += 1
            columns["hits"][block] += (common if together else dice.random()) < level
    return EvaluationBlocks(columns=sides[0]), EvaluationBlocks(columns=sides[1])


if __name__ == "__main__":
    main()

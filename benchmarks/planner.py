"""How good the planner's schedules are: on the reference fleet, on random ones, and on a large one.

Every schedule is looked at by the checker before it counts. A ratio is the makespan over what no schedule can beat:
the least T in which every run fits and the least areas of all fit into the VMs' time, or the solver's own bound where
that is higher. Lengths are in hours.

    reference               by efficiency, CP-SAT for 2 s: the proved optima are 2.381, 2.427, 2.483 and 2.553
    reference_mean          least mean completion at 0.95; at most 1.547
    reference_within_1h     least makespan at 0.95 if no run takes more than an hour; at most 2.653
    original_proposal_h     one VM a run, first come: 4.167, what the planner is there to beat
    random_greedy_*         the greedy's ratios on random fleets, median, 95th percentile and worst; median at most 1.05
    random_cpsat_*          CP-SAT's after 1 s each; never above the greedy's, median at most 1.02
    large_greedy            the greedy's ratio for 100 runs on 50 VMs; at most 1.03
    large_greedy_ms         its time, the median of five in one process; at most 1000
    large_cpsat             CP-SAT's ratio after 10 s; at most 1.02

    python benchmarks/planner.py --json --instances 200
"""

import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks.measure import arguments, median, publish, seconds  # noqa: E402
from cli.plan import cpsat  # noqa: E402
from turbine.domain.capacity import bounds, checker, greedy  # noqa: E402
from turbine.domain.capacity.model import Curve, Demand, Problem, fleet, reference  # noqa: E402
from turbine.domain.capacity.schedule import Schedule  # noqa: E402

T = TypeVar("T")
INSTANCES = 200
EFFICIENCIES = (1.0, 0.95, 0.9, 0.85)
WIDTHS = (1, 2, 3, 4, 6, 8)
REFERENCE_LIMIT_S, RANDOM_LIMIT_S, LARGE_LIMIT_S = 2.0, 1.0, 10.0
LARGE_RUNS, LARGE_VMS, LARGE_TURNS = 100, 50, 5


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=INSTANCES, help="random fleets, seeds 0 to this less 1")
    given = parser.parse_args()
    publish({**_references(), **_random_fleets(given.instances), **_large_fleet()}, given.json)


def _references() -> dict[str, Any]:
    by_efficiency = {str(efficiency): _reference(efficiency) for efficiency in EFFICIENCIES}
    _tell("reference: other aims")
    within = reference(longest_h=1)
    alone = [(demand.name, 1) for demand in reference().demands]
    return {
        "reference": by_efficiency,
        "reference_mean": _digits(_solved(reference(), REFERENCE_LIMIT_S, "mean").schedule.mean_completion_h),
        "reference_within_1h": _digits(_solved(within, REFERENCE_LIMIT_S).schedule.makespan_h),
        "original_proposal_h": _digits(_checked(reference(), greedy.listed(reference(), alone)).makespan_h),
    }


def _reference(efficiency: float) -> dict[str, Any]:
    _tell(f"reference: efficiency {efficiency}")
    problem = reference(efficiency)
    taken_s, solution = _timed(lambda: _solved(problem, REFERENCE_LIMIT_S))
    return {
        "makespan_h": _digits(solution.schedule.makespan_h),
        "mean_completion_h": _digits(solution.schedule.mean_completion_h),
        "proved_optimal": solution.proved_optimal,
        "seconds": _digits(taken_s),
        "greedy_makespan_h": _digits(_checked(problem, greedy.plan(problem)).makespan_h),
        "lower_bound_h": _digits(solution.bound),
    }


def _random_fleets(instances: int) -> dict[str, Any]:
    ratios: dict[str, list[float]] = {"greedy": [], "cpsat": []}
    for seed in range(instances):
        if seed % 10 == 0:
            _tell(f"random fleets: {seed} of {instances}")
        problem = _random_fleet(random.Random(seed))
        quick = _checked(problem, greedy.plan(problem))
        solution = _solved(problem, RANDOM_LIMIT_S)
        bound_h = max(bounds.makespan_h(problem), solution.bound)
        ratios["greedy"].append(quick.makespan_h / bound_h)
        ratios["cpsat"].append(solution.schedule.makespan_h / bound_h)
    return {"instances": instances} | {
        f"random_{name}_{statistic}": _digits(of(values))
        for name, values in ratios.items()
        for statistic, of in (("median", statistics.median), ("p95", _p95), ("worst", max))
    }


def _random_fleet(dice: random.Random, runs: int | None = None, vms: int | None = None) -> Problem:
    runs, vms = runs or dice.randint(8, 20), vms or dice.randint(2, 8)
    widths = tuple(width for width in WIDTHS if width <= vms)
    demands = [
        Demand(f"run-{number}", dice.uniform(0.5, 8), widths, curve=Curve(dice.uniform(0.85, 1)))
        for number in range(runs)
    ]
    return Problem(tuple(demands), fleet(vms))


def _large_fleet() -> dict[str, Any]:
    _tell(f"large fleet: {LARGE_RUNS} runs on {LARGE_VMS} VMs")
    problem = _random_fleet(random.Random(0), LARGE_RUNS, LARGE_VMS)
    turns = [_timed(lambda: greedy.plan(problem)) for _ in range(LARGE_TURNS)]
    quick = _checked(problem, turns[0][1])
    solution = _solved(problem, LARGE_LIMIT_S)
    bound_h = max(bounds.makespan_h(problem), solution.bound)
    return {
        "large_greedy": _digits(quick.makespan_h / bound_h),
        "large_greedy_ms": median([taken_s * 1000 for taken_s, _ in turns]),
        "large_cpsat": _digits(solution.schedule.makespan_h / bound_h),
    }


def _solved(problem: Problem, limit_s: float, objective: str = "makespan") -> cpsat.Solution:
    solution = cpsat.solve(problem, objective, limit_s=limit_s)
    _checked(problem, solution.schedule)
    return solution


def _checked(problem: Problem, schedule: Schedule) -> Schedule:
    if found := checker.violations(problem, schedule):
        raise SystemExit(f"a schedule breaks its promises: {'; '.join(found)}")
    return schedule


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    results: list[T] = []
    taken_s = seconds(lambda: results.append(work()))
    return taken_s, results[0]


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else values[0]


def _digits(value: float) -> float:
    return round(value, 4)


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

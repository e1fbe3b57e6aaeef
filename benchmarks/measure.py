"""What every benchmark here shares: interleaved timing, medians with their spread, and how results are printed.

Two things are compared by taking turns, so that a slow minute of the machine meets both. A ratio is that of each
pair, and its median is what counts: pairs that a neighbour disturbed stay in, and show in the spread.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def seconds(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def take_turns(pairs: int, first: Callable[[], float], second: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measure both `pairs` times, each going first in every other pair."""
    firsts: list[float] = []
    seconds_: list[float] = []
    for index in range(pairs):
        turns = [(firsts, first), (seconds_, second)]
        for results, measure in turns if index % 2 == 0 else reversed(turns):
            results.append(measure())
    return firsts, seconds_


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Pair by pair."""
    return [above / below for above, below in zip(numerators, denominators, strict=True)]


def median(values: Sequence[float]) -> float:
    return _rounded(statistics.median(values))


def spread(values: Sequence[float]) -> list[float]:
    """The quartiles around the median: half of what was measured lies between them."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return [_rounded(quartiles[0]), _rounded(quartiles[2])]


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with --json; a benchmark adds its own, whose defaults are the accepted sizes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def publish(results: dict[str, Any], as_json: bool) -> None:
    """Write one JSON object, or a line a result, on stdout."""
    if as_json:
        json.dump(results, sys.stdout)
        print()
        return
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name:<{width}}  {value}")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

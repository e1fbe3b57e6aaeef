"""Whether what the embedded cloud does costs the same however much it does: wide fan-outs, and many executions.

Fan-outs (the graph of `fan_out/`) of growing width, and executions of a trivial machine one after another, each begun
when a client has read that the one before is over. Beside the time, what the cloud's process takes: CPU seconds with
those of its ended children, resident memory, threads, open handles.

    item_wide_over_narrow   the cost of an item at the largest width over that at 16; with _cpu in CPU seconds
    late_over_early         that of the last tenth of the executions over that of the first
    growth_kb               memory an execution, after the first quarter of them

    python benchmarks/growth.py --json
"""

import itertools
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/core")]

from benchmarks import fan_out_cloud  # noqa: E402
from benchmarks.fan_out_cloud import FanOutCloud, Taken, Timed  # noqa: E402
from benchmarks.measure import arguments, median, publish  # noqa: E402

WIDTHS, EXECUTIONS = [4, 16, 64, 256], 2_000
NARROW = 16
ROUNDS = 3
WARM_UP = 20
PARTS = 10


def widths(cloud: FanOutCloud, wanted: list[int], rounds: int) -> dict[str, Any]:
    """Fan-outs of growing width, in turns."""
    timed = {width: Timed(partial(cloud.fan_out, width), lambda: cloud.taken().cpu_s) for width in wanted}
    wall = {width: [timed[width].turn() for _ in range(rounds)] for width in wanted}
    seconds_an_item = {width: statistics.median(wall[width]) / width for width in wanted}
    cpu_an_item = {width: statistics.median(timed[width].cpu) / width for width in wanted}
    narrow = NARROW if NARROW in wanted else wanted[0]
    return {
        "widths": [
            {
                "width": width,
                "s": median(wall[width]),
                "ms_an_item": median([1000 * seconds_an_item[width]]),
                "cpu_ms_an_item": median([1000 * cpu_an_item[width]]),
            }
            for width in wanted
        ],
        "item_wide_over_narrow": median([seconds_an_item[wanted[-1]] / seconds_an_item[narrow]]),
        "item_wide_over_narrow_cpu": median([cpu_an_item[wanted[-1]] / cpu_an_item[narrow]]),
    }


def many(cloud: FanOutCloud, executions: int) -> dict[str, Any]:
    """Executions one after another, and what the cloud takes on the way."""
    seconds, points, part = [], [cloud.taken()], max(1, executions // PARTS)
    for number in range(1, executions + 1):
        seconds.append(cloud.execute())
        if number % part == 0:
            points.append(cloud.taken())
    cpu = [after.cpu_s - before.cpu_s for before, after in itertools.pairwise(points)]
    quarter = round(len(points) / 4)
    grown_mb = points[-1].rss_mb - points[quarter].rss_mb
    return {
        "executions": executions,
        "ms_an_execution": median([1000 * statistics.median(seconds)]),
        "late_over_early": median([statistics.median(seconds[-part:]) / statistics.median(seconds[:part])]),
        "late_over_early_cpu": median([cpu[-1] / cpu[0]]) if cpu[0] else None,
        "growth_kb": median([1000 * grown_mb / max(1, (len(points) - 1 - quarter) * part)]),
        "points": [_shown(point) for point in points],
    }


def _shown(point: Taken) -> dict[str, Any]:
    return {"rss_mb": round(point.rss_mb, 1), "threads": point.threads, "handles": point.handles}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="fan-outs of each width")
    parser.add_argument("--executions", type=int, default=EXECUTIONS)
    given = parser.parse_args()
    with fan_out_cloud.deployed() as cloud:
        cloud.fan_out(NARROW)
        results = widths(cloud, given.widths, given.rounds) | {"after_widths": _shown(cloud.taken())}
        for _ in range(WARM_UP):
            cloud.execute()
        results |= many(cloud, given.executions)
    publish(results, given.json)


if __name__ == "__main__":
    main()

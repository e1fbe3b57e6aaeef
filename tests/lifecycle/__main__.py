"""Many histories: `python -m tests.lifecycle --orders 10000 --races 5000`. One JSON object; exit code 1 for any wrong.

A seed that is named as wrong is looked into by `test_event_orders.check_order` or `test_promotion_races.race`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.lifecycle.history import check_rest
from tests.lifecycle.test_event_orders import check_order
from tests.lifecycle.test_promotion_races import UnguardedTable, race


def checked_order(seed: int) -> str | None:
    """What is wrong with an order of events."""
    return _wrong(lambda: check_order(seed))


def checked_race(seed: int) -> str | None:
    """What is wrong with a race."""
    return _wrong(lambda: check_rest(race(seed).cloud))


def unguarded_race(seed: int) -> str | None:
    """What is wrong with the same race without the compare-and-swap."""
    return _wrong(lambda: check_rest(race(seed, UnguardedTable()).cloud))


def _wrong(check: Callable[[], Any]) -> str | None:
    try:
        check()
    except AssertionError as error:
        return str(error) or "an assertion without words"
    except Exception as error:  # noqa: BLE001 - it names its seed, and the others are checked all the same
        return repr(error)
    return None


def main() -> int:
    """Check, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.lifecycle", description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--races", type=int, default=5_000)
    parser.add_argument("--controls", type=int, default=200, help="races on a table without the compare-and-swap")
    given = parser.parse_args()
    report = {
        "orders": _counted(checked_order, given.orders),
        "races": _counted(checked_race, given.races),
        "controls": _counted(unguarded_race, given.controls),
    }
    print(json.dumps(report, indent=1))
    is_right = not report["orders"]["wrong"] and not report["races"]["wrong"] and report["controls"]["wrong"]
    return 0 if is_right else 1


def _counted(check: Callable[[int], str | None], count: int) -> dict[str, Any]:
    started_s = time.monotonic()
    wrong = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seed, words in enumerate(pool.map(check, range(count), chunksize=20)):
            if words is not None:
                wrong[seed] = words
                if check is not unguarded_race:  # whose faults are what it is for
                    print(f"{check.__name__} {seed}: {words}", file=sys.stderr, flush=True)
    elapsed_s = round(time.monotonic() - started_s, 1)
    print(f"{check.__name__}: {count} seeds, {len(wrong)} wrong, {elapsed_s} s", file=sys.stderr)
    return {"seeds": count, "wrong": len(wrong), "first": dict(list(wrong.items())[:5]), "elapsed_s": elapsed_s}


if __name__ == "__main__":
    sys.exit(main())

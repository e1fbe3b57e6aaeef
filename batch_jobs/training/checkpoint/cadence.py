"""When the next checkpoint is due.

Saving often costs stalls, saving rarely costs the work that an interruption throws away. Given what a save costs and
how often interruptions come, the best interval follows; both overrides, by steps and by seconds, are for those who
know better, and for tests that must not depend on a clock.
"""

import math

# An interruption every 20 hours: above what AWS publishes for most Spot pools, and cheap to assume.
INTERRUPTIONS_PER_HOUR = 0.05
# Before anything is measured, so that the first save comes early and tells the cost.
FIRST_S = 30.0
# However cheap a save is: S3 and the log get a line each time.
SHORTEST_S = 10.0
# However rare interruptions are: bugs and broken hardware are not in their rate.
LONGEST_S = 3600.0


class Cadence:
    """Due at every `every_steps`-th step, or `every_s` after the last save, or after the interval that fits best.

    It stays due until `saved` is called: a save that found the former one still being committed is made up for.
    """

    def __init__(
        self,
        every_steps: int | None = None,
        every_s: float | None = None,
        interruptions_per_hour: float = INTERRUPTIONS_PER_HOUR,
    ) -> None:
        self._every_steps = every_steps
        self._every_s = every_s
        self._interruptions_per_hour = interruptions_per_hour
        self._step = 0
        self._multiple: int | None = None  # of `every_steps`, that was passed when the last save was made
        self._since_s: float | None = None
        self._cost_s: float | None = None
        self._commit_s = 0.0

    def due(self, step: int, now_s: float) -> bool:
        """`now_s` is a clock that never goes back; the first call starts the first interval."""
        if self._every_steps is not None:
            if self._multiple is None:
                self._multiple = max(0, step - 1) // self._every_steps
            self._step = step
            return step // self._every_steps > self._multiple
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= self.interval_s

    def steps_to_go(self, step: int) -> int | None:
        """How many steps from here the next save is due; None where the clock decides."""
        if self._every_steps is None:
            return None
        is_late = self._multiple is not None and step // self._every_steps > self._multiple
        return 1 if is_late else self._every_steps - step % self._every_steps

    def saved(self, now_s: float, stall_s: float, commit_s: float) -> None:
        """Begin the next interval. `commit_s` is that of the last checkpoint whose commit is over, 0 before."""
        if self._every_steps is not None:
            self._multiple = self._step // self._every_steps
        self._since_s = now_s
        self._cost_s = stall_s
        self._commit_s = commit_s

    @property
    def interval_s(self) -> float:
        """Seconds between saves, were the clock to decide; the next cannot begin before the last is committed."""
        if self._every_s is not None:
            return self._every_s
        if self._cost_s is None:
            return FIRST_S
        best_s = optimum_interval_s(self._cost_s, self._interruptions_per_hour)
        return max(min(best_s, LONGEST_S), SHORTEST_S, self._commit_s)


def optimum_interval_s(cost_s: float, interruptions_per_hour: float) -> float:
    """The work between two saves that loses least to both stalls and interruptions, infinite without interruptions.

    Young's sqrt(2 C M) with Daly's next terms; they matter once the cost C is no longer small against the mean time M
    between interruptions. What a commit in the background slows down is not in C.

    Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future
    Generation Computer Systems 22 (2006), equation 37; J. W. Young, CACM 17(9), 1974.
    """
    if interruptions_per_hour <= 0:
        return math.inf
    mean_s = 3600 / interruptions_per_hour
    share = cost_s / (2 * mean_s)
    if share >= 1:
        return mean_s
    return math.sqrt(2 * cost_s * mean_s) * (1 + math.sqrt(share) / 3 + share / 9) - cost_s

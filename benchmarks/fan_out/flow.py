"""The same graph for Metaflow's local runner: four trivial tasks side by side, then one, and the two ends it demands.

python flow.py --quiet --no-pylint run
"""

from metaflow import FlowSpec, step  # type: ignore[import-not-found]

WIDTH = 4


class FanOutFlow(FlowSpec):
    """start, work (WIDTH times), join, end."""

    @step
    def start(self) -> None:
        """Fan out."""
        self.items = list(range(WIDTH))
        self.next(self.work, foreach="items")

    @step
    def work(self) -> None:
        """Do as little as a task can."""
        print("done")
        self.next(self.join)

    @step
    def join(self, inputs: list[object]) -> None:
        """Count the tasks that ran."""
        self.count = len(list(inputs))
        self.next(self.end)

    @step
    def end(self) -> None:
        """Metaflow's flows end in a step that joins nothing."""


if __name__ == "__main__":
    FanOutFlow()

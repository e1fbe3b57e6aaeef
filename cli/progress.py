"""Progress on stderr: a live table on a terminal, one line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.observe.job_logs import EpochReport
from cli.terminal import Terminal, status_text

_BAR_WIDTH = 16
_BAR_FROM_COLUMNS = 100
"""Narrower terminals get the epochs as numbers only, so that nothing else is cut."""


@dataclass(frozen=True)
class RunProgress:
    """One run as it stands; `state` is that of its machine."""

    team: str
    label: str
    run_id: str
    state: str = "waiting"
    status: str = "RUNNING"
    epoch: EpochReport | None = None
    verdict: str | None = None
    records: int | None = None
    done: bool = False


class ProgressView(Protocol):
    """What a long command tells while it works."""

    @property
    def detail_every_s(self) -> float:
        """How often states and epochs are worth reading: each look costs the cloud a few requests a run."""

    def phase(self, text: str) -> None:
        """The next thing the command does."""

    def update(self, runs: Sequence[RunProgress]) -> None:
        """How the followed runs stand; a run not shown before is new."""


class Lines:
    """One line for each change, with the time since the start: for pipes, files and CI."""

    detail_every_s = 3.0

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._started = time.monotonic()
        self._told: dict[str, str] = {}
        self._told_epoch: dict[str, EpochReport] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def phase(self, text: str) -> None:
        self._say(text)

    def update(self, runs: Sequence[RunProgress]) -> None:
        for run in runs:
            # An epoch alone is no new line: a job of a hundred epochs would fill a log.
            told = f"{run.state}/{run.status}/{run.verdict}/{run.records}"
            if self._told.get(run.run_id) != told:
                self._told[run.run_id] = told
                epoch = None if run.epoch == self._told_epoch.get(run.run_id) else run.epoch
                if epoch is not None:
                    self._told_epoch[run.run_id] = epoch
                self._say(f"{run.label}  {run.team:<12} {_line(run, epoch)}")

    def _say(self, text: str) -> None:
        self._terminal.say(f"{time.monotonic() - self._started:6.1f} s  {text}")


class LiveTable:
    """A table that is drawn again in place; after an error what it showed last stays."""

    detail_every_s = 1.0

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._started = time.monotonic()
        self._runs: dict[str, RunProgress] = {}
        self._phase = "starting"
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self._draw, console=terminal.messages, refresh_per_second=6, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
        # A good end has its own result to show; after an error this tells how far the runs had come.
        if self._runs and kind is not None:
            self._terminal.messages.print(self._table())

    def phase(self, text: str) -> None:
        self._phase = text

    def update(self, runs: Sequence[RunProgress]) -> None:
        self._runs |= {run.run_id: run for run in runs}

    def _draw(self) -> Group:
        self._spinner.update(text=Text(f"{time.monotonic() - self._started:5.1f} s  {self._phase}"))
        return Group(*([self._table()] if self._runs else []), self._spinner)

    def _table(self) -> Table:
        with_bar = self._terminal.messages.width >= _BAR_FROM_COLUMNS
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        for column in ("", "team", "state", "training", "validation", "decision", "predictions"):
            # Only the state's column may give way: its cells are cut where the others would be.
            table.add_column(column, no_wrap=column != "state")
        for run in self._runs.values():
            table.add_row(
                run.label,
                run.team,
                _state_text(run),
                _training_text(run.epoch, with_bar=with_bar),
                _metric(run.epoch),
                status_text(run.verdict or ""),
                str(run.records) if run.records is not None else "",
            )
        return table


def view_for(terminal: Terminal) -> Lines | LiveTable:
    """The view that fits the stream."""
    return LiveTable(terminal) if terminal.interactive else Lines(terminal)


def _state_text(run: RunProgress) -> Text:
    text = status_text(run.status) if run.done else Text(run.state, style="cyan")
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _training_text(epoch: EpochReport | None, *, with_bar: bool) -> Text:
    if epoch is None:
        return Text("")
    numbers = f"{epoch.epoch}/{epoch.epochs}"
    if not with_bar:
        return Text(numbers)
    full = round(_BAR_WIDTH * epoch.epoch / max(epoch.epochs, 1))
    return Text.assemble(("━" * full, "green"), ("━" * (_BAR_WIDTH - full), "dim"), f" {numbers}")


def _metric(epoch: EpochReport | None) -> str:
    if epoch is None or epoch.metric is None or epoch.value is None:
        return ""
    return f"{epoch.metric} {epoch.value:.4g}"


def _line(run: RunProgress, epoch: EpochReport | None) -> str:
    parts = [run.status if run.done else run.state]
    if epoch and not run.done:
        parts.append(f"epoch {epoch.epoch}/{epoch.epochs} {_metric(epoch)}".strip())
    if run.verdict:
        parts.append(run.verdict)
    if run.records is not None:
        parts.append(f"{run.records} predictions")
    return ", ".join(parts)

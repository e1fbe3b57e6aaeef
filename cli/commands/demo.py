"""`turbine demo`: the product doing its main job, on an embedded cloud of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli import exit_codes
from cli.cloud import DEFAULT_STACK, Cloud
from cli.commands import options
from cli.demo import report_data, result
from cli.demo.details import RunDetails
from cli.demo.scenario import Stopwatch, play
from cli.embedded import state
from cli.embedded.daemon import PROJECT_DIR
from cli.embedded.own_cloud import own_cloud
from cli.errors import CommandError, InterruptedBySignal
from cli.progress import view_for
from cli.report.page import write_page
from cli.terminal import Terminal, status_text


def demo(
    json_only: options.Json = False,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", help="Where its cloud lives. Default: a new folder in .turbine.")
    ] = None,
    report: Annotated[Path, typer.Option("--report", help="Where the HTML report goes.")] = Path("report.html"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cloud running afterwards, to look into it.")] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=2**31 - 1, help="Another seed for every run; a decision may differ."),
    ] = None,
    timing: Annotated[bool, typer.Option("--timing", help="Add where the time went, as `timing`.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that one round may take.")] = 600,
) -> None:
    """Train, compare, publish, promote and predict: four teams, two rounds, a report.

    Needs no AWS account and reads no AWS variable. Exit code 0 only if every run ended in a decision and every
    promoted model has its predictions.
    """
    started = time.monotonic()
    terminal = Terminal(json_only)
    watch = Stopwatch()
    own_dir = state_dir or _new_state_dir()
    data_dir = own_dir / "datasets"
    with (
        _told_or_removed(terminal, own_dir, ours=state_dir is None),
        view_for(terminal) as view,
        own_cloud(own_dir, keep=keep) as running,
    ):
        cloud = Cloud.explicit(running.credentials, DEFAULT_STACK)
        watch.split_s["start"] = time.monotonic() - started
        runs = play(
            cloud,
            PROJECT_DIR,
            data_dir,
            build_datasets=_build_datasets,
            seed=seed,
            timeout_s=timeout_s,
            view=view,
            watch=watch,
        )
        with watch.phase("report"):
            view.phase("writing the report")
            shown = report_data.report_of(cloud, runs, time.monotonic() - started, watch.split_s)
            write_page(shown, report)
        view.phase("stopping the cloud" if not keep else "done")
    reached = all(run.reached_goal for run in runs)
    wall_s = time.monotonic() - started
    if json_only:
        told = result.as_json(wall_s, runs)
        terminal.print_json({**told, "timing": result.timing(watch.split_s, runs)} if timing else told)
    else:
        _print(terminal, runs)
        if timing:
            terminal.print_json(result.timing(watch.split_s, runs))
        _summarize(terminal, runs, report, wall_s)
    _leave(terminal, own_dir, keep=keep, reached=reached, ours=state_dir is None)
    raise typer.Exit(exit_codes.OK if reached else exit_codes.FAILED)


def _new_state_dir() -> Path:
    state.DEFAULT_STATE_DIR.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="demo-", dir=state.DEFAULT_STATE_DIR))


def _build_datasets(root: Path) -> object:
    # scikit-learn takes seconds to import: only the demo pays, while the cloud deploys.
    from cli.demo import datasets

    return datasets.build(root)


def _print(terminal: Terminal, runs: Sequence[RunDetails]) -> None:
    """A row a run. On a terminal without the reasons, whose sentences need a column of their own width."""
    columns = ["team", "round", "status", "decision", "test metric", "predictions", "why"]
    rows: list[list[str | Text]] = [
        [
            run.team,
            str(run.round),
            status_text(run.ended.status),
            status_text(run.ended.verdict or ""),
            _deciding_metric(run),
            f"{run.ended.inference['records']} records" if run.ended.inference and run.ended.predicted else "",
            str(run.ended.items.decision.get("reason", "")) if run.ended.items else "",
        ]
        for run in runs
    ]
    shown = len(columns) - 1 if terminal.out.is_terminal else len(columns)
    terminal.print_table(columns[:shown], [row[:shown] for row in rows])


def _summarize(terminal: Terminal, runs: Sequence[RunDetails], report: Path, wall_s: float) -> None:
    """The closing words for a person: what was decided for each team, what failed, where to read on."""
    terminal.say("")
    for team in sorted({run.team for run in runs}):
        ends = [run.ended.verdict or run.ended.status for run in runs if run.team == team]
        terminal.say(f"{team + ':':<12}{', then '.join(ends)}")
    for run in runs:
        if run.ended.verdict is None:
            terminal.say(f"{run.team}, round {run.round}: {_failure(run)}")
    terminal.say(f"{len(runs)} runs in {wall_s:.1f} s")
    terminal.say(f"reasons, curves and timelines: {report.resolve()}")


def _failure(run: RunDetails) -> str:
    if run.ended.items is None:
        return "; ".join(f"{item.get('field')} {item.get('problem')}" for item in run.ended.rejections)
    return run.ended.items.failure or "no cause is recorded"


def _deciding_metric(run: RunDetails) -> str:
    rule = (run.ended.items.decision.get("rule") if run.ended.items else None) or {}
    value = run.metrics.get("test", {}).get(rule.get("metric"))
    return f"{rule['metric']} {value:.4f}" if value is not None else ""


@contextmanager
def _told_or_removed(terminal: Terminal, state_dir: Path, *, ours: bool) -> Iterator[None]:
    """After an error, say where the cloud's log is; after Ctrl-C leave nothing of ours."""
    try:
        yield
    except CommandError as error:
        log = state_dir / state.LOG_FILE
        if log.exists() and error.place != str(log):
            terminal.say(f"the cloud's log is in {log}")
        raise
    except InterruptedBySignal:
        if ours:
            shutil.rmtree(state_dir)
        raise


def _leave(terminal: Terminal, state_dir: Path, *, keep: bool, reached: bool, ours: bool) -> None:
    """Clean up what we made after a good end; after any other the logs stay."""
    if keep:
        terminal.say(f'the cloud is still running: eval "$(turbine local env --state-dir {state_dir})"')
        terminal.say("then `turbine runs`, `turbine show RUN`, `turbine models TEAM`, or any AWS tool")
        terminal.say(f"stop it with `turbine local down --state-dir {state_dir}`")
    elif reached and ours:
        shutil.rmtree(state_dir)
    elif not reached:
        terminal.say(f"the cloud's log is in {state_dir / state.LOG_FILE}")

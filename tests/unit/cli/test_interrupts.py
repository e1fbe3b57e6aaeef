from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import exit_codes, interrupts
from cli.errors import InterruptedBySignal

ROOT = Path(__file__).parents[3]
# A command that cleans up after the first signal, while the second comes.
CLEANING = """
import signal, sys
from cli import __main__, app

def main():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGTERM)
        print("cleaned", file=sys.stderr)

app.main = main
__main__.run()
"""
# Ctrl-C in the middle of an import of the command.
IMPORTING = """
import signal, sys
from importlib.abc import MetaPathFinder
from cli import __main__

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "cli.app":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
__main__.run()
"""


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core'}"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_a_second_signal_neither_stops_the_cleaning_up_nor_changes_the_exit_code() -> None:
    ended = _python(CLEANING)
    assert (ended.returncode, ended.stderr) == (exit_codes.INTERRUPTED, "cleaned\ninterrupted\n")


def test_an_interrupt_during_the_imports_is_no_traceback_and_has_its_object() -> None:
    ended = _python(IMPORTING, "runs", "--json")
    assert (ended.returncode, ended.stderr) == (exit_codes.INTERRUPTED, "interrupted\n")
    assert json.loads(ended.stdout)["error"]["cause"] == "interrupted by SIGINT"


def test_the_handling_is_installed_by_what_imports_nothing_slow() -> None:
    told = _python("import sys, cli.__main__; print(*sys.modules)").stdout.split()
    assert not {"typer", "rich", "boto3", "botocore", "cli.app"} & set(told)


def test_only_the_first_signal_raises() -> None:
    interrupts.install()
    with pytest.raises(InterruptedBySignal) as raised:
        signal.raise_signal(signal.SIGTERM)
    assert raised.value.exit_code == exit_codes.TERMINATED
    signal.raise_signal(signal.SIGINT)


def test_a_held_signal_is_raised_when_the_block_is_done() -> None:
    interrupts.install()
    done = False
    with pytest.raises(InterruptedBySignal), interrupts.held():
        signal.raise_signal(signal.SIGINT)
        done = True
    assert done

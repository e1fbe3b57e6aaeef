"""What runs in a layer or an image is what was tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("layers/*/requirements.txt"), *ROOT.glob("batch_jobs/*/requirements.txt")]


def _pins(path: Path) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    found = {}
    for line in filter(None, lines):
        name, _, version = line.partition("==")
        assert version, f"{path.name} does not pin {line}"
        found[re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()] = version
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_is_the_locks(path: Path) -> None:
    lock = _pins(ROOT / "requirements.lock")
    pins = _pins(path)
    assert pins
    assert {name: lock.get(name) for name in pins} == pins


def test_the_lock_names_no_place() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(r"file:|https?:|[+]cpu| @ ", lock.read_text()), lock.name

"""No false alarm on definitions whose behaviour on AWS was recorded beside this project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.check.asl import proof

CORPUS = Path(__file__).parents[6] / "shared" / "asl-conformance" / "public.jsonl"
OUR_STYLE = {"missing-timeout", "missing-retry", "choice-without-default", "unused-variable"}
"""Rules that AWS does not have."""
HARMLESS = {"impossible-error"}
"""What does no harm on AWS but that of never acting."""

pytestmark = pytest.mark.skipif(
    not CORPUS.exists(), reason=f"the recorded cases are not beside this checkout: {CORPUS}"
)


def _cases() -> Iterator[dict[str, Any]]:
    with CORPUS.open() as lines:
        yield from map(json.loads, lines)


def test_what_succeeded_on_aws_has_nothing_wrong() -> None:
    wrong = []
    for case in _cases():
        if case["expected"]["status"] == "SUCCEEDED":
            found = proof.of_text(json.dumps(case["definition"], indent=1), case["id"])
            wrong += [one for one in found if not one.is_note and one.rule not in OUR_STYLE | HARMLESS]
    assert wrong == []


def test_what_is_found_failed_on_aws() -> None:
    """The control: the proof does say something about definitions that fail there."""
    failed = [case for case in _cases() if case["expected"]["status"] == "FAILED"]
    rules = {one.rule for case in failed for one in proof.of_text(json.dumps(case["definition"]), case["id"])}
    assert {"unassigned-variable", "expression-type"} <= rules

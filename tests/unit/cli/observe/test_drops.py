from __future__ import annotations

import json
from datetime import UTC, datetime

from cli.observe.drops import Drop, of_object
from turbine.domain import cause, names

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VISION = {"team": "vision", "dataset": {"name": "digits"}, "inference": {"uri": "s3://b/x/"}}
WINERY = {"team": "winery", "dataset": {"name": "wine"}}


def _drop(document: object, key: str = "manifests/vision/a.json") -> Drop:
    return of_object("data-1", key, "v1", document if isinstance(document, str) else json.dumps(document), NOW)


def test_the_run_of_a_manifest_is_known_before_it_starts() -> None:
    drop = _drop(VISION)
    file = cause.manifest_cause("data-1", "manifests/vision/a.json", "v1", "")
    (run,) = drop.runs
    assert run.run_id == names.run_id("vision", "digits", file.key)
    assert (drop.cause_key, run.wants_predictions) == (file.key, True)
    assert run.is_refused_by("RECORD")


def test_a_batch_is_a_run_for_each_entry_the_unreadable_ones_included() -> None:
    drop = _drop({"runs": [VISION, "nonsense", WINERY]}, "manifests/_batch/all.json")
    first, broken, last = drop.runs
    file = cause.manifest_cause("data-1", "manifests/_batch/all.json", "v1", "")
    assert last.run_id == names.run_id("winery", "wine", cause.batch_entry_cause(file, "winery", 2).key)
    assert (first.wants_predictions, last.wants_predictions, broken.run_id) == (True, False, None)
    assert broken.is_refused_by("RECORD#1")
    assert not first.is_refused_by("RECORD#1")


def test_what_cannot_be_read_can_still_be_refused() -> None:
    for text in ("{", "[]", '{"team": 3}'):
        (run,) = _drop(text).runs
        assert (run.team, run.run_id) == ("vision", None)
        assert run.is_refused_by("RECORD")


def test_an_entry_of_half_characters_has_no_run_but_can_be_refused() -> None:
    odd = {"team": "vision", "dataset": {"name": "\ud800"}}
    (run, other) = _drop({"runs": [odd, {**odd, "team": "\ud800"}]}, "manifests/_batch/a.json").runs
    assert (run.team, run.run_id) == ("vision", None)
    assert (other.team, other.run_id) == ("?", None)

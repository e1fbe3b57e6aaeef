"""What must be true of any history, at any moment (`check_moment`) and when nothing is left to do (`check_rest`)."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

from tests.lifecycle.aws import Cloud
from tests.lifecycle.jobs import score
from tests.unit.turbine.arrange import ARTIFACTS
from turbine.domain.cause import manifest_cause
from turbine.domain.names import job_names
from turbine.domain.outcome import SUPERSEDED, TERMINAL

MIN_DELTA = 0.005  # of arrange.TEAM_FILE
_ROUNDING = 1e-9


def check_moment(cloud: Cloud) -> None:
    """Nothing is visible before its marker, and no champion is worse than the one before."""
    for team in teams(cloud):
        check_champions(cloud, team)
        check_records(cloud, team)
    for place in cloud.world.store.written:
        if place.endswith("/published.json"):
            _check_published(cloud, place)


def check_rest(cloud: Cloud) -> None:
    """Everything ended once, and everything there is belongs to a run."""
    assert not cloud.ready() and not cloud.pending
    check_moment(cloud)
    runs = run_ids(cloud)
    assert len(set(runs.values())) == len(runs), "a version of a manifest has two runs"
    for run_id in runs.values():
        _check_ended_once(cloud, run_id)
    _check_owned(cloud, set(runs.values()))
    for team in teams(cloud):
        _check_champion(cloud, team)


def teams(cloud: Cloud) -> list[str]:
    """The teams with a champion."""
    return [pk.removeprefix("TEAM#") for pk, sk in cloud.world.table.items if sk == "CHAMPION"]


def champions(cloud: Cloud, team: str) -> list[dict[str, Any]]:
    """A team's history, oldest first."""
    items = cloud.world.table.items
    return [items[key] for key in sorted(items) if key[0] == f"TEAM#{team}" and key[1].startswith("CHAMPION#")]


def run_ids(cloud: Cloud) -> dict[tuple[str, str], str]:
    """The run of each cause: by manifest URI and cause key."""
    return {(item["manifest_uri"], item["cause_key"]): item["run_id"] for item in cloud.world.table.of_kind("run")}


def cause_key(key: str, version_id: str, sequencer: str) -> str:
    """The cause of a dropped version."""
    return manifest_cause("data", key, version_id, sequencer).key


def state(cloud: Cloud) -> str:
    """All that the table holds, and what the registry and the bucket show, as text to compare."""
    store = cloud.world.store
    files = {
        place: store[place].decode(errors="replace")
        for place in sorted(set(store.written))
        if place.startswith(f"s3://{ARTIFACTS}/") and place in store
    }
    items = {f"{pk} {sk}": item for (pk, sk), item in sorted(cloud.world.table.items.items())}
    return json.dumps([items, files, cloud.registry.approvals], sort_keys=True, indent=1, default=str)


def check_champions(cloud: Cloud, team: str) -> None:
    """The history has no gap, ends with the champion, and each was better by the rule, unless a person willed it."""
    history = champions(cloud, team)
    assert [item["champion_version"] for item in history] == list(range(1, len(history) + 1))
    current = cloud.world.table.items[f"TEAM#{team}", "CHAMPION"]
    assert {**current, "sk": None} == {**history[-1], "sk": None}, "the champion is not the last of the history"
    for before, after in pairwise(history):
        is_better = score(after["run_id"]) >= score(before["run_id"]) + MIN_DELTA - _ROUNDING
        assert is_better or is_by_hand(after), f"{team}: {after['run_id']} replaced {before['run_id']}"


def check_records(cloud: Cloud, team: str) -> None:
    """The bucket tells of each champion what the table does; of those in the making, of the oldest first."""
    store, seen = cloud.world.store, []
    for item in champions(cloud, team):
        place = f"s3://{ARTIFACTS}/runs/{team}/{item['run_id']}/promotions/{item['champion_version']}.json"
        if place in store:
            kept = json.loads(store[place])
            assert {**kept, "pk": item["pk"], "sk": item["sk"]} == {"schema_version": 1, **item}
            seen.append(item["champion_version"])
    assert seen == list(range(1, len(seen) + 1)), f"{team}: a gap in the champions on record: {seen}"


def is_by_hand(champion: dict[str, Any]) -> bool:
    """Whether a person, and no rule, made a champion."""
    return bool(champion["actor"] != "turbine")


def _check_champion(cloud: Cloud, team: str) -> None:
    """Nobody who finished would have had to replace the champion, and exactly the champion is Approved."""
    history = champions(cloud, team)
    last = f"s3://{ARTIFACTS}/runs/{team}/{history[-1]['run_id']}/promotions/{len(history)}.json"
    assert last in cloud.world.store, f"the champion {len(history)} of {team} is not on record"
    best = score(history[-1]["run_id"])
    items = cloud.world.table.items
    finished = [run_id for run_id in run_ids(cloud).values() if run_id.startswith(f"{team}-")]
    for run_id in finished:
        outcome = items.get((f"RUN#{run_id}", "OUTCOME"), {})
        if outcome.get("status") == "SUCCEEDED":
            was_champion = run_id in {item["run_id"] for item in history}
            was_promoted = run_id in {item["run_id"] for item in history if not is_by_hand(item)}
            assert was_champion or outcome["decision"] != "promoted", f"{run_id} was promoted, and never champion"
            assert outcome["decision"] == "promoted" or not was_promoted, f"{run_id} was {outcome['decision']}"
            is_less = score(run_id) < best + MIN_DELTA - _ROUNDING
            assert is_less or was_champion or any(map(is_by_hand, history)), f"{run_id} should be the champion"
    approved = [
        arn
        for arn, approval in cloud.registry.approvals.items()
        if f"turbine-{team}/" in arn and approval == "Approved"
    ]
    assert approved == [history[-1]["model_package_arn"]], f"approved: {approved}"
    announced = [
        event["champion_version"] for event in cloud.world.bus.of_type("ModelPromoted") if event["team"] == team
    ]
    assert len(history) in announced, f"the champion {len(history)} of {team} was not announced: {announced}"
    assert set(announced) <= set(range(1, len(history) + 1))


def _check_ended_once(cloud: Cloud, run_id: str) -> None:
    outcome = cloud.world.table.items.get((f"RUN#{run_id}", "OUTCOME"))
    assert outcome is not None, f"{run_id} has no outcome"
    assert outcome["status"] in TERMINAL | {SUPERSEDED}
    worked = cloud.training.worked.count(run_id)
    if outcome["status"] == "SUCCEEDED":
        assert worked == 1, f"{run_id} was trained {worked} times"
        assert outcome["decision"] in {"promoted", "held", "rejected"}
    else:
        assert worked <= 1


def _check_owned(cloud: Cloud, runs: set[str]) -> None:
    """Every file, package, job and item names a run that has a record."""
    for pk, _ in cloud.world.table.items:
        kind, _, name = pk.partition("#")
        assert kind not in {"RUN", "LEASE"} or name in runs, f"{pk} belongs to no run"
    for place in set(cloud.world.store.written):
        # A version that is superseded between the two files of its preparation leaves the first one.
        is_first = (
            place.endswith("/manifest.json") and place.replace("manifest.json", "run.json") not in cloud.world.store
        )
        if place.startswith(f"s3://{ARTIFACTS}/runs/") and not is_first:
            assert place.split("/")[5] in runs, f"{place} belongs to no run"
    jobs = cloud.training.jobs.names.values()
    assert set(jobs) <= {name for run_id in runs for name in job_names(run_id)}
    packages = Counter(request.metadata["run_id"] for _, request, _ in cloud.registry.packages)
    assert set(packages) <= runs
    assert not [run_id for run_id, count in packages.items() if count > 1], f"registered twice: {packages}"


def _check_published(cloud: Cloud, place: str) -> None:
    """What a marker names is there, with the content it names."""
    store = cloud.world.store
    published = json.loads(store[place])
    assert published["provenance_uri"] in store
    assert published["dvc_file_uri"] in store
    md5 = published["dvc"]["md5"]
    assert f"s3://{ARTIFACTS}/dvc/files/md5/{md5[:2]}/{md5[2:]}" in store

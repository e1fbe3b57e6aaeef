from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.turbine.arrange import World, manifest, object_created
from turbine.domain import team
from turbine.domain.errors import EventNotUnderstoodError, ManifestUnreadableError, TooManyTeamsError
from turbine.domain.inference import INPUT_KEY_MAX_BYTES


def test_a_good_manifest_becomes_one_pinned_run(world: World) -> None:
    reply = world.prepare()(world.drop("manifests/vision/m.json", manifest()), "arn:one")

    (run,) = reply["runs"]
    assert reply["rejected"] == reply["needs_ingest"] == [] and reply["stale"] is False
    assert run["run_id"] == f"vision-digits-{reply['cause_key'][:12]}"
    assert run == {"run_id": run["run_id"], "team": "vision", "nodes": 1, "priority": 9000, "wait_s": 0}
    spec = json.loads(world.store[world.spec_uri(run)])
    assert [shard["version_id"] for shard in spec["dataset"]["shards"]] == [
        world.store.version_of(f"s3://data/datasets/vision/digits/part-{n}.parquet") for n in range(2)
    ]
    assert spec["split"]["salt"] == spec["team"]
    assert spec["rule"]["metric"] == "accuracy"
    snapshot = json.loads(world.store[spec["output_uri"] + "manifest.json"])
    assert snapshot["dataset"] == manifest()["dataset"]
    record = world.table.get(f"RUN#{run['run_id']}", "RECORD")
    assert record is not None
    assert record["training_execution_arn"] == "arn:one"
    assert record["manifest_uri"] == "s3://data/manifests/vision/m.json"


def test_ten_deliveries_at_once_make_one_run_and_equal_replies(world: World) -> None:
    event = world.drop("manifests/vision/m.json", manifest())
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda n: world.prepare()(event, f"arn:{n}"), range(10)))
    assert all(reply == replies[0] for reply in replies)
    assert len(replies[0]["runs"]) == 1
    assert sum(uri.endswith("/run.json") for uri in world.store.written) == 1
    assert len(world.table.of_kind("run")) == 1


def test_a_later_delivery_keeps_the_pinned_data_though_the_data_changed(world: World) -> None:
    event = world.drop("manifests/vision/m.json", manifest())
    first = world.prepare()(event, "arn:one")
    before = world.store[world.spec_uri(first["runs"][0])]
    world.store["s3://data/datasets/vision/digits/part-0.parquet"] = b"other rows"
    assert world.prepare()(event, "arn:two") == first
    assert world.store[world.spec_uri(first["runs"][0])] == before


def test_an_older_version_that_arrives_after_a_newer_one_starts_nothing(world: World) -> None:
    old = world.drop("manifests/vision/m.json", manifest(), sequencer="0AF")
    new = world.drop("manifests/vision/m.json", manifest(seed=8), sequencer="0B")
    assert len(world.prepare()(new, "arn:new")["runs"]) == 1
    late = world.prepare()(old, "arn:old")
    assert (late["stale"], late["runs"]) == (True, [])
    assert world.prepare()(new, "arn:again")["stale"] is False


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_prepared_run_that_may_not_start_any_more_ends_superseded(world: World, is_claimed: bool) -> None:
    """The reply was lost, and before the retry a newer version came. A run that has started ends by itself."""
    old = world.drop("manifests/vision/m.json", manifest(), sequencer="0A")
    (run,) = world.prepare()(old, "arn:old")["runs"]
    new = world.drop("manifests/vision/m.json", manifest(seed=8), sequencer="0B")
    world.prepare()(new, "arn:new")
    if is_claimed:
        world.table.put({"pk": f"RUN#{run['run_id']}", "sk": "CLAIM", "owner": "arn:run"})
    assert world.prepare()(old, "arn:old")["stale"] is True
    outcome = world.table.get(f"RUN#{run['run_id']}", "OUTCOME")
    assert (outcome or {}).get("status") == (None if is_claimed else "SUPERSEDED")


def test_an_old_version_that_has_expired_ends_quietly(world: World) -> None:
    old = world.drop("manifests/vision/m.json", manifest(), sequencer="0A")
    new = world.drop("manifests/vision/m.json", manifest(seed=8), sequencer="0B")
    world.prepare()(new, "arn:new")
    world.store.delete_version("s3://data/manifests/vision/m.json", old["detail"]["object"]["version-id"])
    assert world.prepare()(old, "arn:old")["stale"] is True


@pytest.mark.parametrize(
    ("change", "field", "mend"),
    [
        ({"recepi": 1}, "recepi", "remove recepi"),
        ({"team": "tabular"}, "team", "'vision'"),
        ({"recipe": {"name": "tabular_clasifier"}}, "recipe.name", "recipe.name"),
        ({"recipe": {"name": "tabular_regressor"}}, "recipe.name", "rule.metric"),
        *(
            ({"recipe": {"name": "image_classifier", "publish_epochs": epochs}}, f"recipe.publish_epochs{place}", "")
            for epochs, place in (
                ([0], ".0"),
                ([10_001], ".0"),
                (["first"], ".0"),
                ([True], ".0"),
                ([2, 1], ""),
                ([1, 1], ""),
                (["last", 1], ""),
                (["last", "last"], ""),
                (list(range(1, 22)), ""),
            )
        ),
        ({"recipe": {"name": "own_script", "publish_epochs": ["last"]}}, "recipe", "recipe"),
        ({"compute": {"nodes": 8}}, "compute.nodes", "compute.nodes"),
        ({"compute": {"nodes": True}}, "compute.nodes", "compute.nodes"),
        ({"compute": {"max_cost_usd": 40}}, "compute.max_cost_usd", "raise compute.max_cost_usd"),
        ({"compute": {"checkpoint_every_s": 0}}, "compute.checkpoint_every_s", "compute.checkpoint_every_s"),
        ({"compute": {"checkpoint_every_s": 60, "checkpoint_every_steps": 9}}, "compute", "compute"),
        ({"seed": "seven"}, "seed", "seed"),
        ({"schema_version": 2}, "schema_version", "1"),
        ({"inference": {"uri": "s3://data/datasets/vision/none/", "format": "jsonl"}}, "inference.uri", "upload"),
        ({"inference": {"uri": "s3://data/manifests/", "format": "jsonl"}}, "inference.uri", "datasets/vision/"),
    ],
)
def test_a_refusal_names_field_problem_and_mend_and_leaves_nothing_else(
    world: World, change: dict[str, Any], field: str, mend: str
) -> None:
    written = len(world.store.written) + 1  # the manifest itself
    reply = world.prepare()(world.drop("manifests/vision/m.json", manifest(**change)), "arn:one")

    assert reply["runs"] == []
    assert len(world.store.written) == written
    (refused,) = reply["rejected"]
    assert refused["field"] == field and refused["problem"] and mend in refused["mend"]
    (record,) = world.table.of_kind("rejection")
    assert (record["pk"], record["sk"]) == (f"REJECTED#{reply['cause_key']}", "RECORD")
    (event,) = world.bus.of_type("ManifestRejected")
    assert {name: event[name] for name in refused} == refused
    assert event["manifest_uri"] == "s3://data/manifests/vision/m.json"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3://other/datasets/vision/digits/", "outside"),
        ("s3://data/datasets/tabular/digits/", "outside"),
        ("s3://data/datasets/vision", "outside"),
        ("s3://data/datasets/vision/none/", "points at nothing"),
        ("s3://data/datasets/vision/../tabular/", "relative"),
        ("https://example.com/digits", "s3://"),
    ],
)
def test_data_outside_the_teams_place_or_nowhere_is_refused(world: World, uri: str, problem: str) -> None:
    dataset = manifest()["dataset"] | {"source": {"type": "s3", "uri": uri}}
    reply = world.prepare()(world.drop("manifests/vision/m.json", manifest(dataset=dataset)), "arn:one")
    (refused,) = reply["rejected"]
    assert refused["field"] == "dataset.source.uri"
    assert problem in refused["problem"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"team: vision", "is not JSON: Expecting value at line 1"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "not a JSON object"),
        (b'{"note": "' + b"x" * 70_000 + b'"}', "more than the 65536 allowed"),
        (b"[" * 13 + b"]" * 13, "nested more than 12"),
        (b'{"team": NaN}', "NaN"),
        (b'{"team": 1, "team": 2}', "given twice"),
        (b'{"team": ' + b"1" * 5000 + b"}", "number"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_before_it_is_understood(world: World, body: bytes, problem: str) -> None:
    (refused,) = world.prepare()(world.drop("manifests/vision/m.json", body), "arn:one")["rejected"]
    assert problem in refused["problem"]


def test_an_unknown_team_comes_before_every_other_fault(world: World) -> None:
    event = world.drop("manifests/nobody/m.json", manifest("vision"))
    (refused,) = world.prepare()(event, "arn:one")["rejected"]
    assert (refused["team"], refused["field"]) == ("nobody", "team")
    assert "turbine teams apply" in refused["mend"]


def test_a_refusal_is_told_once_and_by_the_execution_that_made_it(world: World) -> None:
    event = world.drop("manifests/vision/m.json", manifest(recepi=1))
    world.bus.refusals = 1
    with pytest.raises(Exception, match="did not take it"):
        world.prepare()(event, "arn:one")
    world.prepare()(event, "arn:two")  # another delivery: not its to tell
    assert world.bus.events == []
    world.prepare()(event, "arn:one")  # the machine's retry
    world.prepare()(event, "arn:one")
    assert len(world.bus.of_type("ManifestRejected")) == 1


def test_a_refused_manifest_stays_refused_when_its_data_appears(world: World) -> None:
    dataset = manifest()["dataset"] | {"source": {"type": "s3", "uri": "s3://data/datasets/vision/late/"}}
    event = world.drop("manifests/vision/m.json", manifest(dataset=dataset))
    first = world.prepare()(event, "arn:one")
    world.store["s3://data/datasets/vision/late/part.parquet"] = b"rows"
    assert world.prepare()(event, "arn:two") == first


def test_only_objects_of_the_given_format_are_shards(world: World) -> None:
    world.store["s3://data/datasets/vision/digits/images.tar"] = b"images"
    dataset = manifest()["dataset"] | {"format": "tar", "target": "cls"}
    (run,) = world.prepare()(world.drop("manifests/vision/m.json", manifest(dataset=dataset)), "arn:one")["runs"]
    pinned = json.loads(world.store[world.spec_uri(run)])["dataset"]
    assert [shard["key"] for shard in pinned["shards"]] == ["datasets/vision/digits/images.tar"]
    assert pinned["format"] == "tar"


def test_a_place_without_shards_of_the_format_is_named(world: World) -> None:
    dataset = manifest()["dataset"] | {"format": "tar"}
    (refused,) = world.prepare()(world.drop("manifests/vision/a.json", manifest(dataset=dataset)), "x")["rejected"]
    assert refused["field"] == "dataset.source.uri"
    assert ".tar shard" in refused["problem"]


def test_the_given_sha256_must_be_that_of_the_shards(world: World) -> None:
    dataset = manifest()["dataset"] | {"sha256": "0" * 64}
    (refused,) = world.prepare()(world.drop("manifests/vision/a.json", manifest(dataset=dataset)), "x")["rejected"]
    assert refused["field"] == "dataset.sha256"
    dataset["sha256"] = hashlib.sha256(b"shard zero" + b"shard one").hexdigest()
    assert world.prepare()(world.drop("manifests/vision/b.json", manifest(dataset=dataset)), "x")["rejected"] == []


def test_a_deleted_version_is_an_error_that_says_what_to_do(world: World) -> None:
    event = world.drop("manifests/vision/m.json", manifest())
    uri = "s3://data/manifests/vision/m.json"
    world.store.delete_version(uri, world.store.version_of(uri))
    with pytest.raises(ManifestUnreadableError, match="aws s3 cp FILE"):
        world.prepare()(event, "arn:one")


def test_a_forbidden_manifest_is_an_error(world: World) -> None:
    event = world.drop("manifests/vision/m.json", manifest())
    world.store.forbidden.add("s3://data/manifests/vision/m.json")
    with pytest.raises(ManifestUnreadableError, match="may not be accessed"):
        world.prepare()(event, "arn:one")


def test_each_entry_of_a_batch_stands_alone(world: World) -> None:
    runs = [manifest(), manifest(), manifest("tabular", recipe={"name": "none"}), manifest("nobody"), {"team": 5}]
    event = world.drop("manifests/_batch/b.json", {"schema_version": 1, "runs": runs})
    reply = world.prepare()(event, "arn:one")

    assert len({run["run_id"] for run in reply["runs"]}) == 2
    assert [refused["field"] for refused in reply["rejected"]] == [
        "runs.2.recipe.name",
        "runs.3.team",
        "runs.4.schema_version",
    ]
    assert {item["sk"] for item in world.table.of_kind("rejection")} == {"RECORD#2", "RECORD#3", "RECORD#4"}
    assert world.prepare()(event, "arn:two") == reply


def test_a_thousand_runs_fit_what_step_functions_passes_on_and_one_more_is_refused(world: World) -> None:
    event = world.drop("manifests/_batch/b.json", {"schema_version": 1, "runs": [manifest()] * 1000})
    reply = world.prepare()(event, "arn:one")
    assert len(reply["runs"]) == len({run["run_id"] for run in reply["runs"]}) == 1000
    assert len(json.dumps(reply)) < 262_144 / 2
    event = world.drop("manifests/_batch/b.json", {"schema_version": 1, "runs": [manifest()] * 1001}, "02")
    reply = world.prepare()(event, "arn:one")
    assert (reply["runs"], [refused["field"] for refused in reply["rejected"]]) == ([], ["runs"])


def test_a_schedule_trains_every_team_without_a_schedule_of_its_own(world: World) -> None:
    world.add_team("night", 'schedule: {cron: "cron(0 2 * * ? *)"}\n')
    firing = {"schedule": "weekly", "scheduled_time": "2026-11-23T02:00:00Z", "teams": ["*"]}
    reply = world.prepare()(firing, "arn:one")
    assert [run["team"] for run in reply["runs"]] == ["tabular", "vision"]
    assert reply["rejected"] == []
    assert world.prepare()(firing, "arn:two") == reply
    spec = json.loads(world.store[world.spec_uri(reply["runs"][0])])
    assert spec["cause"]["kind"] == "schedule" and spec["cause"]["schedule"] == "weekly"
    named = world.prepare()(firing | {"teams": ["night", "nobody"]}, "arn:one")
    assert [run["team"] for run in named["runs"]] == ["night"]
    assert [refused["team"] for refused in named["rejected"]] == ["nobody"]


def test_a_schedule_of_more_teams_than_there_is_room_for_is_an_error_that_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    firing = {"schedule": "weekly", "scheduled_time": "2026-11-23T02:00:00Z", "teams": ["*"]}
    monkeypatch.setattr(team, "TEAMS_MAX", 2)
    assert len(world.prepare()(firing, "arn:one")["runs"]) == 2
    world.add_team("third")
    with pytest.raises(TooManyTeamsError, match="has 3 team files, and there is room for 2 teams"):
        world.prepare()(firing, "arn:one")


def test_a_faulty_team_file_stops_only_its_team(world: World) -> None:
    world.store["s3://data/config/teams/vision.yaml"] = b"team: vision\nrule: {}\n"
    reply = world.prepare()({"schedule": "w", "scheduled_time": "t", "teams": ["*"]}, "arn:one")
    assert [run["team"] for run in reply["runs"]] == ["tabular"]
    assert "config/teams/vision.yaml" in reply["rejected"][0]["mend"]


def test_what_the_manifest_says_of_the_job_is_passed_on(world: World) -> None:
    world.add_team("vision", "work_cpu_hours: 1\n")
    compute = {"nodes": 2, "processes_per_node": 4, "checkpoint_every_s": 30.5}
    event = world.drop("manifests/vision/m.json", manifest(compute=compute))
    (run,) = world.prepare()(event, "arn:one")["runs"]
    assert run["nodes"] == 2
    spec = json.loads(world.store[world.spec_uri(run)])
    assert spec["compute"] == compute | {"checkpoint_every_steps": None}


@pytest.mark.parametrize(
    "event",
    [
        {"detail-type": "Object Deleted"},
        object_created("manifests/vision/m.yaml", "v1"),
        object_created("elsewhere/vision/m.json", "v1"),
        object_created("manifests/vision/m.json", ""),
        {"schedule": "weekly", "scheduled_time": "t", "teams": []},
    ],
)
def test_an_event_it_was_not_written_for_is_an_error(world: World, event: dict[str, Any]) -> None:
    with pytest.raises(EventNotUnderstoodError):
        world.prepare()(event, "arn:one")


@pytest.mark.parametrize("key", ["manifests/m.json", "manifests/vision/deeper/m.json", "manifests//m.json"])
def test_a_manifest_at_the_wrong_depth_is_a_recorded_refusal(world: World, key: str) -> None:
    reply = world.prepare()(object_created(key, "v1"), "arn:one")
    (refused,) = reply["rejected"]
    assert reply["runs"] == [] and (refused["team"], refused["field"]) == ("", "(key)")
    assert refused["mend"].endswith("aws s3 cp FILE s3://data/manifests/<team>/FILE")
    (record,) = world.table.of_kind("rejection")
    assert record["manifest_uri"] == f"s3://data/{key}"
    assert len(world.bus.of_type("ManifestRejected")) == 1


def test_an_input_whose_predictions_would_have_too_long_a_key_is_refused(world: World) -> None:
    prefix = "s3://data/datasets/vision/long/"
    asked = manifest(inference={"uri": prefix, "format": "jsonl"})
    fits = "k" * (INPUT_KEY_MAX_BYTES - len("datasets/vision/long/"))
    world.store[prefix + fits] = b"{}"
    assert world.prepare()(world.drop("manifests/vision/a.json", asked), "arn:one")["runs"]
    world.store[f"{prefix}{fits}k"] = b"{}"
    (refused,) = world.prepare()(world.drop("manifests/vision/b.json", asked), "arn:one")["rejected"]
    assert refused["field"] == "inference.uri"
    assert "801 bytes, more than the 800" in refused["problem"] and "shorter name" in refused["mend"]

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pytest

from tests.fakes import FakeVersioning
from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError
from turbine.domain.run import RunReference
from turbine.usecases.publish_artifacts import PublishArtifacts


def publisher(world: World) -> tuple[PublishArtifacts, FakeVersioning]:
    versioning = FakeVersioning(world.store)
    return PublishArtifacts(ARTIFACTS, "image:1", world.store, versioning, world.bus, world.clock), versioning


def prefix(run: RunReference) -> str:
    return run.spec_uri.removesuffix("run.json")


def test_it_tracks_the_archive_and_writes_where_it_came_from(world: World) -> None:
    run = world.finished_run()
    publish, _ = publisher(world)
    reply = publish(run)

    assert reply["model_data_uri"] == f"{prefix(run)}model.tar.gz"
    assert reply["dvc"]["path"] == "model.tar.gz"
    md5 = reply["dvc"]["md5"]
    stored = world.store[f"s3://artifacts/dvc/files/md5/{md5[:2]}/{md5[2:]}"]
    assert stored == world.store[reply["model_data_uri"]]
    assert md5.encode() in world.store[f"{prefix(run)}model.tar.gz.dvc"]
    provenance = json.loads(world.store[reply["provenance_uri"]])
    assert provenance["image"] == "image:1"
    assert provenance["dataset"]["shards"][0]["version_id"]
    assert provenance["metrics"]["test"]["accuracy"] == 0.97
    assert world.store.written[-2].endswith("published.json")
    assert world.bus.of_type("ModelTrained") == [
        {
            "schema_version": 1,
            "team": "vision",
            "run_id": run.run_id,
            "metrics": {"accuracy": 0.97, "log_loss": 0.1},
            "dvc": reply["dvc"],
        }
    ]


def put_epochs(world: World, run: RunReference, *epochs: int, asked: Sequence[int | str] = ()) -> None:
    """What a job leaves that publishes single epochs of those it was asked for."""
    spec = json.loads(world.store[run.spec_uri])
    spec["recipe"]["publish_epochs"] = list(asked or epochs)
    world.store[run.spec_uri] = json.dumps(spec).encode()
    metrics = json.loads(world.store[f"{prefix(run)}metrics.json"])
    metrics["epochs"] = [
        {"epoch": epoch, "validation": {"accuracy": epoch / 100}, "elapsed_s": 1.0} for epoch in sorted(epochs)
    ]
    world.store[f"{prefix(run)}metrics.json"] = json.dumps(metrics).encode()
    marker = json.loads(world.store[f"{prefix(run)}_SUCCESS"])
    body = world.store[f"{prefix(run)}metrics.json"]
    marker["files"]["metrics.json"] = {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}
    for epoch in epochs:
        name, body = f"model/epochs/{epoch}/model.tar.gz", f"the model after {epoch}".encode()
        world.store[f"{prefix(run)}{name}"] = body
        marker["files"][name] = {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}
    world.store[f"{prefix(run)}_SUCCESS"] = json.dumps(marker).encode()


def test_each_epoch_that_the_job_left_is_tracked_too(world: World) -> None:
    run = world.finished_run()
    put_epochs(world, run, 10, 2, 11, asked=[2, 10, 15, "last"])
    publish, versioning = publisher(world)
    reply = publish(run)
    assert "epochs" not in reply  # it goes through the machine
    published = json.loads(world.store[f"{prefix(run)}published.json"])
    assert list(published["epochs"]) == ["2", "10", "11"]
    assert published["epochs_not_reached"] == [15]
    for epoch, one in published["epochs"].items():
        md5 = one["dvc"]["md5"]
        assert world.store[f"s3://artifacts/dvc/files/md5/{md5[:2]}/{md5[2:]}"] == f"the model after {epoch}".encode()
        assert one["model_data_uri"] == f"{prefix(run)}model/epochs/{epoch}/model.tar.gz"
        assert md5.encode() in world.store[one["dvc_file_uri"]]
        assert one["validation"] == {"accuracy": int(epoch) / 100}
    provenance = json.loads(world.store[reply["provenance_uri"]])
    assert (provenance["epochs"], provenance["epochs_not_reached"]) == (published["epochs"], [15])
    assert versioning.calls == 4


def test_an_epochs_archive_that_is_not_what_the_job_wrote_is_refused(world: World) -> None:
    run = world.finished_run()
    put_epochs(world, run, 2)
    world.store[f"{prefix(run)}model/epochs/2/model.tar.gz"] = b"the model after 3"
    with pytest.raises(ArtifactCorruptError, match="model/epochs/2/model"):
        publisher(world)[0](run)
    assert f"{prefix(run)}published.json" not in world.store


def test_publishing_again_answers_the_same_and_does_nothing(world: World) -> None:
    run = world.finished_run()
    publish, versioning = publisher(world)
    first = publish(run)
    written = list(world.store.written)
    assert publish(run) == first
    assert versioning.calls == 1 and world.store.written == written
    assert len(world.bus.events) == 1


def test_an_event_that_the_bus_refused_is_sent_by_the_retry(world: World) -> None:
    run = world.finished_run()
    publish, versioning = publisher(world)
    world.bus.refusals = 1
    with pytest.raises(Exception, match="did not take it"):
        publish(run)
    publish(run)
    assert versioning.calls == 1 and len(world.bus.of_type("ModelTrained")) == 1


@pytest.mark.parametrize("name", ["_SUCCESS", "model.tar.gz", "metrics.json", "evaluation.parquet"])
def test_a_missing_file_is_named(world: World, name: str) -> None:
    run = world.finished_run()
    world.store.delete(prefix(run) + name)
    with pytest.raises(ArtifactMissingError, match=name.replace(".", r"\.")):
        publisher(world)[0](run)
    assert f"{prefix(run)}published.json" not in world.store


def test_a_marker_that_promises_too_little_is_refused(world: World) -> None:
    run = world.finished_run()
    marker = json.loads(world.store[f"{prefix(run)}_SUCCESS"])
    del marker["files"]["model.tar.gz"]
    world.store[f"{prefix(run)}_SUCCESS"] = json.dumps(marker).encode()
    with pytest.raises(ArtifactMissingError, match=r"does not list model\.tar\.gz"):
        publisher(world)[0](run)


@pytest.mark.parametrize("change", [lambda body: body + b"!", lambda body: b"!" + body[1:]])
def test_a_changed_file_is_corrupt_whether_its_size_changed_or_not(world: World, change) -> None:  # type: ignore[no-untyped-def]
    run = world.finished_run()
    archive = f"{prefix(run)}model.tar.gz"
    world.store[archive] = change(world.store[archive])
    publish, versioning = publisher(world)
    with pytest.raises(ArtifactCorruptError, match="the training job wrote"):
        publish(run)
    assert versioning.calls == 0


def test_what_a_job_without_the_lease_wrote_over_the_result_is_not_read(world: World) -> None:
    run = world.finished_run(versions=True)
    right = {name: world.store[prefix(run) + name] for name in ("model.tar.gz", "metrics.json")}
    for name in right:
        world.store[prefix(run) + name] = b"of a job that lost its lease"
    publish, _ = publisher(world)
    reply = publish(run)
    md5 = hashlib.md5(right["model.tar.gz"], usedforsecurity=False).hexdigest()
    assert reply["dvc"]["md5"] == md5
    assert {name: world.store[prefix(run) + name] for name in right} == right
    assert len(world.store.copies) == len(right)
    world.store[f"{prefix(run)}metrics.json"] = b"later still"
    assert publish(run) == reply


def test_an_archive_that_changes_while_it_is_copied_is_corrupt(world: World) -> None:
    run = world.finished_run()
    publish, versioning = publisher(world)
    track = versioning.track

    def changed(source, remote):  # type: ignore[no-untyped-def]
        world.store[str(source)] = b"another archive"
        return track(source, remote)

    versioning.track = changed  # type: ignore[method-assign]
    with pytest.raises(ArtifactCorruptError, match="changed while it was copied"):
        publish(run)

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fakes import FakeVersioning
from tests.unit.turbine.arrange import ARTIFACTS, World
from turbine.domain.rules.ruling import Decision
from turbine.domain.run import RunReference
from turbine.usecases.publish_artifacts import PublishArtifacts
from turbine.usecases.register_model import RegisterModel, RegistrationRequest


def register(world: World, run: RunReference, decision: Decision = "promote") -> dict[str, Any]:
    use_case = RegisterModel("turbine", ARTIFACTS, "image:2", world.store, world.table, world.registry, world.clock)
    return use_case(RegistrationRequest(**run.model_dump(), decision=decision))


def test_a_model_is_registered_with_what_it_can_be_found_by(world: World) -> None:
    run = world.finished_run()
    published = PublishArtifacts(ARTIFACTS, "i", world.store, FakeVersioning(world.store), world.bus, world.clock)(run)
    reply = register(world, run)

    ((package, request, _),) = world.registry.packages
    assert reply == {
        "model_package_arn": package.arn,
        "model_version": 1,
        "model_data_uri": f"s3://artifacts/registry/vision/{run.run_id}/model.tar.gz",
    }
    assert world.store[reply["model_data_uri"]] == world.store[published["model_data_uri"]]
    assert (request.group, request.approval) == ("turbine-vision", "PendingManualApproval")
    assert len(request.client_token) <= 36
    assert request.metadata["run_id"] == run.run_id
    assert request.metadata["test_accuracy"] == "0.97"
    assert request.metadata["model_md5"] == published["dvc"]["md5"]
    assert all(len(value) <= 256 for value in request.metadata.values()) and len(request.metadata) <= 50


def test_a_model_is_registered_as_its_marker_describes_it_whatever_was_written_since(world: World) -> None:
    run = world.finished_run(versions=True)
    prefix = run.spec_uri.removesuffix("run.json")
    archive = world.store[f"{prefix}model.tar.gz"]
    for name in ("model.tar.gz", "metrics.json"):
        world.store[prefix + name] = b"of a job that lost its lease"
    reply = register(world, run)
    assert world.store[reply["model_data_uri"]] == archive
    ((_, request, _),) = world.registry.packages
    assert request.metadata["test_accuracy"] == "0.97"


@pytest.mark.parametrize(("decision", "approval"), [("hold", "PendingManualApproval"), ("reject", "Rejected")])
def test_only_a_rejected_model_is_registered_as_such(world: World, decision: Decision, approval: str) -> None:
    register(world, world.finished_run(), decision)
    ((_, request, _),) = world.registry.packages
    assert request.approval == approval
    assert all(request.metadata.values())  # SageMaker refuses empty ones, as that of an unknown MD5


def test_registering_again_makes_no_second_package(world: World) -> None:
    run = world.finished_run()
    assert register(world, run) == register(world, run)
    assert len(world.registry.packages) == len(world.store.copies) == 1
    assert world.registry.revisions == []


def test_a_crash_after_the_package_finds_it_again(world: World) -> None:
    run = world.finished_run()
    world.registry.crash_after_create = True
    with pytest.raises(ConnectionError):
        register(world, run)
    world.clock.move(timedelta(days=30))
    assert register(world, run)["model_version"] == 1
    assert len(world.registry.packages) == len(world.store.copies) == 1


def test_a_model_that_lost_its_comparison_meanwhile_is_marked_rejected(world: World) -> None:
    run = world.finished_run()
    register(world, run, "promote")
    reply = register(world, run, "reject")
    assert world.registry.revisions == [(reply["model_package_arn"], "Rejected", {"decision": "reject"})]
    register(world, run, "reject")
    assert len(world.registry.revisions) == 1

"""The publishing job in an account in memory: what it leaves, and what its end says to AWS Batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from publishing import job

from tests.fakes import FakeStore, FakeVersioning
from tests.unit.functions import account as arranged
from tests.unit.functions.account import ARTIFACTS, ENVIRONMENT, invoke
from turbine.aws.s3 import S3Store
from turbine.domain.errors import TryAgainError
from turbine.ports import TrackedFile

ARCHIVE = b"archive"
MD5 = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()


class Tracks(FakeVersioning):
    """Counts how often it is asked."""

    asked = 0

    def __init__(self) -> None:
        super().__init__(FakeStore())

    def track(self, source: Any, remote: Any) -> TrackedFile:
        Tracks.asked += 1
        return TrackedFile("model.tar.gz", MD5, len(ARCHIVE), b"outs: []\n")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A trained run whose files are too large for the function, and the job's environment for it."""
    for name, value in (ENVIRONMENT | {"PUBLISH_IN_FUNCTION_BYTES": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(job, "DvcRemote", Tracks)
    monkeypatch.setattr(Tracks, "asked", 0)
    arranged.forget_clients()
    with mock_aws():
        arranged.make_resources()
        trained = arranged.trained_run()
        for name, value in trained.items():
            monkeypatch.setenv(name.upper(), value)
        yield trained
    arranged.forget_clients()


def copies(run: dict[str, Any]) -> list[dict[str, Any]]:
    listed = boto3.client("s3").list_object_versions(Bucket=ARTIFACTS, Prefix=f"registry/{run['team']}/")
    return [dict(version) for version in listed.get("Versions", [])]


def test_the_job_publishes_and_the_functions_find_it(run: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("publish_artifacts", run)["is_published"] is False
    assert job.main() == job.OK
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["event"], said["dvc"]["md5"]) == ("published", MD5)
    reply = invoke("publish_artifacts", run)
    assert (reply["is_published"], reply["dvc"]) == (True, said["dvc"])
    package = invoke("register_model", {**run, "decision": "hold"})
    assert package["model_data_uri"] == said["archive"]
    assert len(copies(run)) == 1


def test_a_second_job_does_nothing_again(run: dict[str, Any]) -> None:
    assert [job.main(), job.main()] == [job.OK, job.OK]
    assert Tracks.asked == 1
    assert len(copies(run)) == 1


def test_a_job_that_died_between_the_two_is_finished_by_the_next(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(S3Store, "copy", lambda *_: (_ for _ in ()).throw(TryAgainError("the connection broke off")))
        assert job.main() == job.TRY_AGAIN
    assert copies(run) == []
    assert job.main() == job.OK
    assert (Tracks.asked, len(copies(run))) == (1, 1)


def test_ends_are_told_by_their_codes(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = run["spec_uri"].removeprefix(f"s3://{ARTIFACTS}/").removesuffix("run.json")
    with monkeypatch.context() as without:
        without.delenv("SPEC_URI")
        assert job.main() == job.CONFIGURATION_ERROR
    assert "needs SPEC_URI" in capsys.readouterr().out
    with monkeypatch.context() as broken:
        broken.setattr(Tracks, "track", lambda *_: None)
        assert job.main() == job.BUG
    boto3.client("s3").delete_object(Bucket=ARTIFACTS, Key=f"{prefix}_SUCCESS")
    assert job.main() == job.DATA_ERROR
    assert "_SUCCESS is missing" in capsys.readouterr().out

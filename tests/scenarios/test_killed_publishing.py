"""Publishing that is killed: hosts of its job are lost midway, its function runs out of time. Nothing is done twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local_cloud import hosts
from tests.scenarios.conftest import KeptDemo
from tests.scenarios.live_cloud import LiveCloud, TookTooLongError, wait_for
from tests.scenarios.manifests import clone_finished_run
from tests.scenarios.training_jobs import ended_job

pytestmark = pytest.mark.xdist_group("scenarios")
TEAM = "winery"
ARCHIVE = "model.tar.gz"
PARTS = [random.Random(part).randbytes(size) for part, size in enumerate((2**24, 2**24, 2**20))]
"""An archive in parts, as a job uploads one that is too large for a single request."""


@contextlib.contextmanager
def publishing_function(cloud: LiveCloud, variables: dict[str, str] | None = None, **settings: Any) -> Iterator[None]:
    """The function with other settings, and with other values of some of its variables."""
    functions, name = cloud.client("lambda"), cloud.resource("PublishArtifactsFunction")
    before = functions.get_function_configuration(FunctionName=name)
    own = before["Environment"]["Variables"]
    kept = {"Environment": {"Variables": own}, **{setting: before[setting] for setting in settings}}
    changed = {"Environment": {"Variables": {**own, **(variables or {})}}, **settings}
    functions.update_function_configuration(FunctionName=name, **changed)
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, **kept)


def put_in_parts(cloud: LiveCloud, key: str) -> str:
    """The archive's version."""
    s3, at = cloud.client("s3"), {"Bucket": cloud.outputs["ArtifactBucketName"], "Key": key}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(PARTS, 1)
    ]
    return str(s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})["VersionId"])


def large_run(demo: KeptDemo) -> dict[str, Any]:
    """A trained run with an archive of several parts: its machine's input."""
    cloud, run_id = demo.cloud, f"{TEAM}-large-{uuid.uuid4().hex[:12]}"
    (trained,) = demo.runs(team=TEAM, round=1)
    given = clone_finished_run(cloud, TEAM, trained["run_id"], run_id, publish_metrics=True)
    marker = cloud.read_json(cloud.run_uri(TEAM, run_id, "_SUCCESS"))
    whole = b"".join(PARTS)
    marker["files"][ARCHIVE] = {
        "sha256": hashlib.sha256(whole).hexdigest(),
        "size_bytes": len(whole),
        "version_id": put_in_parts(cloud, f"runs/{TEAM}/{run_id}/{ARCHIVE}"),
    }
    cloud.put(f"runs/{TEAM}/{run_id}/_SUCCESS", marker, cloud.outputs["ArtifactBucketName"])
    return given


def versions(cloud: LiveCloud, key: str) -> list[dict[str, Any]]:
    """Of one object."""
    bucket = cloud.outputs["ArtifactBucketName"]
    listed = cloud.client("s3").list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
    return [dict(one) for one in listed if one["Key"] == key]


def publishing_job(cloud: LiveCloud, run_id: str) -> str:
    """The id of the run's publishing job, once it is there; there is one."""

    def look() -> str | None:
        named = [{"name": "JOB_NAME", "values": [f"{run_id}-publishing"]}]
        jobs = cloud.client("batch").list_jobs(jobQueue=cloud.outputs["JobQueueArn"], filters=named)["jobSummaryList"]
        assert len(jobs) <= 1
        return str(jobs[0]["jobId"]) if jobs else None

    return wait_for(look, f"the publishing job of {run_id}")


def lose_host(cloud: LiveCloud, job_id: str, attempt: int, limit_s: float = 90) -> None:
    """The host of an attempt dies, once it is at work. Raises: TookTooLongError, HostError when it has ended."""
    own = cloud.environment
    access = hosts.Access(own["AWS_ENDPOINT_URL"], own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"])

    def look() -> str | None:
        running = [one for one in hosts.running(access) if (one["jobId"], one["attempt"]) == (job_id, attempt)]
        return str(running[0]["instanceId"]) if running else None

    hosts.lose(access, wait_for(look, f"attempt {attempt} of {job_id}", limit_s))


def started(cloud: LiveCloud, given: dict[str, Any]) -> str:
    return cloud.start("RunMachineArn", given, given["run_id"])


def went_through(cloud: LiveCloud, given: dict[str, Any], arn: str) -> list[str]:
    """The states of a run that was published and registered, each file of it once; the copy has the archive's bytes."""
    execution = cloud.ended(arn)
    assert execution["status"] == "SUCCEEDED", execution
    run_id = given["run_id"]
    for name in ("published.json", "announced.json", "provenance.json"):
        assert len(versions(cloud, f"runs/{TEAM}/{run_id}/{name}")) == 1, name
    package = cloud.item(f"RUN#{run_id}", "PACKAGE")
    assert package is not None
    bucket = cloud.outputs["ArtifactBucketName"]
    (copy,) = versions(cloud, package["model_data_uri"].removeprefix(f"s3://{bucket}/"))
    archive = cloud.client("s3").head_object(Bucket=bucket, Key=f"runs/{TEAM}/{run_id}/{ARCHIVE}")
    assert copy["ETag"] == archive["ETag"] and copy["ETag"].endswith(f'-{len(PARTS)}"')
    assert cloud.read(package["model_data_uri"]) == b"".join(PARTS)
    uploads = cloud.client("s3").list_multipart_uploads(Bucket=bucket, Prefix=copy["Key"]).get("Uploads", [])
    assert uploads == []
    return cloud.states_entered(arn)


def test_a_job_that_loses_its_hosts_publishes_once_what_the_function_would(demo: KeptDemo) -> None:
    cloud = demo.cloud
    by_job, by_function = large_run(demo), large_run(demo)
    with publishing_function(cloud, {"PUBLISH_IN_FUNCTION_BYTES": "1"}):
        arn = started(cloud, by_job)
        job_id = publishing_job(cloud, by_job["run_id"])
        lose_host(cloud, job_id, 1)
        wait_for(
            lambda: versions(cloud, f"runs/{TEAM}/{by_job['run_id']}/published.json") or None, "the marker", limit_s=60
        )
        with contextlib.suppress(hosts.HostError, TookTooLongError):  # it may have been faster
            lose_host(cloud, job_id, 2, limit_s=1)
        entered = went_through(cloud, by_job, arn)
    assert entered.count("PublishLargeArtifacts") == 1
    attempts = [one.get("statusReason", "") for one in ended_job(cloud, job_id)["attempts"]]
    assert attempts[0].startswith("Host EC2") and len(attempts) in (2, 3)

    # Another job has written over the other run's archive: publishing brings the right version back, part by part.
    key = f"runs/{TEAM}/{by_function['run_id']}/{ARCHIVE}"
    cloud.put(key, b"of a job that lost its lease", cloud.outputs["ArtifactBucketName"])
    entered = went_through(cloud, by_function, started(cloud, by_function))
    assert "PublishLargeArtifacts" not in entered
    pointers = [cloud.read(cloud.run_uri(TEAM, given["run_id"], f"{ARCHIVE}.dvc")) for given in (by_job, by_function)]
    assert pointers[0] == pointers[1]
    told = [_provenance(cloud, given["run_id"]) for given in (by_job, by_function)]
    assert told[0] == told[1]


def test_a_function_that_runs_out_of_time_leaves_it_to_a_job(demo: KeptDemo) -> None:
    cloud, given = demo.cloud, large_run(demo)
    with publishing_function(cloud, Timeout=1):
        entered = went_through(cloud, given, started(cloud, given))
    at = entered.index("PublishArtifacts")
    assert entered[at : at + 3] == ["PublishArtifacts", "PublishLargeArtifacts", "CompareModels"]


def _provenance(cloud: LiveCloud, run_id: str) -> dict[str, Any]:
    """What a run came from, without its own name."""
    text = json.dumps(cloud.read_json(cloud.run_uri(TEAM, run_id, "provenance.json")))
    return dict(json.loads(text.replace(run_id, "RUN")))

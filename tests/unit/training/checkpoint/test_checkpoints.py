"""Saved in the background, committed by a marker, found again: or passed over, and never half."""

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from botocore.exceptions import ClientError

from tests.unit.training.checkpoint.conftest import FINGERPRINT, PATIENCE_S, PREFIX, Job, Log, Run, state
from tests.unit.training.conftest import ARTIFACT_BUCKET
from training.checkpoint import CheckpointsRefusedError, bucket
from training.errors import BAD_CONFIGURATION, INTERRUPTED, BadConfigurationError, LeaseHeldError

STATE_20 = "00000001-000000000020/state.safetensors"
MARKER_20 = "00000001-000000000020/_COMPLETE"


def refuse(code: str) -> Callable[..., Any]:
    def answer(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")

    return answer


def test_nothing_is_found_where_nothing_was_saved(run: Run) -> None:
    job = run.job(1)
    assert job.newest_step() is None
    assert job.checkpoints.committed_step is None


@pytest.mark.parametrize("host", ["the same", "another"])
def test_the_newest_is_found(run: Run, host: str) -> None:
    first = run.job(1, host="the same")
    first.save(10, 20)
    assert first.checkpoints.committed_step == 20
    first.checkpoints.close()
    second = run.job(2, host)
    assert second.newest_step() == 20
    assert second.checkpoints.committed_step == 20
    assert run.job(2, host).newest_step() == 20  # what was downloaded is a local copy like any other


def test_a_local_copy_is_not_downloaded(run: Run) -> None:
    run.job(1, host="h").save(20)
    run.delete(STATE_20)
    assert run.job(2, host="h").newest_step() == 20
    assert run.job(2).newest_step() is None


def test_a_local_copy_that_is_corrupt_is(run: Run, log: Log) -> None:
    run.job(1, host="h").save(20)
    local = run.local_file("h", STATE_20)
    local.write_bytes(bytes(local.stat().st_size))
    assert run.job(2, host="h").newest_step() == 20
    (line,) = log.lines("checkpoint_skipped")
    assert line["checkpoint"] == str(local)
    assert "corrupt" in line["reason"]


def test_the_marker_and_the_state_are_tagged_for_the_lifecycle_rule(run: Run) -> None:
    run.job(1).save(20)
    assert run.files() == [MARKER_20, STATE_20]
    for name in run.files():
        tags = run.s3.get_object_tagging(Bucket=ARTIFACT_BUCKET, Key=PREFIX + name)["TagSet"]
        assert tags == [{"Key": "turbine-kind", "Value": "checkpoint"}]
    marker = json.loads(run.read(MARKER_20))
    assert marker["sha256"] == hashlib.sha256(run.read(STATE_20)).hexdigest()
    assert marker["fingerprint"] == FINGERPRINT


def test_a_large_state_goes_in_parts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket._TRANSFER, "multipart_threshold", 5 * 2**20)
    monkeypatch.setattr(bucket._TRANSFER, "multipart_chunksize", 5 * 2**20)
    large = {"weight": torch.arange(3 * 2**20, dtype=torch.float32)}
    checkpoints = run.job(1).checkpoints
    checkpoints.save(20, large, {})
    assert checkpoints.wait(PATIENCE_S)
    head = run.s3.head_object(Bucket=ARTIFACT_BUCKET, Key=PREFIX + STATE_20)
    assert head["ETag"].strip('"').endswith("-3")
    assert run.s3.get_object_tagging(Bucket=ARTIFACT_BUCKET, Key=PREFIX + STATE_20)["TagSet"]
    snapshot = run.job(2).checkpoints.newest()
    assert snapshot is not None
    assert torch.equal(snapshot.tensors["weight"], large["weight"])


def test_training_goes_on_while_the_copy_is_committed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put_object, may_go_on = run.s3.put_object, threading.Event()

    def slow(**request: Any) -> Any:
        assert may_go_on.wait(PATIENCE_S)
        return put_object(**request)

    monkeypatch.setattr(run.s3, "put_object", slow)
    checkpoints, tensors = run.job(1).checkpoints, state(20)
    assert checkpoints.save(20, tensors, {"epoch": 20})
    tensors["weight"].zero_()
    assert not checkpoints.save(21, state(21), {})
    assert not checkpoints.wait(0.01)
    assert checkpoints.committed_step is None
    may_go_on.set()
    assert checkpoints.wait(PATIENCE_S)
    assert run.job(2).newest_step() == 20


def flip_a_bit(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


DAMAGES: dict[str, tuple[Callable[[Run], object], str]] = {
    "no marker": (lambda run: run.delete(MARKER_20), "never completed: it has no marker"),
    "no state": (lambda run: run.delete(STATE_20), "its state is not there"),
    "truncated": (lambda run: run.write(STATE_20, run.read(STATE_20)[:-1]), "truncated"),
    "one bit": (lambda run: run.write(STATE_20, flip_a_bit(run.read(STATE_20))), "corrupt"),
    "header": (lambda run: run.write(STATE_20, b"\xff" * len(run.read(STATE_20))), "corrupt"),
    "marker": (lambda run: run.write(MARKER_20, b"{"), "its marker cannot be read"),
    "marker of another": (
        lambda run: run.write(MARKER_20, run.read("00000001-000000000010/_COMPLETE")),
        "its marker is another checkpoint's",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_passed_over_with_one_line(run: Run, log: Log, damage: str) -> None:
    run.job(1).save(10, 20)
    break_it, reason = DAMAGES[damage]
    break_it(run)
    assert run.job(2).newest_step() == 10
    (line,) = log.lines("checkpoint_skipped")
    assert line["checkpoint"].endswith("/checkpoints/00000001-000000000020/")
    assert reason in line["reason"]
    assert "before it is tried" in line["mend"]


def test_the_log_promises_no_older_one_where_none_is(run: Run, log: Log) -> None:
    run.job(1).save(10, 20)
    for name in (MARKER_20, MARKER_20.replace("20/", "10/")):
        run.write(name, b"{")
    assert run.job(2).newest_step() is None
    mends = [line["mend"] for line in log.lines("checkpoint_skipped")]
    assert ["before it is tried" in mend for mend in mends] == [True, False]
    assert "begins at the first step" in mends[-1]


def test_a_whole_file_that_is_no_checkpoint_is_passed_over(run: Run, log: Log) -> None:
    run.job(1).save(10, 20)
    marker = json.loads(run.read(MARKER_20)) | {"sha256": hashlib.sha256(b"x").hexdigest(), "size_bytes": 1}
    run.write(STATE_20, b"x")
    run.write(MARKER_20, json.dumps(marker).encode())
    assert run.job(2).newest_step() == 10
    assert "cannot be parsed" in log.lines("checkpoint_skipped")[0]["reason"]


def test_an_s3_that_does_not_answer_is_no_reason_to_begin_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.job(1).save(10)
    monkeypatch.setattr(run.s3, "get_object", refuse("AccessDenied"))
    with pytest.raises(ClientError, match="AccessDenied"):
        run.job(2).newest_step()


def test_a_checkpoint_of_another_training_names_what_differs(run: Run) -> None:
    run.job(1).save(10)
    with pytest.raises(BadConfigurationError) as caught:
        run.job(2, fingerprint=FINGERPRINT | {"dataset_version": "beef"}).newest_step()
    assert "dataset_version was feed, is beef" in caught.value.message
    assert "recipe" not in caught.value.message.split("another training:")[1]
    assert "checkpoints/" in caught.value.mend


def test_the_last_two_stay_in_s3_and_on_the_disk(run: Run) -> None:
    run.job(1, host="h").save(10, 20, 30)
    kept = ["00000001-000000000020", "00000001-000000000030"]
    assert sorted({name.partition("/")[0] for name in run.files()}) == kept
    assert sorted(folder.name for folder in run.local_file("h", ".").iterdir()) == kept


def test_a_torn_one_goes_only_after_a_newer_commit(run: Run) -> None:
    run.job(1).save(10, 20)
    run.delete(MARKER_20)
    later = run.job(2)
    assert later.newest_step() == 10
    assert STATE_20 in run.files()
    later.save(15)
    assert STATE_20 not in run.files()


def test_the_marker_is_removed_first(run: Run, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    job = run.job(1)
    job.save(10, 20)
    delete_object = run.s3.delete_object

    def breaks_off(**request: Any) -> Any:
        if request["Key"].endswith("_COMPLETE"):
            return delete_object(**request)
        return refuse("InternalError")()

    monkeypatch.setattr(run.s3, "delete_object", breaks_off)
    job.save(30)
    assert job.checkpoints.committed_step == 30
    assert "00000001-000000000010/state.safetensors" in run.files()
    assert "00000001-000000000010/_COMPLETE" not in run.files()
    assert log.lines("checkpoint_pruning_failed")


def test_a_stale_job_deletes_and_shadows_nothing_of_a_later_one(run: Run) -> None:
    stale, later = run.job(1), run.job(2)
    stale.save(10, 20)
    later.save(5)
    run.write("00000002-000000000006/state.safetensors", b"being uploaded")
    before = run.files()
    stale.save(30)
    assert set(before) < set(run.files())
    with pytest.raises(LeaseHeldError, match="number 2 of the lease"):
        stale.checkpoints.save(40, state(40), {})
    with pytest.raises(LeaseHeldError):
        stale.checkpoints.close()
    run.delete("00000002-000000000006/state.safetensors")
    assert run.job(3).newest_step() == 5


def test_a_stale_job_does_not_begin(run: Run) -> None:
    run.job(2).save(5)
    with pytest.raises(LeaseHeldError, match="this job is number 1"):
        run.job(1).newest_step()


def test_a_failed_one_is_told_and_the_next_tries_again(run: Run, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    job = run.job(1)
    job.save(10)
    with monkeypatch.context() as broken:
        broken.setattr(run.s3, "put_object", refuse("ServiceUnavailable"))
        job.save(20, 21)
        assert not job.checkpoints.wait(0)
        assert job.checkpoints.committed_step == 10
        assert run.job(2).newest_step() == 10
    first, second = log.lines("checkpoint_failed")
    assert (first["step"], first["in_a_row"], second["in_a_row"]) == (20, 1, 2)
    assert "ServiceUnavailable" in first["cause"]
    assert first["mend"]
    job.save(30)
    assert job.checkpoints.wait(0)
    with monkeypatch.context() as broken:
        broken.setattr(run.s3, "put_object", refuse("ServiceUnavailable"))
        job.save(40)
    assert log.lines("checkpoint_failed")[-1]["in_a_row"] == 1


@pytest.mark.parametrize(
    ("code", "exit_code"), [("ServiceUnavailable", INTERRUPTED), ("AccessDenied", BAD_CONFIGURATION)]
)
def test_three_in_a_row_end_the_run(run: Run, monkeypatch: pytest.MonkeyPatch, code: str, exit_code: int) -> None:
    job = run.job(1)
    monkeypatch.setattr(run.s3, "put_object", refuse(code))
    job.save(10, 20, 30)
    with pytest.raises(CheckpointsRefusedError, match=f"3 checkpoints in a row failed.*{code}") as caught:
        job.save(40)
    assert caught.value.exit_code == exit_code
    job.checkpoints.close()


def test_a_full_disk_is_told_with_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    job = run.job(1, host="h")
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        job.save(20)
    (line,) = log.lines("checkpoint_failed")
    assert "No space left" in line["cause"]
    assert "larger local disk" in line["mend"]
    assert run.files() == []
    job.save(30)
    assert job.checkpoints.committed_step == 30


def test_a_bug_in_the_background_comes_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(**_: Any) -> None:
        raise ZeroDivisionError("a bug")

    job: Job = run.job(1)
    monkeypatch.setattr(run.s3, "put_object", bug)
    job.save(10)
    with pytest.raises(ZeroDivisionError):
        job.checkpoints.save(20, state(20), {})
    with pytest.raises(ZeroDivisionError):
        job.checkpoints.close()

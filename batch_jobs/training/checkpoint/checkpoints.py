"""Saves a run's state in the background, and finds the newest one again.

A save costs the training thread one copy. The rest happens in one background thread: hash and local disk at once,
then S3, then the marker, which makes the checkpoint count; then older ones go. A checkpoint that cannot be
committed is told in the log and training goes on, for the older ones still count. What is found is verified to
the last byte before anything of it is parsed; what is torn or corrupt is passed over, with a line in the log.
"""

import concurrent.futures
import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from training.checkpoint.bucket import Bucket
from training.checkpoint.disk import Disk, verify
from training.checkpoint.file_format import Snapshot, read_file
from training.checkpoint.marker import CheckpointId, Marker, UnusableError, superseded
from training.checkpoint.refusal import REFUSALS, CheckpointsRefusedError, mend, refused
from training.checkpoint.staging import Staging
from training.errors import BadConfigurationError, LeaseHeldError
from training.log import log_event
from training.storage import split_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEEP = 2
# With more failures in a row a run would go on for hours with nothing to show for it.
FAILURES_IN_A_ROW = 3

_TRIES_OLDER = "nothing to do: the checkpoint before it is tried"
_BEGINS_ANEW = "there is no older one: training begins at the first step"

# Training comes first while both want a core; without training it makes no difference.
_NICENESS = 10


class Checkpoints:
    """The checkpoints of one run, for the one thread that trains on the main rank.

    `fingerprint` is what the state depends on besides itself: a checkpoint with another one is not loaded. `fencing`
    is the lease's number. `folder` may be shared by runs. In the end `close()` must be called.

    `committed_step` is the newest step that a resumed run could begin at; `last_stall_s` is what the last save cost
    its caller, `last_commit_s` what the last committed one took in the background.
    """

    def __init__(
        self,
        s3_client: "S3Client",
        output_uri: str,
        folder: Path,
        fingerprint: Mapping[str, str],
        fencing: int,
        keep: int = KEEP,
    ) -> None:
        self._bucket = Bucket(s3_client, output_uri)
        self._disk = Disk(folder.joinpath(*split_uri(output_uri)))
        self._fingerprint = dict(fingerprint)
        self._fencing = fencing
        self._keep = keep
        self._staging = Staging()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoint", initializer=give_way)
        self._commit: Future[None] | None = None
        self._staged_step: int | None = None
        self._failures = 0
        self._refused: CheckpointsRefusedError | None = None
        self._lost: LeaseHeldError | None = None
        self.committed_step: int | None = None
        self.last_stall_s = 0.0
        self.last_commit_s = 0.0

    def newest(self) -> Snapshot | None:
        """The newest complete checkpoint, from the local disk if it is still there; None when there is none.

        Raises: BadConfigurationError when it belongs to another recipe, configuration or data set; LeaseHeldError when
        it is a later lease holder's; ClientError, BotoCoreError, OSError when S3 or the disk fails.
        """
        found = self._bucket.found()
        older = len(found)
        for checkpoint in sorted(found, reverse=True):
            older -= 1
            self._require_own(checkpoint)
            try:
                if not found[checkpoint]:
                    raise UnusableError("it was never completed: it has no marker")
                snapshot = self._take(checkpoint, self._bucket.read_marker(checkpoint))
            except UnusableError as error:
                _log_skipped(self._bucket.uri_of(checkpoint), error, _TRIES_OLDER if older else _BEGINS_ANEW)
                continue
            self.committed_step = snapshot.step
            return snapshot
        return None

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bool:
        """Copy the state and return; False, with nothing copied, while the former checkpoint is being committed.

        Raises: CheckpointsRefusedError when several in a row failed; LeaseHeldError when a later holder of the lease
        has saved; TypeError for a tensor or a fact that a checkpoint cannot hold.
        """
        started_s = time.perf_counter()
        if self._commit is not None and not self._commit.done():
            return False
        self._raise_fault()
        if self._refused is not None:
            raise self._refused
        body = self._staging.stage(step, tensors, facts)
        self._staged_step = step
        self._commit = self._background.submit(self._try_to_commit, CheckpointId(self._fencing, step), body)
        self.last_stall_s = time.perf_counter() - started_s
        return True

    def wait(self, timeout_s: float) -> bool:
        """Whether what was saved last is committed, by `timeout_s` from now at the latest."""
        if self._commit is None:
            return True
        concurrent.futures.wait([self._commit], timeout_s)
        return self._commit.done() and self.committed_step == self._staged_step

    def close(self) -> None:
        """Let the commit under way end.

        Checkpoints that failed are no error here: the log tells them, and who closes needs none any more, or has
        asked `wait`. Raises: LeaseHeldError when a later holder of the lease has saved.
        """
        self._background.shutdown()
        self._raise_fault()

    def _raise_fault(self) -> None:
        if self._commit is not None:
            self._commit.result()  # a bug, if it raises
        if self._lost is not None:
            raise self._lost

    def _take(self, checkpoint: CheckpointId, marker: Marker) -> Snapshot:
        self._require_same_training(checkpoint, marker)
        path = self._disk.state(checkpoint)
        if not self._is_on_disk(checkpoint, marker):
            try:
                self._bucket.download_state(checkpoint, path)
                verify(path, marker)
            except BaseException:
                self._disk.remove(checkpoint)
                raise
            self._disk.complete(checkpoint, marker)
        return read_file(path)

    def _is_on_disk(self, checkpoint: CheckpointId, marker: Marker) -> bool:
        path = self._disk.state(checkpoint)
        if not path.exists():
            return False
        try:
            verify(path, marker)
        except UnusableError as error:
            _log_skipped(str(path), error, "nothing to do: it is downloaded again")
            self._disk.remove(checkpoint)
            return False
        return True

    def _require_own(self, checkpoint: CheckpointId) -> None:
        """Raises: LeaseHeldError when the checkpoint shows that this job has lost its lease."""
        if checkpoint.fencing > self._fencing:
            raise LeaseHeldError(
                f"number {checkpoint.fencing} of the lease saved {self._bucket.uri_of(checkpoint)}, "
                f"this job is number {self._fencing}",
                f"nothing to do while that job works; if leases were lost with their table, delete {self._bucket.uri}",
            )

    def _require_same_training(self, checkpoint: CheckpointId, marker: Marker) -> None:
        theirs, ours = marker.fingerprint, self._fingerprint
        fields = [name for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)]
        if fields:
            differences = "; ".join(f"{name} was {theirs.get(name)}, is {ours.get(name)}" for name in fields)
            raise BadConfigurationError(
                f"the checkpoint {self._bucket.uri_of(checkpoint)} is of another training: {differences}",
                f"start a new run, or delete {self._bucket.uri} to begin this one again",
            )

    def _try_to_commit(self, checkpoint: CheckpointId, body: memoryview) -> None:
        started_s = time.perf_counter()
        try:
            self._write(checkpoint, body)
        except REFUSALS as error:
            self._failures += 1
            log_event(
                "checkpoint_failed", step=checkpoint.step, in_a_row=self._failures, cause=repr(error), mend=mend(error)
            )
            if self._failures >= FAILURES_IN_A_ROW:
                self._refused = refused(self._failures, error)
            return
        self._failures = 0
        self.committed_step = checkpoint.step
        self.last_commit_s = time.perf_counter() - started_s
        log_event("checkpoint", step=checkpoint.step, size_bytes=len(body), commit_s=round(self.last_commit_s, 3))
        self._prune(checkpoint)

    def _write(self, checkpoint: CheckpointId, body: memoryview) -> None:
        sha256 = self._disk.write_state(checkpoint, body)
        marker = Marker(checkpoint.fencing, checkpoint.step, self._fingerprint, sha256, len(body))
        self._disk.complete(checkpoint, marker)
        self._bucket.upload_state(checkpoint, body)
        self._bucket.put_marker(checkpoint, marker)

    def _prune(self, committed: CheckpointId) -> None:
        """Remove what the new checkpoint makes needless, unless this job turns out to have lost its lease."""
        try:
            found = self._bucket.found()
            self._require_own(max(found, default=committed))
            for place, there in ((self._bucket, found), (self._disk, self._disk.found())):
                for checkpoint in superseded(there, committed, self._keep):
                    place.remove(checkpoint)
        except LeaseHeldError as error:
            self._lost = error
        except REFUSALS as error:
            log_event(
                "checkpoint_pruning_failed", cause=repr(error), mend="nothing to do: the next checkpoint tries again"
            )


def _log_skipped(where: str, error: UnusableError, mend: str) -> None:
    log_event("checkpoint_skipped", checkpoint=where, reason=str(error), mend=mend)


def give_way() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own, and its children inherit it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

"""Say what follows when the machine does not know how training goes on: a job failed, or another may be at work.

The answer is another submission, a job to wait for, or that the result is there. Everything else is raised under a
telling name and caught by nobody, so that the execution ends FAILED at this very Task and a redrive resumes here:
then the redrive count has grown since the job was submitted, and the answer is to try afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turbine.domain import job_end, outcome
from turbine.domain.errors import LogsUnavailableError, TrainingFailedError, TrainingTimedOutError
from turbine.domain.job_end import End, Job
from turbine.domain.run import RunReference
from turbine.ports import JobLogs, Jobs, ObjectStore, Table
from turbine.usecases.run_files import RunFiles

# SubmitJob may have reached AWS Batch although its reply was lost.
REPLY_LOST = "Batch.SdkClientException"
TASK_TIMED_OUT = "States.Timeout"
TERMINATION = "The run's training took longer than it may"


class TrainingReport(RunReference):
    """What the machine knows: the failure of its Task, or the job (`adopted_job`) that it waited for.

    `submissions` counts the jobs submitted since the last redrive, `spot_submissions` those of them on Spot;
    `redrives` is the execution's count now, `redrives_before` the one at the last submission.
    """

    error: str | None = None
    cause: str | None = None
    adopted_job: str | None = None
    submissions: int = 0
    spot_submissions: int = 0
    redrives: int = 0
    redrives_before: int = 0

    @property
    def is_redriven(self) -> bool:
        return self.redrives > self.redrives_before


@dataclass(frozen=True)
class JudgeTraining:
    """The function `judge_training`."""

    artifact_bucket: str
    spot_queue_arn: str
    store: ObjectStore
    table: Table
    jobs: Jobs
    logs: JobLogs

    def __call__(self, report: TrainingReport) -> dict[str, Any]:
        """Judge. Raises: a TrainingError that says why the run has failed."""
        if self._is_finished(report):
            return _answer(report, finished=True)
        live = self.jobs.live(report.run_id)
        if report.error == TASK_TIMED_OUT and not report.is_redriven:
            raise self._ended(live, report.run_id)
        if live:
            return _answer(report, live_job=live[0])
        if report.is_redriven:
            return _answer(report.model_copy(update={"submissions": 0, "spot_submissions": 0}))
        job = self._job(report)
        if job is None:
            return self._again(report, f"SubmitJob: {report.cause}")
        return self._judge(job, report)

    def _judge(self, job: Job, report: TrainingReport) -> dict[str, Any]:
        end = job_end.end_of(job)
        if end is End.LIVE:
            return _answer(report, live_job=job.job_id)
        if end is End.SUCCEEDED:
            return _answer(report, finished=True)
        if end is End.LEASE_HELD:
            return self._lease_held(job, report)
        is_reclaimed = end is End.INTERRUPTED and job.queue_arn == self.spot_queue_arn
        # A job that another execution left behind and ended says nothing about this one.
        is_anothers = end is End.TERMINATED and report.adopted_job is not None
        if is_reclaimed or is_anothers:
            return self._again(report, f"job {job.job_id}: {job.status_reason}")
        raise job_end.failure(job, self._log(job.job_id))

    def _lease_held(self, job: Job, report: TrainingReport) -> dict[str, Any]:
        """Another job of the run was at work: wait for it, or try again if it has ended meanwhile."""
        lease = self.table.get(f"LEASE#{report.run_id}", "LEASE") or {}
        owner = str(lease.get("owner", job.job_id))
        holder = self.jobs.find(owner)
        if holder is None:
            raise TrainingFailedError(
                f"Batch job {job.job_id}: {owner} holds the lease of {report.run_id} and is no job that Batch knows; "
                "end it, then redrive the run"
            )
        if job_end.end_of(holder) is End.LIVE:
            return _answer(report, live_job=owner)
        return self._again(report, f"job {owner} held the lease and has ended")

    def _job(self, report: TrainingReport) -> Job | None:
        """The job to be judged; None when none was submitted, or the request was lost. Raises: TrainingFailedError."""
        failed = outcome.failed_job(report.cause or "")
        job_id = report.adopted_job or (failed.job_id if failed is not None else None)
        if job_id is None:
            if report.error in (None, REPLY_LOST):
                return None
            raise TrainingFailedError(f"AWS Batch did not take the job: {report.error}: {report.cause}")
        job = self.jobs.find(job_id)
        if job is None:
            raise TrainingFailedError(f"Batch job {job_id}: AWS Batch does not know it any more")
        return job

    def _again(self, report: TrainingReport, why: str) -> dict[str, Any]:
        if report.submissions >= job_end.SUBMISSIONS_MAX:
            raise TrainingFailedError(f"{report.submissions} jobs were submitted without a result; the last: {why}")
        return _answer(report)

    def _ended(self, live: list[str], run_id: str) -> TrainingTimedOutError:
        """The error of a Task that timed out; its job would work on for nobody."""
        for job_id in live:
            self.jobs.terminate(job_id, TERMINATION)
        ended = f"Batch job {live[0]} was terminated" if live else f"no job of {run_id} was at work"
        return TrainingTimedOutError(f"{ended}: {TrainingTimedOutError.advice}")

    def _is_finished(self, report: TrainingReport) -> bool:
        files = RunFiles(self.store, self.artifact_bucket)
        return files.marker(report.team, report.run_id) is not None

    def _log(self, job_id: str) -> list[str]:
        try:
            return self.logs.tail(job_id, job_end.LOG_LINES)
        except LogsUnavailableError:  # the reason that Batch gives says enough, and the outcome names the log
            return []


def _answer(report: TrainingReport, *, finished: bool = False, live_job: str | None = None) -> dict[str, Any]:
    return {
        "finished": finished,
        "live_jobs": [] if live_job is None else [live_job],
        "submissions": report.submissions,
        "spot_submissions": report.spot_submissions,
    }

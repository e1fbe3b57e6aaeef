"""Training jobs, as far as a run's life depends on them: the lease, the result with its marker last, the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.fakes import FakeJobs
from tests.lifecycle.interpreter import Steps, now
from tests.unit.turbine.arrange import World, metrics_document
from turbine.domain.job_end import End, Job, end_of
from turbine.domain.run import RunReference

FILES = ("evaluation.parquet", "model.tar.gz", "model/model.safetensors", "model/config.json")


class Fate(Enum):
    """How a job's work ends: with a result, by a reclaimed host, interrupted with a checkpoint, or for bad data."""

    DONE = "done"
    RECLAIMED = "reclaimed"
    INTERRUPTED = "interrupted"
    BAD_DATA = "bad_data"


_ENDS: dict[Fate, dict[str, Any]] = {
    Fate.RECLAIMED: {"status_reason": "Host EC2 (instance i-0) terminated."},
    Fate.INTERRUPTED: {"status_reason": "Essential container in task exited", "exit_code": 75},
    Fate.BAD_DATA: {"status_reason": "Essential container in task exited", "exit_code": 65},
}


@dataclass
class TrainingJobs:
    """The jobs that were submitted. `fate` is asked when a job has worked; `worked` names the runs it worked for.

    `publish` is what a publishing job does, `published` the runs that it did it for.
    """

    world: World
    fate: Callable[[str], Fate]
    jobs: FakeJobs = field(default_factory=FakeJobs)
    worked: list[str] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)
    publish: Callable[[RunReference], object] = lambda _: None
    published: list[str] = field(default_factory=list)

    def submit(self, request: Mapping[str, Any]) -> tuple[str, Steps]:
        """Take a job; its id and its steps."""
        job_id = f"job-{len(self.jobs.known) + 1:04d}"
        queue_arn = f"arn:aws:batch:us-east-1:123456789012:job-queue/{request['JobQueue']}"
        self.jobs.add(Job(job_id, "RUNNABLE", queue_arn=queue_arn), request["JobName"])
        told = {one["Name"]: one["Value"] for one in request["ContainerOverrides"]["Environment"]}
        if "TURBINE_RUN_SPEC" in told:
            return job_id, self._work(job_id, told["TURBINE_RUN_SPEC"])
        if "TURBINE_EVALUATION_SPEC" in told:
            return job_id, self._evaluate(job_id, told["TURBINE_EVALUATION_SPEC"])
        return job_id, self._publish(job_id, RunReference(**{name.lower(): value for name, value in told.items()}))

    def is_live(self, job_id: str) -> bool:
        return end_of(self.jobs.known[job_id]) is End.LIVE

    def described(self, job_id: str) -> dict[str, Any]:
        """The job as `.sync` describes it."""
        job = self.jobs.known[job_id]
        container = {} if job.exit_code is None else {"ExitCode": job.exit_code}
        return {"JobId": job_id, "Status": job.status, "StatusReason": job.status_reason, "Container": container}

    def _work(self, job_id: str, spec_uri: str) -> Steps:
        yield now
        if not self.is_live(job_id):
            return
        self._set(job_id, status="RUNNING")
        spec = json.loads(self.world.store[spec_uri])
        fencing = self._lease(job_id, spec["run_id"])
        if fencing is None:
            self._set(job_id, status="FAILED", status_reason="Essential container in task exited", exit_code=73)
            return
        yield now
        if not self.is_live(job_id):
            return
        fate = self.fate(spec["run_id"])
        if fate is Fate.DONE:
            self._leave(spec, fencing)
            yield now
            if self.is_live(job_id):
                self._set(job_id, status="SUCCEEDED", exit_code=0)
        else:
            self._set(job_id, status="FAILED", **_ENDS[fate])

    def _evaluate(self, job_id: str, evaluation_uri: str) -> Steps:
        """EvaluateChampion: without a lease; a champion is as good on any rows."""
        yield now
        if not self.is_live(job_id):
            return
        self._set(job_id, status="RUNNING")
        spec = json.loads(self.world.store[evaluation_uri])
        yield now
        if not self.is_live(job_id):
            return
        fate = self.fate(spec["run_id"])
        if fate is not Fate.DONE:
            self._set(job_id, status="FAILED", **_ENDS[fate])
            return
        if f"{spec['output_uri']}_SUCCESS" not in self.world.store:
            self.evaluated.append(spec["run_id"])
            self.world.champion_measured(evaluation_uri, {"accuracy": score(spec["champion"]["run_id"])})
        yield now
        if self.is_live(job_id):
            self._set(job_id, status="SUCCEEDED", exit_code=0)

    def _publish(self, job_id: str, reference: RunReference) -> Steps:
        """PublishLargeArtifacts: without a lease, as the function."""
        yield now
        if not self.is_live(job_id):
            return
        self._set(job_id, status="RUNNING")
        yield now
        if not self.is_live(job_id):
            return
        fate = self.fate(reference.run_id)
        if fate is not Fate.DONE:
            self._set(job_id, status="FAILED", **_ENDS[fate])
            return
        self.publish(reference)
        self.published.append(reference.run_id)
        yield now
        if self.is_live(job_id):
            self._set(job_id, status="SUCCEEDED", exit_code=0)

    def _lease(self, job_id: str, run_id: str) -> int | None:
        """The lease's fencing number; None while another live job has it."""
        key = f"LEASE#{run_id}"
        held = self.world.table.get(key, "LEASE")
        if held is not None and self.is_live(held["owner"]):
            return None
        fencing = 1 if held is None else held["fencing"] + 1
        self.world.table.put({"pk": key, "sk": "LEASE", "owner": job_id, "fencing": fencing})
        return fencing

    def _leave(self, spec: dict[str, Any], fencing: int) -> None:
        """Train, unless an earlier job has: files first, the marker last."""
        prefix, store = spec["output_uri"], self.world.store
        if f"{prefix}_SUCCESS" in store:
            return
        self.worked.append(spec["run_id"])
        measured = {"accuracy": score(spec["run_id"]), "log_loss": 0.1}
        document = json.dumps(metrics_document(spec, measured, self.world.clock())).encode()
        bodies = {"metrics.json": document} | {name: f"{name} of {spec['run_id']}".encode() for name in FILES}
        marker = {}
        for name, body in bodies.items():
            store[prefix + name] = body
            digest = hashlib.sha256(body).hexdigest()
            version = store.version_of(prefix + name)
            marker[name] = {"sha256": digest, "size_bytes": len(body), "version_id": version}
        for name, value in measured.items():
            self.world.metrics.put(spec["run_id"], f"test_{name}", self.world.clock(), value)
        store[f"{prefix}_SUCCESS"] = json.dumps({"fencing": fencing, "files": marker}).encode()

    def _set(self, job_id: str, **changes: Any) -> None:
        self.jobs.known[job_id] = self.jobs.known[job_id]._replace(**changes)


def score(run_id: str) -> float:
    """The accuracy of a run's model: any of 40, some closer than a rule's minimum difference."""
    return 0.8 + int(hashlib.sha256(run_id.encode()).hexdigest()[:8], 16) % 40 * 0.004

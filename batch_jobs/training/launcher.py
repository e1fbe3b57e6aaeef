"""From the container's command to an exit code: one process trains here, more in a gang; or a champion is measured.

On every node the launcher reads the spec and sees whether the run is finished. The main node's takes the lease, so
that one job at a time works on a run. Workers of a gang come through here too, and go straight to training.
"""

import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from training import errors
from training.errors import (
    BadConfigurationError,
    LeaseHeldError,
    RunInterruptedError,
    TrainingJobError,
    WorkerFailedError,
    follows_from_another,
    is_out_of_memory,
    is_outage,
)
from training.interruption import Interruption
from training.launch import last_words
from training.launch.gang import FENCING_VARIABLE, Gang
from training.launch.last_words import LastWords
from training.launch.rendezvous import Node, find_node
from training.lease import TABLE_VARIABLE, Lease
from training.log import log_event
from training.own_script.script import RECIPE_NAME
from training.spec import EvaluationSpec, RunSpec, parse_evaluation_spec, parse_spec
from training.storage import Storage

SPEC_VARIABLE = "TURBINE_RUN_SPEC"
EVALUATION_VARIABLE = "TURBINE_EVALUATION_SPEC"
JOB_VARIABLE = "AWS_BATCH_JOB_ID"


def main() -> int:
    """Run the job and return its exit code; every failure is one `failed` line in the log, the launcher's."""
    # One thread a process: small models are faster so, the same seed gives the same bytes on any machine,
    # and jobs that share a host do not fight. Must be set before torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on GPUs
    interruption = Interruption()
    try:
        with interruption.watch(spot_notice=not _is_worker()):
            return _launch(interruption)
    except RunInterruptedError as error:
        return _failed(errors.INTERRUPTED, error, str(error), "let Batch try the job again")
    except TrainingJobError as error:
        return _failed(error.exit_code, error, error.message, error.mend)
    except Exception as error:  # noqa: BLE001 - the last place where a bug can get its log line and its code
        if is_out_of_memory(error):
            return _failed(errors.OUT_OF_MEMORY, error, str(error) or "out of memory", errors.OUT_OF_MEMORY_MEND)
        trace = traceback.format_exc()
        if is_outage(error):
            return _failed(errors.INTERRUPTED, error, str(error), "let Batch try the job again", traceback=trace)
        return _failed(errors.BUG, error, str(error), "a bug: read the traceback", traceback=trace)


def _launch(interruption: Interruption) -> int:
    storage = Storage()
    if evaluation := os.environ.get(EVALUATION_VARIABLE):
        return _evaluate_champion(evaluation, storage, interruption)
    uri = os.environ.get(SPEC_VARIABLE)
    if not uri:
        raise BadConfigurationError(f"{SPEC_VARIABLE} is not set", "set it to the s3:// URI of a run.json")
    spec = parse_spec(storage.read_spec(uri), uri)
    if _is_worker():
        return _train(spec, storage, interruption, int(os.environ.get(FENCING_VARIABLE, "0")))
    if _is_finished(spec, storage):
        return errors.FINISHED
    node, processes = find_node(), spec.compute.processes_per_node or _gpu_count() or 1
    gang = Gang(spec.run_id, node, processes, interruption)
    # One process trains in this very one: another would have to import torch again. A script brings its own process.
    alone = node.count == 1 and processes == 1 and not _is_own_script(spec)
    with _leased(spec, node, _end_at_once if alone else gang.abandon) as fencing:
        if fencing and _is_finished(spec, storage):  # by the job that held the lease until now
            return errors.FINISHED
        if alone:
            code = _train(spec, storage, interruption, fencing)
        elif _is_own_script(spec):
            from training.own_script.run import Place, run_own_script  # reads tables, as no other launcher does

            place = Place(node.is_main, node.count * processes, lease_owner(), fencing)
            code = run_own_script(spec, storage, gang, place)
        else:
            code = _require_words(gang.run(fencing))
        if code == errors.FINISHED:
            interruption.disregard()
        return code


def _evaluate_champion(uri: str, storage: Storage, interruption: Interruption) -> int:
    spec = parse_evaluation_spec(storage.read_spec(uri), uri)
    if _is_finished(spec, storage):
        return errors.FINISHED
    from training.evaluate_champion import evaluate_champion  # and torch

    evaluate_champion(spec, storage)
    interruption.disregard()
    return errors.FINISHED


def _is_own_script(spec: RunSpec) -> bool:
    return spec.recipe.name == RECIPE_NAME


def _is_worker() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _is_finished(spec: RunSpec | EvaluationSpec, storage: Storage) -> bool:
    if not storage.is_finished(spec.output_uri):
        return False
    log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, already_finished=True)
    return True


def _train(spec: RunSpec, storage: Storage, interruption: Interruption, fencing: int) -> int:
    # Imported only now: torch takes 2 s that a finished run or a bad spec need not pay.
    from training.job import LeaseHolder, run_job

    run_job(spec, storage, interruption, LeaseHolder(lease_owner(), fencing))
    return errors.FINISHED


@contextmanager
def _leased(spec: RunSpec, node: Node, on_lost: Callable[[str], None]) -> Iterator[int]:
    """Hold the run's lease while the body runs, on the main node; gives the fencing number.

    0 where no lease is taken: the other nodes hear the number from the main one, and a job started by hand, without
    Batch and the training table, has no rival.
    """
    if not node.is_main or not {TABLE_VARIABLE, JOB_VARIABLE} & os.environ.keys():
        yield 0
        return
    lease = Lease(on_lost)
    fencing = lease.acquire(spec.run_id, lease_owner(), int(os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1")))
    try:
        yield fencing
    finally:
        lease.release()


def lease_owner() -> str:
    """The name under which this job holds the lease: its workers, on the same node, must give the same."""
    return os.environ.get(JOB_VARIABLE) or socket.gethostname()


def _end_at_once(reason: str) -> None:
    """The run is another job's now: nothing of this process, no thread of it, may write any more."""
    _failed(errors.LEASE_HELD, LeaseHeldError(reason, ""), reason, "nothing to do: the other job finishes the run")
    os._exit(errors.LEASE_HELD)


def _gpu_count() -> int:
    """GPUs the container was given, found without importing torch."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _require_words(exit_code: int) -> int:
    """Raises: WorkerFailedError when workers have failed and none has said why."""
    if exit_code != errors.FINISHED:
        raise WorkerFailedError(exit_code, f"a worker ended with exit code {exit_code}", "read the log's last lines")
    return exit_code


def _failed(exit_code: int, error: BaseException, message: str, mend: str, **details: str) -> int:
    kind, rank = type(error).__name__, int(os.environ.get("RANK", "0"))
    if isinstance(error, WorkerFailedError) and error.rank is not None:
        kind, rank = error.kind, error.rank  # the launcher speaks for that worker
    told_by_launcher = last_words.VARIABLE in os.environ
    log_event(
        "worker_failed" if told_by_launcher else "failed",
        error=kind,
        message=message,
        mend=mend,
        exit_code=exit_code,
        rank=rank,
        **details,
    )
    if told_by_launcher:
        last_words.leave(LastWords(kind, message, mend, exit_code, rank, follows_from_another(error), time.time()))
    return exit_code

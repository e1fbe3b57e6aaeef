"""From the container's command to an exit code: one process trains here, more in torch's elastic launch.

A single process is run in place: torchrun's agent would cost it 1.5 s of CPU for nothing. The environment of
a multi-node parallel Batch job (AWS_BATCH_JOB_NUM_NODES and its kin) becomes a static rendezvous.
"""

import os
import signal
import traceback
from pathlib import Path
from types import FrameType

from training import errors
from training.errors import BadConfigurationError, RunInterruptedError, TrainingJobError
from training.log import log_event
from training.spec import parse_spec
from training.storage import Storage

SPEC_VARIABLE = "TURBINE_RUN_SPEC"


def main() -> int:
    """Run the job and return its exit code; every failure is one `failed` line in the log."""
    signal.signal(signal.SIGTERM, _interrupt)
    # One thread a process: small models are faster so, the same seed gives the same bytes on any machine,
    # and jobs that share a host do not fight. Must be set before torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on GPUs
    try:
        return _launch()
    except RunInterruptedError as error:
        return _failed(errors.INTERRUPTED, error, str(error), "let Batch try the job again")
    except TrainingJobError as error:
        return _failed(error.exit_code, error, error.message, error.mend)
    except Exception as error:  # noqa: BLE001 - the last place where a bug can get its log line and its code
        trace = traceback.format_exc()
        return _failed(errors.BUG, error, str(error), "a bug or an outage: read the traceback", traceback=trace)


def _launch() -> int:
    uri = os.environ.get(SPEC_VARIABLE)
    if not uri:
        raise BadConfigurationError(f"{SPEC_VARIABLE} is not set", "set it to the s3:// URI of a run.json")
    storage = Storage()
    spec = parse_spec(storage.read_spec(uri), uri)
    if storage.is_finished(spec.output_uri):
        log_event("finished", run_id=spec.run_id, output_uri=spec.output_uri, already_finished=True)
        return errors.FINISHED
    processes = spec.compute.processes_per_node or _gpu_count() or 1
    is_worker = "TORCHELASTIC_RUN_ID" in os.environ
    # Imported only now: torch takes 2 s that a finished run or a bad spec need not pay.
    if is_worker or (_node_count() == 1 and processes == 1):
        from training.job import run_job

        run_job(spec, storage)
        return errors.FINISHED
    from training.gang import launch_gang

    return launch_gang(spec.run_id, processes, _node_count())


def _node_count() -> int:
    return int(os.environ.get("AWS_BATCH_JOB_NUM_NODES", "1"))


def _gpu_count() -> int:
    """GPUs the container was given, found without importing torch."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one order to stop is enough
    raise RunInterruptedError("SIGTERM: the job is asked to stop")


def _failed(exit_code: int, error: BaseException, message: str, mend: str, **details: str) -> int:
    rank = int(os.environ.get("RANK", "0"))
    kind = type(error).__name__
    log_event("failed", error=kind, message=message, mend=mend, exit_code=exit_code, rank=rank, **details)
    return exit_code

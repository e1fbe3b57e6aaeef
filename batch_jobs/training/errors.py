"""How a run ends: one class per exit code, each saying what is wrong and how to mend it.

The codes are those of sysexits.h. Batch retries on 75 alone: bad data, bad configuration, bugs and a lack of
memory would only fail again.
"""

import sys

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

FINISHED = 0
BAD_DATA = 65
BUG = 70
LEASE_HELD = 73
INTERRUPTED = 75
BAD_CONFIGURATION = 78
# What a shell and Batch write for a process that was killed by SIGKILL, as the kernel does when memory runs out. A
# process that notices by itself ends with the same code: whoever reads it has the same thing to do.
OUT_OF_MEMORY = 137
OUT_OF_MEMORY_MEND = "lower batch_size or micro_batch_size, or ask for a larger instance"

# In gloo's errors, which are no class of their own, the place in its source.
_GLOO = "third_party/gloo"
_CPU_ALLOCATOR_FAILED = "DefaultCPUAllocator: can't allocate memory"


class TrainingJobError(Exception):
    """A run that ends for a reason a person can act on."""

    exit_code = BUG

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class BadDataError(TrainingJobError):
    """The data set cannot be trained on."""

    exit_code = BAD_DATA


class BadConfigurationError(TrainingJobError):
    """The run spec, the recipe or its hyperparameters are wrong."""

    exit_code = BAD_CONFIGURATION


class LeaseHeldError(TrainingJobError):
    """Another job of this run got there first."""

    exit_code = LEASE_HELD


class NodeLostError(TrainingJobError):
    """A node of the job is gone, or never came: no fault of the run, so it is tried again."""

    exit_code = INTERRUPTED


class StorageUnavailableError(TrainingJobError):
    """S3 broke off or does not answer, time and again: no fault of the run, so it is tried again."""

    exit_code = INTERRUPTED


class WorkerFailedError(TrainingJobError):
    """A worker of a gang failed. `kind` and `rank` are those of its own error, if it could tell."""

    def __init__(self, exit_code: int, message: str, mend: str, kind: str = "", rank: int | None = None) -> None:
        super().__init__(message, mend)
        self.exit_code = exit_code
        self.kind = kind or type(self).__name__
        self.rank = rank


class RunInterruptedError(BaseException):
    """The job is asked to stop.

    Like KeyboardInterrupt it is no Exception, so that no library's broad `except Exception` (a retry
    loop, an optional import) swallows the order to stop.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: the host's (Python, numpy, pyarrow, torch's CPU allocator) or a GPU's."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # nothing imports it for this question
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _CPU_ALLOCATOR_FAILED in str(error)


def is_outage(error: BaseException) -> bool:
    """Whether AWS could not be reached, or failed by itself, after all that its client has tried: nobody's fault here.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    if isinstance(error, ClientError):
        return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500)
    return isinstance(error, NoConnectionError | HTTPClientError)


def follows_from_another(error: BaseException) -> bool:
    """Whether a collective broke off: the worker at its other end has failed, or is gone."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.distributed.DistError) or _GLOO in str(error)

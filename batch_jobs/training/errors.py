"""How a run ends: one class per exit code, each saying what is wrong and how to mend it.

The codes are those of sysexits.h. Batch retries on 75 alone: bad data, bad configuration and bugs
would only fail again.
"""

FINISHED = 0
BAD_DATA = 65
BUG = 70
LEASE_HELD = 73
INTERRUPTED = 75
BAD_CONFIGURATION = 78


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


class RunInterruptedError(BaseException):
    """SIGTERM arrived.

    Like KeyboardInterrupt it is no Exception, so that no library's broad `except Exception` (a retry
    loop, an optional import) swallows the order to stop.
    """

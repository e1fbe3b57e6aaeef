"""Errors by name. Step Functions matches a function's failure by its class name, so these are API.

A message holds the cause, the place and what to do next.
"""


class TurbineError(Exception):
    """The base of every error this library raises on purpose."""


class SettingsError(TurbineError):
    """An environment variable that a function needs is not set."""


class EventNotUnderstoodError(TurbineError):
    """A function was started by an event it was not written for; trying again cannot help."""


class ManifestUnreadableError(TurbineError):
    """The pinned version of a manifest cannot be read (deleted, or not permitted)."""


class TooManyTeamsError(TurbineError):
    """A schedule is to train more teams than one account has room for."""


class TryAgainError(TurbineError):
    """AWS was busy, failed by itself or could not be reached; the machines ask again."""


class ObjectMissingError(TurbineError):
    """An object that was asked for by name is not in the store."""


class ObjectForbiddenError(TurbineError):
    """The store refused access to an object."""


class ArtifactMissingError(TurbineError):
    """The training job did not leave a file that its contract promises."""


class ArtifactCorruptError(TurbineError):
    """A file of a run is not the one that the job recorded in `_SUCCESS`."""


class MetricsLateError(TurbineError):
    """CloudWatch does not show a published metric yet; the machine waits and asks again."""


class ChampionChangedError(TurbineError):
    """Another promotion won the compare-and-swap; never leaves `promote_model`."""


class PromotionRefusedError(TurbineError):
    """A request to promote lacks a field, or has a wrong one."""


class PackageMissingError(TurbineError):
    """A promotion names a model package that the run did not register."""


class ModelConflictError(TurbineError):
    """A SageMaker model of this name exists, but serves other artifacts."""


class ExecutionMissingError(TurbineError):
    """Step Functions does not know an execution (any more: it forgets them after 90 days)."""


class ClaimLostError(TurbineError):
    """Another execution has taken an inference over; this one must not publish what it made."""


class PredictionCountError(TurbineError):
    """A transform job answered fewer or more records than its input has."""


class LogsUnavailableError(TurbineError):
    """A job's log cannot be read; an outcome is recorded without it."""


class EventRefusedError(TurbineError):
    """EventBridge answered 200 but did not take the event."""


class TrainingError(TurbineError):
    """A training job that ended without a result. `advice` stands in where the job itself said nothing."""

    advice = "the job failed; read its log: turbine show RUN"


class TrainingDataError(TrainingError):
    """The data set cannot be trained on (exit code 65)."""

    advice = "the data set cannot be trained on; correct it and drop the manifest again"


class TrainingConfigurationError(TrainingError):
    """The run spec, the recipe or its hyperparameters are wrong (exit code 78)."""

    advice = "the recipe or its hyperparameters are wrong; correct the manifest and drop it again"


class TrainingBugError(TrainingError):
    """The job met a bug or an outage (exit code 70)."""

    advice = "the job met a bug; read the traceback in its log: turbine show RUN"


class TrainingOutOfMemoryError(TrainingError):
    """The kernel ended the job for want of memory (exit code 137)."""

    advice = "the job needs more memory than it was given; take a smaller batch, or a host with more"


class TrainingTimedOutError(TrainingError):
    """The job took longer than an attempt may, or waited too long for a host."""

    advice = "the job took longer than it may; raise AttemptTimeoutSeconds, or use more nodes"


class TrainingInterruptedError(TrainingError):
    """The job lost its host more often than it may be tried again."""

    advice = "the job was interrupted again and again; redrive the run, and it goes on from its checkpoint"


class TrainingFailedError(TrainingError):
    """The job failed for another reason."""

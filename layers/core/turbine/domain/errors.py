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

"""Why a checkpoint could not be written, in words that say what to do, and when that ends the run."""

import errno

from botocore.exceptions import BotoCoreError, ClientError

from training.errors import BAD_CONFIGURATION, INTERRUPTED, TrainingJobError

# What a disk or S3 may answer; anything else is a bug, and is raised as it is.
REFUSALS = (OSError, BotoCoreError, ClientError)

_NO_RIGHT = {"AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


class CheckpointsRefusedError(TrainingJobError):
    """Checkpoints fail one after another. Another attempt may find a better disk or S3, but no better rights."""

    def __init__(self, message: str, mend: str, exit_code: int) -> None:
        super().__init__(message, mend)
        self.exit_code = exit_code


def refused(failures: int, error: BaseException) -> CheckpointsRefusedError:
    exit_code = BAD_CONFIGURATION if _code(error) in _NO_RIGHT else INTERRUPTED
    return CheckpointsRefusedError(f"{failures} checkpoints in a row failed: {error}", mend(error), exit_code)


def mend(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "give the job a larger local disk, or a folder on another one"
    if _code(error) in _NO_RIGHT:
        return "allow the job's role s3:PutObject, s3:PutObjectTagging and s3:ListBucket below the run's checkpoints/"
    return "see whether the local disk and S3 are in order: the next checkpoint tries again"


def _code(error: BaseException) -> str | None:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else None

"""A finished run's files checked and put under DVC, and its archive copied to the prefix that prediction reads.

The use cases are the functions' own, and so are the markers: what was done is not done again, by whomever. The machine
goes on with `register_model`, which finds the copy there.
"""

import json
import sys
import time
import traceback

from turbine import settings, wiring
from turbine.aws.dvc_remote import DvcRemote
from turbine.domain.errors import ArtifactCorruptError, ArtifactMissingError, SettingsError, TryAgainError
from turbine.domain.run import RunReference

OK = 0
DATA_ERROR, BUG, TRY_AGAIN, CONFIGURATION_ERROR = 65, 70, 75, 78
"""Exit codes as sysexits has them, and as the training job's: AWS Batch tries again after 75 only."""


def main() -> int:
    """Publish the run that the environment names. Returns the exit code; the log says what was done."""
    started = time.monotonic()
    try:
        reference = RunReference(**settings.load(settings.PublishingJobSettings)._asdict())
        published = wiring.publish_artifacts(DvcRemote())(reference)
        copy = wiring.copy_archive()(reference)
    except (ArtifactMissingError, ArtifactCorruptError) as error:
        return _failed(DATA_ERROR, error)
    except TryAgainError as error:
        return _failed(TRY_AGAIN, error)
    except SettingsError as error:
        return _failed(CONFIGURATION_ERROR, error)
    except Exception as error:  # noqa: BLE001  the log says which; a bug is a bug, whatever it raises
        traceback.print_exc(file=sys.stderr)
        return _failed(BUG, error)
    _log("published", dvc=published["dvc"], archive=str(copy), worked_s=round(time.monotonic() - started, 3))
    return OK


def _failed(code: int, error: Exception) -> int:
    _log("failed", error=type(error).__name__, message=str(error), exit_code=code)
    return code


def _log(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)

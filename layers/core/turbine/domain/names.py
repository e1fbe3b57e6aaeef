"""What may be a name, and how names are made from other names.

Every name is checked here once, so that it fits wherever AWS will meet it later: Batch share
identifiers, execution names (80), transform job names (63), S3 keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

TEAM_PATTERN = r"^[a-z][a-z0-9]{1,19}$"
DATASET_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"

# A redrive's and a retry's number, of four and two digits, must still fit behind it in 63 characters.
TRANSFORM_NAME_MAX = 53
RUN_ID_MAX = 48
CAUSE_SUFFIX = 12

Team = Annotated[str, StringConstraints(pattern=TEAM_PATTERN)]
DatasetName = Annotated[str, StringConstraints(pattern=DATASET_PATTERN)]


def is_team(name: str) -> bool:
    """Whether `name` may be a team's name."""
    return re.fullmatch(TEAM_PATTERN, name) is not None


def digest(parts: Sequence[str | int]) -> str:
    """SHA-256 (64 hex) over the parts as a JSON list, so that no two lists share a spelling."""
    return hashlib.sha256(json.dumps(list(parts), separators=(",", ":")).encode()).hexdigest()


def run_id(team: str, dataset: str, cause_key: str) -> str:
    """`<team>-<dataset>-<12 hex of the cause key>`; a long dataset name is cut to fit 48 characters."""
    room = RUN_ID_MAX - CAUSE_SUFFIX - len(team) - 2
    return f"{team}-{dataset[:room].rstrip('-')}-{cause_key[:CAUSE_SUFFIX]}"


def job_names(run: str) -> tuple[str, ...]:
    """What a run's machine calls its Batch jobs: of training, of its champion's measurement, of its publishing."""
    return (run, f"{run}-champion", f"{run}-publishing")


def package_group(stack: str, team: str) -> str:
    """The SageMaker model package group of a team."""
    return f"{stack}-{team}"


def inference_id(run: str, champion_version: int) -> str:
    """One promotion causes one inference: a run promoted again (a rollback) gets another id."""
    return f"{run}-c{champion_version}"


def transform_name(inference: str, fencing: int) -> str:
    """What an inference's transform jobs are named by: another name for whoever took it over.

    At most 53 characters, so that redrive and try still fit in 63; a champion of five digits makes an inference's id
    longer than that.
    """
    if fencing == 1 and len(inference) <= TRANSFORM_NAME_MAX:
        return inference
    return f"{inference[: TRANSFORM_NAME_MAX - 13].rstrip('-')}-{digest([inference, fencing])[:12]}"


def model_name(stack: str, team: str, version: int, model_data_uri: str, image: str) -> str:
    """A SageMaker model's name, the same for the same archive and image, at most 63 characters.

    The digest keeps a second stack of the same name from meeting the first one's models.
    """
    suffix = f"-v{version}-{digest([model_data_uri, image])[:8]}"
    return f"{stack}-{team}"[: 63 - len(suffix)].rstrip("-") + suffix

"""Which script a run names, and its bytes: those with the digest that the manifest gives, or none."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from training.errors import BadConfigurationError
from training.spec import RunSpec, first_problem
from training.storage import split_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

RECIPE_NAME = "own_script"
LARGEST_SCRIPT_BYTES = 1024 * 1024

_GONE = {"NoSuchKey", "NoSuchBucket", "AccessDenied"}


class OwnScriptConfig(BaseModel):
    """`script` is an `s3://` URI below the team's data sets, `sha256` of its bytes, `arguments` what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    script: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


def parse_config(spec: RunSpec) -> OwnScriptConfig:
    """Raises: BadConfigurationError naming the hyperparameter, also when the script is not in the team's own place."""
    try:
        config = OwnScriptConfig.model_validate(spec.recipe.hyperparameters)
    except ValidationError as error:
        raise BadConfigurationError(
            f"recipe {RECIPE_NAME}: hyperparameter {first_problem(error)}",
            f"it takes {', '.join(OwnScriptConfig.model_fields)}",
        ) from error
    place = f"s3://{spec.dataset.shards[0].bucket}/datasets/{spec.team}/"
    below = config.script.removeprefix(place)
    if below == config.script or not below.endswith(".py") or {"", ".", ".."} & set(below.split("/")):
        raise BadConfigurationError(
            f"recipe {RECIPE_NAME}: hyperparameter script: {config.script!r} is no Python script of team {spec.team}",
            f"put it below {place} and name it there, as {place}scripts/train.py",
        )
    return config


def fetch_script(config: OwnScriptConfig, client: "S3Client", path: Path) -> None:
    """Write the script to `path`.

    Raises: BadConfigurationError when it is not there, too large, or has another digest, naming both.
    """
    body = _read(config.script, client)
    digest = hashlib.sha256(body).hexdigest()
    if digest != config.sha256:
        raise BadConfigurationError(
            f"script {config.script} has SHA-256 {digest}, the run names {config.sha256}",
            f"drop a manifest with the digest that `sha256sum {path.name}` prints for the script you mean",
        )
    path.write_bytes(body)


def _read(uri: str, client: "S3Client") -> bytes:
    bucket, key = split_uri(uri)
    try:
        answer: Any = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _GONE:
            raise
        raise BadConfigurationError(f"script {uri} cannot be read ({code})", "upload it there") from error
    if answer["ContentLength"] > LARGEST_SCRIPT_BYTES:
        raise BadConfigurationError(
            f"script {uri} has {answer['ContentLength']} bytes, more than {LARGEST_SCRIPT_BYTES}",
            "a script is code: put data beside the data set",
        )
    body: bytes = answer["Body"].read()
    return body

"""What the job reads of `run.json` (docs/contracts.md, "The run spec").

Other parts read other fields of the same file, so unknown ones are ignored here.
"""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import BadConfigurationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Spec = TypeVar("Spec", bound=_Part)


class Shard(_Part):
    """One object, pinned to the bytes that were there when the run was prepared."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str
    size_bytes: int = Field(ge=0)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Dataset(_Part):
    """`slices`: the columns by whose values the evaluation is summed apart."""

    name: str
    version: str
    format: Literal["parquet", "tar"]
    target: str
    slices: tuple[str, ...] = ()
    shards: list[Shard] = Field(min_length=1)


class Split(_Part):
    id: str
    salt: str
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)


class RecipeChoice(_Part):
    """`publish_epochs`: after which epochs the model is published, in growing order; `last` after them."""

    name: str
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    publish_epochs: tuple[int | Literal["last"], ...] = ()


class Compute(_Part):
    """`processes_per_node`: None means one for each GPU, or one where there is none.

    A checkpoint is written every so many steps, or else seconds; with neither, as training.checkpoint.cadence reckons.
    """

    nodes: int = Field(default=1, ge=1)
    processes_per_node: int | None = Field(default=None, ge=1)
    checkpoint_every_steps: int | None = Field(default=None, ge=1)
    checkpoint_every_s: float | None = Field(default=None, gt=0)


class MetricTarget(_Part):
    namespace: str
    dimensions: dict[str, str]


class RunSpec(_Part):
    schema_version: Literal[1]
    run_id: str
    team: str
    dataset: Dataset
    split: Split
    recipe: RecipeChoice
    seed: int
    compute: Compute = Compute()
    output_uri: str = Field(pattern=r"^s3://[^/]+/.+/$")
    metrics: MetricTarget


class StoredFile(_Part):
    """A file as a run's marker describes it."""

    version_id: str | None = None
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class Champion(_Part):
    """The champion's run, the `s3://` URI of its model's folder, and that folder's files by name."""

    run_id: str
    model_uri: str = Field(pattern=r"^s3://[^/]+/.+/$")
    files: dict[str, StoredFile]


class EvaluationSpec(_Part):
    """What `EvaluateChampion` reads: a champion to measure on the test split of the challenger's run, `run_id`."""

    schema_version: Literal[1]
    run_id: str
    team: str
    champion: Champion
    dataset: Dataset
    split: Split
    output_uri: str = Field(pattern=r"^s3://[^/]+/.+/$")
    metrics: MetricTarget


def parse_spec(body: bytes, uri: str) -> RunSpec:
    """Raises: BadConfigurationError naming the first wrong field."""
    return _parse(RunSpec, body, uri)


def parse_evaluation_spec(body: bytes, uri: str) -> EvaluationSpec:
    """Raises: BadConfigurationError naming the first wrong field."""
    return _parse(EvaluationSpec, body, uri)


def _parse(kind: type[Spec], body: bytes, uri: str) -> Spec:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise BadConfigurationError(
            f"{uri}: {first_problem(error)}",
            "write the spec as docs/contracts.md says and start a new run",
        ) from error


def first_problem(error: ValidationError) -> str:
    """The field and what is wrong with it, as one phrase: `learning_rate: Input should be greater than 0`."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the document"
    return f"{field}: {first['msg']}"

"""Where in S3 each piece of code reads and writes, and which of AWS's resources are named by data alone.

Keys are data: no reading of code tells them. They are declared here, and held to the code from two sides: the actions
of a function's places must be those that its code is found to use (`places` findings), and strict mode denies whatever
lies elsewhere (`docs/proofs-iam.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.check.iam.intrinsics import ACCOUNT, REGION
from cli.check.iam.stacks import STACK, TEAM


@dataclass(frozen=True)
class Place:
    """Keys of a bucket, which an environment variable or a template's parameter names, and what is done there.

    `actions` without `s3:`. Of a bucket itself (`keys` empty) `prefix` bounds what may be listed.
    """

    bucket: str
    keys: str
    actions: tuple[str, ...]
    why: str
    prefix: str = ""


def _listed(bucket: str, why: str, *more: str, prefix: str = "") -> Place:
    return Place(bucket, "", ("ListBucket", *more), why, prefix)


_DATA, _ARTIFACTS, _PREDICTIONS = "DATA_BUCKET", "ARTIFACT_BUCKET", "PREDICTION_BUCKET"
_IN_PARTS, _UPLOADS = ("AbortMultipartUpload", "ListMultipartUploadParts"), "ListBucketMultipartUploads"
_MISSING = "without it S3 answers 403 for what is not there"

FUNCTIONS: dict[str, tuple[Place, ...]] = {
    "PrepareTrainingFunction": (
        Place(_DATA, "manifests/*", ("GetObjectVersion",), "the pinned version of a dropped manifest"),
        Place(_DATA, "config/teams/*", ("GetObject",), "the teams' files"),
        Place(_DATA, "datasets/*", ("GetObjectVersion",), "the pinned shards are hashed"),
        _listed(_DATA, "teams and shards are found by listing", "ListBucketVersions"),
        Place(_ARTIFACTS, "runs/*", ("GetObject", "PutObject"), "run specs, written once and read again"),
        _listed(_ARTIFACTS, _MISSING),
    ),
    "JudgeTrainingFunction": (
        Place(_ARTIFACTS, "runs/*", ("GetObject",), "the marker of a finished job"),
        _listed(_ARTIFACTS, _MISSING),
    ),
    "PublishArtifactsFunction": (
        Place(
            _ARTIFACTS,
            "runs/*",
            ("GetObject", "GetObjectVersion", "PutObject", *_IN_PARTS),
            "a job's files are checked, brought back to their pinned version, and documented beside them",
        ),
        Place(_ARTIFACTS, "dvc/*", ("GetObject", "PutObject", "AbortMultipartUpload"), "the DVC remote"),
        _listed(_ARTIFACTS, "DVC looks for what it has, a copy for its parts", _UPLOADS),
    ),
    "CompareModelsFunction": (
        Place(
            _ARTIFACTS, "runs/*", ("GetObject", "GetObjectVersion", "PutObject"), "metrics are read, verdicts written"
        ),
        _listed(_ARTIFACTS, _MISSING),
    ),
    "RegisterModelFunction": (
        Place(
            _ARTIFACTS,
            "runs/*",
            ("GetObject", "GetObjectVersion"),
            "the run's spec, metrics and the archive's pinned version",
        ),
        Place(
            _ARTIFACTS,
            "registry/*",
            ("GetObject", "PutObject", *_IN_PARTS),
            "the archive's copy, looked for before it is made",
        ),
        _listed(_ARTIFACTS, _MISSING, _UPLOADS),
    ),
    "PromoteModelFunction": (
        Place(_ARTIFACTS, "runs/*", ("GetObject",), "the run spec, for the event, and champions on record"),
        Place(_ARTIFACTS, "runs/*/promotions/*", ("PutObject",), "each champion is put on record, once"),
        _listed(_ARTIFACTS, _MISSING),
    ),
    "ReconcileRegistryFunction": (),
    "RecordOutcomeFunction": (),
    "PrepareInferenceFunction": (
        Place(_DATA, "inference/*", ("GetObjectVersion",), "the pinned version of a dropped inference manifest"),
        _listed(_DATA, "whether there is any input"),
    ),
    "PublishPredictionsFunction": (
        Place("PredictionBucket", "predictions/*", ("GetObject", "PutObject"), "outputs are counted, then marked"),
        Place("DataBucketName", "datasets/*", ("GetObject",), "the inputs are counted, labels read"),
        _listed("PredictionBucket", "outputs are found by listing"),
        _listed("DataBucketName", "inputs are found by listing"),
    ),
    "CloseInferenceFunction": (),
}
"""By the function's logical id. Buckets are environment variables, or logical ids and parameters of the template."""

_RUNS = f"runs/{TEAM}/*"
TRAINING: tuple[Place, ...] = (
    Place("DataBucketName", f"datasets/{TEAM}/*", ("GetObject", "GetObjectVersion"), "the team's shards"),
    Place("ArtifactBucketName", _RUNS, ("GetObject", "GetObjectVersion"), "specs, checkpoints and a champion's model"),
    _listed("ArtifactBucketName", "checkpoints and the marker are found by listing", prefix=_RUNS),
    *(
        Place("ArtifactBucketName", f"{_RUNS}/{name}", ("PutObject", "AbortMultipartUpload"), "a result")
        for name in (
            *("model/*", "model.tar.gz", "metrics.json"),
            *("evaluation.parquet", "evaluation_blocks.json", "_SUCCESS"),
        )
    ),
    Place(
        "ArtifactBucketName",
        f"{_RUNS}/checkpoints/*",
        ("PutObject", "PutObjectTagging", "AbortMultipartUpload", "DeleteObject"),
        "checkpoints, tagged for their expiry, and replaced",
    ),
)
"""Of the training image, in the stack of a team."""

JOBS: dict[str, tuple[str, tuple[Place, ...]]] = {
    "PublishingJob": (
        "publishing.job",
        (
            *FUNCTIONS["PublishArtifactsFunction"],
            Place(
                _ARTIFACTS,
                "registry/*",
                ("GetObject", "PutObject", *_IN_PARTS),
                "the archive's copy, looked for before it is made",
            ),
        ),
    ),
}
"""Of job definitions whose code asks wiring for its use cases, as functions do: the module with its `main`, and where.

Buckets are variables of the container. All other job definitions run the training image.
"""

_OF_STATES = f"arn:aws:states:{REGION}:{ACCOUNT}"
_OF_SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"

EXECUTIONS = {
    "ReconcileRegistryFunction": (f"{_OF_STATES}:execution:{STACK}-promotion:*",),
    "RecordOutcomeFunction": (
        f"{_OF_STATES}:execution:{STACK}-run:*",
        f"{_OF_STATES}:execution:{STACK}-training:*",
    ),
    "PrepareInferenceFunction": (f"{_OF_STATES}:execution:{STACK}-inference:*",),
    "CloseInferenceFunction": (f"{_OF_STATES}:execution:{STACK}-inference:*",),
    "RunMachine": (f"{_OF_STATES}:execution:{STACK}-run:*",),
}
"""Whose executions a function or a machine's own Task looks at: their ARNs come in events and claims."""

NAMED_BY_DATA: dict[str, tuple[str, ...]] = {
    "batch:TerminateJob": (f"arn:aws:batch:{REGION}:{ACCOUNT}:job/*",),
    "batch:TagResource": (f"arn:aws:batch:{REGION}:{ACCOUNT}:job/*",),
    "sagemaker:CreateModel": (f"{_OF_SAGEMAKER}:model/*",),
    "sagemaker:DescribeModel": (f"{_OF_SAGEMAKER}:model/*",),
    # R: the reference knows the package alone; the group is named besides until a real account has shown it.
    "sagemaker:CreateModelPackage": (
        f"{_OF_SAGEMAKER}:model-package/{STACK}-*",
        f"{_OF_SAGEMAKER}:model-package-group/{STACK}-*",
    ),
    "sagemaker:ListModelPackages": (
        f"{_OF_SAGEMAKER}:model-package/{STACK}-*",
        f"{_OF_SAGEMAKER}:model-package-group/{STACK}-*",
    ),
    "sagemaker:DescribeModelPackage": (f"{_OF_SAGEMAKER}:model-package/{STACK}-*",),
    "sagemaker:UpdateModelPackage": (f"{_OF_SAGEMAKER}:model-package/{STACK}-*",),
    **{
        f"sagemaker:{name}": (f"{_OF_SAGEMAKER}:transform-job/*",)
        for name in ("CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "AddTags")
    },
}
"""The resources of actions whose names are made of data: of jobs, models and packages."""

JOB_DEFINITIONS = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/{STACK}-*"
"""Every team has its own; their names are in the machine's input."""

INDEX = "index/by_kind"
"""What functions query: they get items of the table itself by their keys."""

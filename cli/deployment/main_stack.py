"""Deploying `template.yaml` to the embedded cloud: package its code, then one change set."""

from __future__ import annotations

import hashlib
from pathlib import Path

from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.deployment import change_sets, sam_config, template_parameters
from cli.deployment.change_sets import Result, Template
from cli.errors import CommandError

TEMPLATE_BODY_LIMIT_BYTES = 51_200
SAM_CONFIG = "samconfig.toml"
TEAM_TEMPLATE = "stacks/team.yaml"
LAPTOP_ENVIRONMENT = "laptop"


def deploy(cloud: Cloud, project_dir: Path, environment: str = LAPTOP_ENVIRONMENT) -> Result:
    """Create or update the main stack from the project's own `template.yaml` and `samconfig.toml`.

    Raises: CommandError with the resource that failed.
    """
    template_path = project_dir / "template.yaml"
    bucket = _code_bucket(cloud)
    text = _packaged(cloud, template_path, project_dir, bucket)
    parameters = main_parameters(project_dir, environment)
    result = change_sets.apply(
        cloud.client("cloudformation"),
        cloud.stack,
        _template(cloud, bucket, text),
        parameters,
    )
    cloud.forget_description()
    return result


def main_parameters(project_dir: Path, environment: str) -> dict[str, str]:
    """The overrides that `template.yaml` takes; the others must be for `stacks/team.yaml`.

    Raises: CommandError if neither template knows a parameter.
    """
    known = template_parameters.parameter_names(project_dir / "template.yaml")
    known_to_teams = template_parameters.parameter_names(project_dir / TEAM_TEMPLATE)
    overrides = sam_config.parameter_overrides(project_dir / SAM_CONFIG, environment)
    unknown = sorted(set(overrides) - known - known_to_teams)
    if unknown:
        raise CommandError(
            f"no template takes the parameter {', '.join(unknown)}",
            place=f"{project_dir / SAM_CONFIG}, [{environment}.deploy.parameters]",
            next_step="mend its name or remove it",
            exit_code=exit_codes.REFUSED,
        )
    return {name: value for name, value in overrides.items() if name in known}


def _packaged(cloud: Cloud, template_path: Path, project_dir: Path, bucket: str) -> str:
    # The SAM translator takes most of a second to import: only a deployment pays.
    from local_cloud import packaging
    from local_cloud.cloudformation.errors import TemplateError

    try:
        return packaging.package(template_path, project_dir, cloud.client("s3"), bucket)
    except (packaging.PackagingError, TemplateError) as error:
        raise CommandError(
            str(error), place=str(template_path), next_step="mend the resource it names, then deploy again"
        ) from error


def _code_bucket(cloud: Cloud) -> str:
    """The bucket for code, made when missing, as `sam deploy --resolve-s3` does."""
    account = cloud.client("sts").get_caller_identity()["Account"]
    bucket = f"{cloud.stack}-code-{account}-{cloud.region}"
    s3 = cloud.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        # us-east-1 is the one Region that refuses to be named as a location.
        place = {} if cloud.region == "us-east-1" else {"LocationConstraint": cloud.region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    return bucket


def _template(cloud: Cloud, bucket: str, text: str) -> Template:
    body = text.encode()
    if len(body) <= TEMPLATE_BODY_LIMIT_BYTES:
        return Template(body=text)
    s3 = cloud.client("s3")
    key = f"templates/{hashlib.sha256(body).hexdigest()[:32]}.yaml"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return Template(url=f"{s3.meta.endpoint_url}/{bucket}/{key}")

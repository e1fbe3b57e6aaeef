"""Small documents that a run left in S3."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from cli.cloud import Cloud

_SAMPLE_BYTES = 65_536


class Artifacts:
    """Reads of the artifact and prediction buckets."""

    def __init__(self, cloud: Cloud) -> None:
        self._s3 = cloud.client("s3")
        self._bucket = cloud.output("ArtifactBucketName")

    def run_prefix(self, team: str, run_id: str) -> str:
        return f"runs/{team}/{run_id}/"

    def uri(self, team: str, run_id: str, name: str) -> str:
        return f"s3://{self._bucket}/{self.run_prefix(team, run_id)}{name}"

    def document(self, team: str, run_id: str, name: str) -> dict[str, Any] | None:
        """A JSON document of a run, or None if the run did not get that far."""
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self.run_prefix(team, run_id) + name)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return None
        document = json.loads(body.read())
        return document if isinstance(document, dict) else None

    def read(self, team: str, run_id: str, name: str) -> bytes:
        """A file of a run that is there."""
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=self.run_prefix(team, run_id) + name)["Body"].read()
        return body

    def first_lines(self, folder_uri: str, suffix: str, count: int) -> list[str]:
        """The first lines of the first object with this suffix below a folder."""
        bucket, _, prefix = folder_uri.removeprefix("s3://").partition("/")
        listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        keys = sorted(entry["Key"] for entry in listed if entry["Key"].endswith(suffix) and entry["Size"])
        if not keys:
            return []
        answer = self._s3.get_object(Bucket=bucket, Key=keys[0], Range=f"bytes=0-{_SAMPLE_BYTES - 1}")
        return list(answer["Body"].read().decode(errors="replace").splitlines()[:count])

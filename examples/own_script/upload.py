"""Put train.py where Turbine runs it from, and print what the manifest has to say of it.

Talks to whatever the standard AWS variables point at.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import boto3

SCRIPT = Path(__file__).with_name("train.py")
KEY = "datasets/winery/scripts/train.py"


def main() -> None:
    """Upload, and show the two hyperparameters."""
    bucket = _data_bucket()
    boto3.client("s3").upload_file(str(SCRIPT), bucket, KEY)
    print(f"script  s3://{bucket}/{KEY}")
    print(f"sha256  {hashlib.sha256(SCRIPT.read_bytes()).hexdigest()}")


def _data_bucket() -> str:
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName="turbine")["Stacks"]
    return next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "DataBucketName")


if __name__ == "__main__":
    main()

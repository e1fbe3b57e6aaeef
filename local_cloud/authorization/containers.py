"""What a container needs of its roles before it runs: its image, its log, and the keys it runs with.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/security_iam_id-based-policy-examples.html,
https://docs.aws.amazon.com/batch/latest/userguide/execution-IAM-role.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

import re

from local_cloud.authorization import handover
from local_cloud.authorization.access import EVERYTHING, Access

_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@]+)")
_LAYERS = ("BatchGetImage", "GetDownloadUrlForLayer")


def require_image(role_arn: str, name: str, image_uri: str) -> None:
    """Raises: DeniedError in strict mode when a role may not pull an image. `name` is the session's."""
    found = _IMAGE.match(image_uri)
    if found is None:
        return
    account, region, repository = found.groups()
    handover.require(role_arn, name, Access("ecr:GetAuthorizationToken", EVERYTHING))
    for action in _LAYERS:
        arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
        handover.require(role_arn, name, Access(f"ecr:{action}", arn))


def require_log(role_arn: str, name: str, account: str, region: str, group: str, stream: str) -> None:
    """Raises: DeniedError in strict mode when a role may not write a container's log."""
    arn = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"
    for action in ("CreateLogStream", "PutLogEvents"):
        handover.require(role_arn, name, Access(f"logs:{action}", arn))

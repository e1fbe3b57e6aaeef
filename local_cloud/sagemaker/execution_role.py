"""A model's execution role, with which SageMaker reads, writes, pulls and logs for a transform job.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (CreateModel)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_cloud.accounts import AccessKey
from local_cloud.authorization import containers, handover
from local_cloud.authorization.access import EVERYTHING, Access
from local_cloud.authorization.handover import Taker
from local_cloud.authorization.sessions import Session

_SESSION = "SageMaker"
_METRICS = {"cloudwatch:namespace": ["/aws/sagemaker/TransformJobs"]}


@dataclass(frozen=True)
class TransformRole:
    """The role `arn` as SageMaker takes it on for a transform job in a Region."""

    arn: str
    taker: Taker
    region: str

    @classmethod
    def of(cls, model: Any, job_arn: str, account: str, region: str) -> TransformRole:
        """The role of moto's model."""
        return cls(str(model.execution_role_arn), Taker("sagemaker.amazonaws.com", account, job_arn), region)

    def take(self) -> Session | None:
        """Raises: DeniedError in strict mode when the role does not trust SageMaker."""
        return handover.take(self.arn, _SESSION, self.taker)

    def key(self) -> AccessKey:
        """What the model's container signs with. Raises: DeniedError."""
        return handover.key(self.arn, _SESSION, self.taker)

    def require_image(self, image_uri: str) -> None:
        """Raises: DeniedError in strict mode."""
        containers.require_image(self.arn, _SESSION, image_uri)

    def may_log(self, group: str, stream: str) -> bool:
        """Whether the role may write the job's log and metrics; a job whose role may not is carried out without."""
        account = self.taker.account
        names = f"arn:aws:logs:{self.region}:{account}:log-group:{group}"
        # All are asked for, whatever the first answers: the ledger is to know them.
        asked = [
            Access("logs:CreateLogGroup", names),
            Access("logs:DescribeLogStreams", names),
            *(Access(f"logs:{name}", f"{names}:log-stream:{stream}") for name in ("CreateLogStream", "PutLogEvents")),
        ]
        handover.may(self.arn, _SESSION, Access("cloudwatch:PutMetricData", EVERYTHING, _METRICS))
        answers = [handover.may(self.arn, _SESSION, access) for access in asked]
        return all(answers)

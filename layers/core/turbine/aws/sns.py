"""SNS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turbine.aws.clients import client

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class OutcomeTopic:
    """Fulfils `ports.Notifier`."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def notify(self, subject: str, message: Mapping[str, Any]) -> None:
        sns: SNSClient = client("sns")
        sns.publish(TopicArn=self._arn, Subject=subject, Message=json.dumps(message, indent=2))

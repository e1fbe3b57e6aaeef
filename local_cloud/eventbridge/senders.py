"""In whose name something is delivered: the target's role, else the service that sends, which the target's own policy
must let in.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html and
https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
"""

from __future__ import annotations

from typing import Any

from moto.utilities.arns import parse_arn

from local_cloud import settings
from local_cloud.authorization import evaluation, handover, ledger
from local_cloud.authorization.access import Access
from local_cloud.authorization.evaluation import DeniedError
from local_cloud.authorization.handover import Taker
from local_cloud.authorization.sessions import Session
from local_cloud.aws_clients import client
from local_cloud.eventbridge.failures import DeliveryError
from local_cloud.eventbridge.outbox import Pending

_PRINCIPALS = {"cloudwatch": "cloudwatch.amazonaws.com"}
_ALARMS_AT_FUNCTIONS = "lambda.alarms.cloudwatch.amazonaws.com"


def client_of(record: Pending, service: str, region: str, account: str) -> Any:
    """A client for the target of a record. Raises: DeliveryError in strict mode when its role is not to be had."""
    return client(service, region, account, session_of(record))


def session_of(record: Pending) -> Session:
    """Who delivers. Raises: DeliveryError in strict mode."""
    taker = _taker(record)
    role = record.target.get("RoleArn")
    if not role:
        return taker.session
    try:
        return handover.take(role, taker.service.partition(".")[0], taker) or taker.session
    except DeniedError as error:
        raise DeliveryError("NO_PERMISSIONS", str(error)) from error


def dead_letter_session(record: Pending) -> Session:
    """Who writes a record's dead letter: of a schedule its role, of a rule EventBridge itself.

    Raises: DeliveryError in strict mode.
    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    return session_of(record) if _taker(record).service.startswith("scheduler.") else _taker(record).session


def require_put_events(record: Pending) -> None:
    """What a rule sends to a bus of another account is put there in the name of the target's role.

    Raises: DeliveryError in strict mode.
    """
    if not settings.current().strict or parse_arn(record.arn).account == record.account:
        return
    session, access = session_of(record), Access("events:PutEvents", record.arn)
    try:
        evaluation.require(session, access)
    except DeniedError as error:
        ledger.note_denied(session, access, str(error))
        raise DeliveryError("NO_PERMISSIONS", str(error)) from error


def _taker(record: Pending) -> Taker:
    sender = parse_arn(record.source_arn).service
    service = _PRINCIPALS.get(sender, f"{sender}.amazonaws.com")
    if sender == "cloudwatch" and parse_arn(record.arn).service == "lambda":
        service = _ALARMS_AT_FUNCTIONS
    return Taker(service, record.account, record.source_arn)

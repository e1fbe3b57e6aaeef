"""What an alarm tells: reasons, the event of a change, the text to a topic, the payload to a function.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

from local_cloud.cloudwatch import evaluation

_REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}


def reason(alarm: Any, value: str, points: Sequence[tuple[float, float | None]], now: float) -> tuple[str, str]:
    """Why an alarm changes to a state: the sentence, and its data as JSON."""
    known = [(at, found) for at, found in points[-alarm.evaluation_periods :] if found is not None]
    data = {
        "version": "1.0",
        "queryDate": _written(now),
        "startDate": _written(points[0][0]),
        "statistic": alarm.extended_statistic or alarm.statistic,
        "period": int(alarm.period),
        "recentDatapoints": [found for _, found in known],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [{"timestamp": _written(at), "value": found} for at, found in reversed(known)],
    }
    return _sentence(alarm, value, known), json.dumps(data)


def _sentence(alarm: Any, value: str, known: list[tuple[float, float]]) -> str:
    periods = alarm.evaluation_periods
    if value == evaluation.INSUFFICIENT_DATA:
        return f"Insufficient Data: {periods} {_plural('datapoint', periods)} {_was(periods)} unknown."
    if not known:
        treated = "Breaching" if value == evaluation.ALARM else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} {_plural('period', periods)} and "
            f"{periods} missing {_plural('datapoint', periods)} {_was(periods)} treated as [{treated}]."
        )
    compare, words = evaluation.COMPARISONS[alarm.comparison_operator]
    is_alarm = value == evaluation.ALARM
    meant = [(at, found) for at, found in known if compare(found, alarm.threshold) == is_alarm] or known
    shown = ", ".join(f"{found} ({_moment(at):%d/%m/%y %H:%M:%S})" for at, found in reversed(meant))
    to_alarm = alarm.datapoints_to_alarm or periods
    needed = to_alarm if is_alarm else periods - to_alarm + 1
    change = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(meant)} out of the last {periods} {_plural('datapoint', periods)} [{shown}] "
        f"{_was(len(meant))}{'' if is_alarm else ' not'} {words} the threshold ({float(alarm.threshold)}) "
        f"(minimum {needed} {_plural('datapoint', needed)} for {change} transition)."
    )


def state(alarm: Any) -> dict[str, Any]:
    """An alarm's state as its event shows it."""
    moment = alarm.state_updated_timestamp
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _written(moment.timestamp()),
    }


def event_detail(alarm: Any, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The detail of `CloudWatch Alarm State Change`."""
    return {
        "alarmName": alarm.name,
        "state": after,
        "previousState": before,
        "configuration": _configuration(alarm),
    }


def notification(
    alarm: Any, before: dict[str, Any], after: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    """What a topic's subscribers get."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": after["value"],
        "NewStateReason": after["reason"],
        "StateChangeTime": after["timestamp"],
        "Region": _REGIONS.get(region, region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before["value"],
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": _trigger(alarm),
    }


def function_payload(
    alarm: Any, before: dict[str, Any], after: dict[str, Any], account: str, region: str
) -> dict[str, Any]:
    """What a function is invoked with."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": account,
        "time": after["timestamp"],
        "region": region,
        "alarmData": event_detail(alarm, before, after),
    }


def subject(alarm: Any, value: str, region: str) -> str:
    """The subject of the mail, at most the hundred letters that SNS takes."""
    return f'{value}: "{alarm.name}" in {_REGIONS.get(region, region)}'[:100]


def _configuration(alarm: Any) -> dict[str, Any]:
    statistic = {
        "metric": {
            "namespace": alarm.namespace,
            "name": alarm.metric_name,
            "dimensions": {one.name: one.value for one in alarm.dimensions},
        },
        "period": int(alarm.period),
        "stat": alarm.extended_statistic or alarm.statistic,
    }
    shown: dict[str, Any] = {
        "metrics": [{"id": alarm.alarm_arn.rsplit(":", 1)[-1], "metricStat": statistic, "returnData": True}]
    }
    return {"description": alarm.description, **shown} if alarm.description else shown


def _trigger(alarm: Any) -> dict[str, Any]:
    statistic = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.extended_statistic}
        if alarm.extended_statistic
        else {"StatisticType": "Statistic", "Statistic": str(alarm.statistic).upper()}
    )
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        **statistic,
        "Unit": alarm.unit,
        "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
        "Period": int(alarm.period),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": "",
    }


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _written(seconds: float) -> str:
    return _moment(seconds).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"

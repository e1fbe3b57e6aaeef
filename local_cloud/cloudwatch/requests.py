"""What a request to CloudWatch may ask for; what AWS refuses, and what is not emulated, is refused by name.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError

from local_cloud.cloudwatch import evaluation, queries, samples, statistics
from local_cloud.cloudwatch.statistics import UnsupportedStatisticError

_REFUSED_OF_ALARMS = (
    "Metrics",
    "ThresholdMetricId",
    "AlarmRule",
    "EvaluateLowSampleCountPercentile",
    "EvaluationCriteria",
)
_ACTION_SERVICES = ("sns", "lambda")


def window(given: dict[str, Any], period_s: int, now: float) -> tuple[int, float, float]:
    """Period, begin and end of a query, all in seconds."""
    if not queries.is_period(period_s):
        raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    start, end = samples.seconds(given["StartTime"]), samples.seconds(given["EndTime"])
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    return period_s, queries.rounded_start(start, period_s, now), end


def check_statistics(asked: list[str]) -> None:
    """Raises: InvalidParameterValue for a statistic that is none, or not emulated."""
    for statistic in asked:
        try:
            statistics.check(statistic)
        except UnsupportedStatisticError as error:
            raise InvalidParameterValue(str(error)) from error


def check_query(query: dict[str, Any]) -> bool:
    """Whether a query's data is asked for. Raises: ValidationError."""
    if query.get("Expression"):
        kind = "Metrics Insights" if str(query["Expression"]).lstrip().upper().startswith("SELECT") else "metric math"
        raise ValidationError(f"cloudwatch:GetMetricData: Expression ({kind}) of {query['Id']} is not emulated")
    if query.get("AccountId"):
        raise ValidationError(f"cloudwatch:GetMetricData: AccountId of {query['Id']} is not emulated")
    if not query.get("MetricStat"):
        raise ValidationError("The parameter MetricDataQueries.member.1.MetricStat is required.\n")
    return bool(query.get("ReturnData", True))


def check_alarm(given: dict[str, Any]) -> None:
    """Raises: ValidationError, InvalidParameterCombination for an alarm that could not be evaluated, or not act."""
    for name in _REFUSED_OF_ALARMS:
        if given.get(name):
            raise ValidationError(f"cloudwatch:PutMetricAlarm: {name} is not emulated")
    for name in ("MetricName", "Namespace", "Period", "EvaluationPeriods", "ComparisonOperator"):
        if not given.get(name):
            raise ValidationError(f"The parameter {name} is required.")
    if given.get("Threshold") is None:
        raise ValidationError("The parameter Threshold is required.")
    if given["ComparisonOperator"] not in evaluation.COMPARISONS:
        raise ValidationError(f"cloudwatch:PutMetricAlarm: {given['ComparisonOperator']} is not emulated")
    if given.get("TreatMissingData") not in (None, *evaluation.TREATMENTS):
        raise ValidationError(f"Option {given['TreatMissingData']} is not supported for parameter TreatMissingData.")
    if bool(given.get("Statistic")) == bool(given.get("ExtendedStatistic")):
        raise InvalidParameterCombination("Exactly one of Statistic and ExtendedStatistic must be specified")
    check_statistics([given.get("Statistic") or given["ExtendedStatistic"]])
    if not queries.is_period(int(given["Period"])):
        raise ValidationError("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    if not 1 <= int(given.get("DatapointsToAlarm") or 1) <= int(given["EvaluationPeriods"]):
        raise ValidationError("The parameter DatapointsToAlarm must be between 1 and EvaluationPeriods.")
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for action in given.get(name) or []:
            if not str(action).startswith("arn:") or str(action).split(":")[2] not in _ACTION_SERVICES:
                raise ValidationError(f"cloudwatch:PutMetricAlarm: {name} {action} is not emulated")


def is_alarm_of(alarm: Any, given: dict[str, Any]) -> bool:
    """Whether DescribeAlarmsForMetric shows an alarm: its metric, and what else is given, must be the same."""
    own = [{"Name": one.name, "Value": one.value} for one in alarm.dimensions]
    asked = queries.key_of(given["Namespace"], given["MetricName"], given.get("Dimensions") or [])
    return (
        queries.key_of(alarm.namespace, alarm.metric_name, own) == asked
        and given.get("Statistic") in (None, alarm.statistic)
        and given.get("ExtendedStatistic") in (None, alarm.extended_statistic)
        and given.get("Unit") in (None, alarm.unit)
        and given.get("Period") in (None, alarm.period)
    )


def is_alarm_asked(alarm: Any, given: dict[str, Any]) -> bool:
    """Whether DescribeAlarms with these filters shows an alarm."""
    actions = [*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions]
    return (
        (not given.get("AlarmNames") or alarm.name in given["AlarmNames"])
        and alarm.name.startswith(given.get("AlarmNamePrefix") or "")
        and given.get("StateValue") in (None, alarm.state_value)
        and (not given.get("ActionPrefix") or any(one.startswith(given["ActionPrefix"]) for one in actions))
    )


def is_item_asked(item: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether DescribeAlarmHistory with these filters shows an item."""
    moment = item["Timestamp"].timestamp()
    return (
        given.get("AlarmName") in (None, item["AlarmName"])
        and given.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (given.get("StartDate") is None or moment >= samples.seconds(given["StartDate"]))
        and (given.get("EndDate") is None or moment <= samples.seconds(given["EndDate"]))
    )

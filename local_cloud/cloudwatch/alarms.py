"""Alarms: evaluated on new data and with time, and what a change of their state does.

A datapoint of the period that still runs counts as soon as it is there: AWS waits for the period to end, and longer.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import datetime
import json
import math
import threading
from typing import Any

from moto.utilities.arns import parse_arn

from local_cloud.cloudwatch import evaluation, messages, queries, statistics
from local_cloud.cloudwatch.samples import Samples
from local_cloud.durability import commits
from local_cloud.durability.tracked import changes
from local_cloud.eventbridge import delivery
from local_cloud.eventbridge.outbox import Pending
from local_cloud.services import events

_ACTIONS = {
    evaluation.OK: "ok_actions",
    evaluation.ALARM: "alarm_actions",
    evaluation.INSUFFICIENT_DATA: "insufficient_data_actions",
}
_changing = threading.RLock()
"""New data and the timer may bring the same change at once: it must be told once."""
_evaluated: dict[str, tuple[float, int, float]] = {}
"""Window, number of samples and age of each alarm's last evaluation: what has not changed is not evaluated again."""


def evaluate(backend: Any, alarm: Any, now: float) -> None:
    """Bring an alarm to the state that its metric gives."""
    with commits.together(), _changing:
        _evaluate(backend, alarm, now)


def _evaluate(backend: Any, alarm: Any, now: float) -> None:
    samples = _samples(backend, alarm, now)
    seen = (now // alarm.period, len(samples), alarm.configuration_updated_timestamp.timestamp())
    if _evaluated.get(alarm.alarm_arn) == seen:
        return
    _evaluated[alarm.alarm_arn] = seen
    points = _datapoints(alarm, samples, now)
    compare, _ = evaluation.COMPARISONS[alarm.comparison_operator]
    breaches = [None if value is None else compare(value, alarm.threshold) for _, value in points]
    to_alarm = alarm.datapoints_to_alarm or alarm.evaluation_periods
    treatment = alarm.treat_missing_data or "missing"
    value = evaluation.state(breaches, alarm.evaluation_periods, to_alarm, treatment)
    if value is not None and value != alarm.state_value:
        reason, data = messages.reason(alarm, value, points, now)
        change_state(backend, alarm, value, reason, data)


def forget(alarm_arn: str) -> None:
    """Evaluate an alarm anew when its turn comes."""
    _evaluated.pop(alarm_arn, None)


def _samples(backend: Any, alarm: Any, now: float) -> list[Samples]:
    """What an alarm looks at: the period that runs, and the ones before it."""
    period_s = int(alarm.period)
    current = now // period_s * period_s
    dimensions = [{"Name": one.name, "Value": one.value} for one in alarm.dimensions]
    key = queries.key_of(alarm.namespace, alarm.metric_name, dimensions)
    samples = queries.between(backend, key, current - _length(alarm) * period_s, current + period_s)
    return [sample for sample in samples if sample.unit == alarm.unit] if alarm.unit else samples


def _length(alarm: Any) -> int:
    return int(alarm.evaluation_periods) + evaluation.EXTRA_PERIODS


def _datapoints(alarm: Any, samples: list[Samples], now: float) -> list[tuple[float, float | None]]:
    """Begin and value of each period, the oldest first; the one that runs is among them once it has data."""
    period_s, length = int(alarm.period), _length(alarm)
    current = now // period_s * period_s
    has_current = any(sample.moment >= current for sample in samples)
    first = current - (length - 1 if has_current else length) * period_s
    found = queries.by_period(samples, first, first + length * period_s, period_s, now)
    statistic = alarm.extended_statistic or alarm.statistic
    begins = [first + number * period_s for number in range(length)]
    return [(at, statistics.compute(statistic, found.get(at, []))) for at in begins]


def change_state(backend: Any, alarm: Any, value: str, reason: str, data: str) -> None:
    """Set a state; when it is another, write history, send the event, and take the actions: in one commit."""
    with commits.together(), _changing:
        _change_state(backend, alarm, value, reason, data)


def _change_state(backend: Any, alarm: Any, value: str, reason: str, data: str) -> None:
    before = messages.state(alarm)
    alarm.update_state(reason, data, value)
    changes.note_service("cloudwatch")
    after = messages.state(alarm)
    if before["value"] == value:
        return
    record(
        backend,
        alarm,
        "StateUpdate",
        f"Alarm updated from {before['value']} to {value}",
        {"oldState": before, "newState": after},
    )
    account, region = backend.account_id, backend.region_name
    detail = messages.event_detail(alarm, before, after)
    events.emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn], account, region)
    if alarm.actions_enabled:
        for action in getattr(alarm, _ACTIONS[value]):
            _act(backend, alarm, action, before, after)


def _act(backend: Any, alarm: Any, action: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Send an action on its way. The history has it as done at once; whether it arrives is the courier's business."""
    account, region, now = backend.account_id, backend.region_name, delivery.now()
    is_topic = parse_arn(action).service == "sns"
    payload = messages.notification(alarm, before, after, account, region)
    if not is_topic:
        payload = messages.function_payload(alarm, before, after, account, region)
    delivery.deliver(
        Pending(
            source_arn=alarm.alarm_arn,
            target={"Arn": action},
            payload=json.dumps(payload),
            account=account,
            region=region,
            event_id=f"{alarm.name}-{math.floor(now * 1000)}",
            accepted_at=now,
            due_at=now,
            subject=messages.subject(alarm, after["value"], region) if is_topic else None,
        )
    )
    record(backend, alarm, "Action", f"Successfully executed action {action}", {"actionState": "Succeeded"})


def record(backend: Any, alarm: Any, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Add to the history, which outlives the alarm."""
    items: list[dict[str, Any]] = backend.__dict__.setdefault("alarm_history", [])
    items.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": datetime.datetime.now(datetime.UTC),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps({"version": "1.0", **data}),
        }
    )

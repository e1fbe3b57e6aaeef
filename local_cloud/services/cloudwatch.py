"""CloudWatch: metrics checked and computed as on AWS, metrics of log lines, alarms that change and act.

Metric math, anomaly detection and Metrics Insights are refused by name.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult

from local_cloud.cloudwatch import alarms, data_pages, emf, evaluation, queries, requests, samples, statistics
from local_cloud.cloudwatch.samples import Samples
from local_cloud.eventbridge.timer import TIMER
from local_cloud.replacements import Replacement
from local_cloud.settings import CloudSettings

ALARM_TICK_S = 1.0
MOST_DATAPOINTS = 1_440
MOST_METRICS_A_PAGE = 500
_LOG = logging.getLogger("local_cloud.cloudwatch")
_thread = threading.local()


def start(_: CloudSettings) -> None:
    """Evaluate alarms with time."""
    TIMER.call_every(ALARM_TICK_S, lambda: tick(TIMER.now()))
    TIMER.start()


def stop() -> None:
    """Evaluate no more."""
    TIMER.stop()


def tick(now: float) -> None:
    """Evaluate every alarm whose period went on or whose metric has new data."""
    for regions in list(cloudwatch_backends.values()):
        for backend in list(regions.values()):
            for alarm in list(backend.alarms.values()):
                _evaluate(backend, alarm, now)


def _evaluate(backend: Any, alarm: Any, now: float) -> None:
    try:
        alarms.evaluate(backend, alarm, now)
    except Exception:  # noqa: BLE001
        # One alarm that cannot be evaluated must not keep others, or the metric's sender, from going on.
        _LOG.exception("alarm %s could not be evaluated", alarm.name)


def store(backend: CloudWatchBackend, namespace: str, data: list[dict[str, Any]]) -> None:
    """Keep data that AWS would take, all of it or none; then look at the alarms. Raises: as `samples.check`."""
    now = TIMER.now()
    samples.check(namespace, data, now)
    made = [Samples(namespace, datum, now) for datum in data]
    backend.metric_data += made
    touched = {one.key[:2] for one in made}
    waiting: list[Callable[[], None]] | None = getattr(_thread, "waiting", None)
    for alarm in list(backend.alarms.values()):
        if (alarm.namespace, alarm.metric_name) not in touched:
            continue
        if waiting is None:
            _evaluate(backend, alarm, now)
        else:
            waiting.append(functools.partial(_evaluate, backend, alarm, now))


@contextlib.contextmanager
def alarms_afterwards() -> Iterator[None]:
    """Alarms that this thread's data touch are looked at when the block has ended: an alarm's actions are calls, for
    which nobody may wait who holds a lock."""
    _thread.waiting = []
    try:
        yield
    finally:
        waiting, _thread.waiting = _thread.waiting, None
        for evaluate in waiting:
            evaluate()


def _put_metric_data(_: Callable[..., None]) -> Callable[..., None]:
    def put_metric_data(self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        store(self, namespace, metric_data)

    return put_metric_data


def _put_log_events(original: Callable[..., Any]) -> Callable[..., Any]:
    """Find metrics in lines that a log took."""

    def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
        reply = original(self, log_group_name, log_stream_name, log_events)
        backend = cloudwatch_backends[self.account_id][self.region_name]
        for event in log_events:
            _take_metrics(backend, event["message"], f"{log_group_name}/{log_stream_name}")
        return reply

    return put_log_events


def _take_metrics(backend: CloudWatchBackend, message: str, place: str) -> None:
    try:
        for namespace, datum in emf.extract(message):
            store(backend, namespace, [datum])
    except (emf.EmfError, ServiceException) as error:
        # As on AWS the line stays in the log, and only its metrics are lost.
        _LOG.warning("metrics in a line of %s are not taken: %s", place, error)


class CompletedCloudWatchResponse(CloudWatchResponse):
    """moto's handler, with queries that compute, alarms that live, and refusals."""

    def put_metric_data(self) -> ActionResult:
        for name in ("EntityMetricData", "StrictEntityValidation"):
            if self._get_param(name):
                raise ValidationError(f"cloudwatch:PutMetricData: {name} is not emulated")
        store(self.cloudwatch_backend, self._get_param("Namespace"), self._get_param("MetricData", []))
        return EmptyResult()

    def get_metric_statistics(self) -> ActionResult:
        given, now = self._get_params(), TIMER.now()
        period_s, start, end = requests.window(given, int(given["Period"]), now)
        asked = [*(given.get("Statistics") or []), *(given.get("ExtendedStatistics") or [])]
        if not asked or (given.get("Statistics") and given.get("ExtendedStatistics")):
            raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
        requests.check_statistics(asked)
        if (end - start) / period_s > MOST_DATAPOINTS:
            raise InvalidParameterCombination(
                f"You have requested up to {int((end - start) / period_s)} datapoints, which exceeds the limit of "
                f"{MOST_DATAPOINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the "
                "time range."
            )
        key = queries.key_of(given["Namespace"], given["MetricName"], given.get("Dimensions") or [])
        found = queries.between(self.cloudwatch_backend, key, start, end)
        units = [given["Unit"]] if given.get("Unit") else sorted({sample.unit for sample in found})
        points = [
            _datapoint(at, unit, asked, of_period)
            for unit in units
            for at, of_period in queries.by_period(
                [sample for sample in found if sample.unit == unit], start, end, period_s, now
            ).items()
        ]
        return ActionResult({"Label": given["MetricName"], "Datapoints": points})

    def get_metric_data(self) -> ActionResult:
        given, now = self._get_params(), TIMER.now()
        asked = given.get("MetricDataQueries") or []
        results = [self._answer(query, given, now) for query in asked if requests.check_query(query)]
        if len({query["Id"] for query in asked}) < len(asked):
            raise ValidationError("The values for parameter Id in MetricDataQueries are not unique.")
        page, token = data_pages.page(results, given.get("MaxDatapoints"), given.get("NextToken"))
        return ActionResult({"MetricDataResults": page, "NextToken": token, "Messages": []})

    def _answer(self, query: dict[str, Any], given: dict[str, Any], now: float) -> dict[str, Any]:
        wanted, metric = query["MetricStat"], query["MetricStat"]["Metric"]
        period_s, start, end = requests.window(given, int(wanted["Period"]), now)
        requests.check_statistics([wanted["Stat"]])
        key = queries.key_of(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or [])
        found = queries.between(self.cloudwatch_backend, key, start, end)
        if wanted.get("Unit"):
            found = [sample for sample in found if sample.unit == wanted["Unit"]]
        periods = sorted(queries.by_period(found, start, end, period_s, now).items())
        points = [(at, value) for at, one in periods if (value := statistics.compute(wanted["Stat"], one)) is not None]
        if given.get("ScanBy") != "TimestampAscending":
            points.reverse()
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or metric["MetricName"],
            "Timestamps": [_utc(at) for at, _ in points],
            "Values": [value for _, value in points],
            "StatusCode": "Complete",
        }

    def list_metrics(self) -> ActionResult:
        given, now = self._get_params(), TIMER.now()
        for name in ("IncludeLinkedAccounts", "OwningAccount"):
            if given.get(name):
                raise ValidationError(f"cloudwatch:ListMetrics: {name} is not emulated")
        oldest = now - (3 * 3_600 if given.get("RecentlyActive") == "PT3H" else samples.OLDEST_S)
        filters = given.get("Namespace"), given.get("MetricName"), given.get("Dimensions") or []
        found = [
            key
            for key, last in queries.metrics(self.cloudwatch_backend)
            if last >= oldest and queries.is_asked(key, *filters)
        ]
        shown, token = data_pages.cut(found, MOST_METRICS_A_PAGE, given.get("NextToken"))
        return ActionResult({"Metrics": [_metric(key) for key in shown], "NextToken": token})

    def put_metric_alarm(self) -> ActionResult:
        given, backend = self._get_params(), self.cloudwatch_backend
        requests.check_alarm(given)
        before = backend.alarms.get(given["AlarmName"])
        reply = super().put_metric_alarm()
        alarm = backend.alarms[given["AlarmName"]]
        if before is None:
            alarm.state_value = evaluation.INSUFFICIENT_DATA
        else:
            for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, name, getattr(before, name))
        verb = "created" if before is None else "updated"
        alarms.record(backend, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {verb}', {"type": verb.title()})
        _evaluate(backend, alarm, TIMER.now())
        return reply

    def delete_alarms(self) -> ActionResult:
        backend = self.cloudwatch_backend
        for name in self._get_param("AlarmNames", []):
            if alarm := backend.alarms.get(name):
                alarms.record(backend, alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {"type": "Delete"})
                alarms.forget(alarm.alarm_arn)
        return super().delete_alarms()

    def set_alarm_state(self) -> ActionResult:
        backend = self.cloudwatch_backend
        alarm = backend.alarms.get(self._get_param("AlarmName"))
        value = self._get_param("StateValue")
        if alarm is None or value not in (evaluation.OK, evaluation.ALARM, evaluation.INSUFFICIENT_DATA):
            return super().set_alarm_state()  # which says what is wrong
        data = self._get_param("StateReasonData") or "{}"
        alarms.change_state(backend, alarm, value, self._get_param("StateReason"), data)
        return EmptyResult()

    def describe_alarms(self) -> ActionResult:
        given = self._get_params()
        found = [alarm for alarm in self.cloudwatch_backend.alarms.values() if requests.is_alarm_asked(alarm, given)]
        if given.get("AlarmTypes") and "MetricAlarm" not in given["AlarmTypes"]:
            found = []
        shown, token = data_pages.cut(
            sorted(found, key=lambda alarm: alarm.name), given.get("MaxRecords") or 50, given.get("NextToken")
        )
        return ActionResult({"MetricAlarms": shown, "CompositeAlarms": [], "NextToken": token})

    def describe_alarms_for_metric(self) -> ActionResult:
        given = self._get_params()
        alarms_there = self.cloudwatch_backend.alarms.values()
        return ActionResult({"MetricAlarms": [one for one in alarms_there if requests.is_alarm_of(one, given)]})

    def describe_alarm_history(self) -> ActionResult:
        given = self._get_params()
        items: list[dict[str, Any]] = list(self.cloudwatch_backend.__dict__.get("alarm_history", []))
        wanted = [item for item in items if requests.is_item_asked(item, given)]
        if given.get("ScanBy") != "TimestampAscending":
            wanted.reverse()
        shown, token = data_pages.cut(wanted, given.get("MaxRecords") or 100, given.get("NextToken"))
        return ActionResult({"AlarmHistoryItems": shown, "NextToken": token})


def _metric(key: queries.Key) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(key[2])]
    return {"Namespace": key[0], "MetricName": key[1], "Dimensions": dimensions}


def _datapoint(at: float, unit: str, asked: list[str], of_period: list[Samples]) -> dict[str, Any]:
    computed = {statistic: statistics.compute(statistic, of_period) for statistic in asked}
    known = {statistic: value for statistic, value in computed.items() if value is not None}
    shown: dict[str, Any] = {"Timestamp": _utc(at), "Unit": unit}
    shown |= {statistic: value for statistic, value in known.items() if statistic in statistics.SIMPLE}
    if extended := {statistic: value for statistic, value in known.items() if statistic not in statistics.SIMPLE}:
        shown["ExtendedStatistics"] = extended
    return shown


def _utc(moment: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def _dispatch(original: dict[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {path: CompletedCloudWatchResponse.dispatch for path in original}  # noqa: C420  typed


REPLACEMENTS: list[Replacement] = [
    Replacement(
        target="moto.cloudwatch.urls:url_paths",
        build=_dispatch,
        why="matches dimensions loosely, has no percentiles, answers metric math with wrong values, and no alarm lives",
    ),
    Replacement(
        target="moto.cloudwatch.models:CloudWatchBackend.put_metric_data",
        build=_put_metric_data,
        why="takes infinities, any dimension and any time, and keeps a value with a count a million times",
    ),
    Replacement(
        target="moto.logs.models:LogsBackend.put_log_events",
        build=_put_log_events,
        why="moto finds no metrics in log lines",
    ),
]

"""What PutMetricData takes, and how it is kept.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.models import MetricDatumBase

MOST_DIMENSIONS = 30
MOST_METRICS = 1_000
MOST_VALUES = 150
OLDEST_S = 14 * 86_400
NEWEST_S = 2 * 3_600
_LARGEST = 2.0**360
_STATISTICS = ("Sum", "Maximum", "Minimum", "SampleCount")
_SIZES = [f"{scale}{unit}".capitalize() for scale in ("", "kilo", "mega", "giga", "tera") for unit in ("bytes", "bits")]
_UNITS = {
    *("None", "Count", "Count/Second", "Percent", "Seconds", "Milliseconds", "Microseconds"),
    *_SIZES,
    *(f"{size}/Second" for size in _SIZES),
}


class Samples(MetricDatumBase):
    """One datum of a metric: values with how often each came, or a statistic set (then `values` is empty).

    Units: `moment` in seconds since 1970.
    """

    def __init__(self, namespace: str, datum: Mapping[str, Any], now: float) -> None:
        self.moment = seconds(datum["Timestamp"]) if datum.get("Timestamp") is not None else now
        written = datetime.datetime.fromtimestamp(self.moment, datetime.UTC).replace(tzinfo=None)
        super().__init__(namespace, datum["MetricName"], list(datum.get("Dimensions") or []), written)
        self.unit = datum.get("Unit") or "None"
        self.values, self.counts = _values(datum)
        given = datum.get("StatisticValues")
        self.statistics = {name: float(given[name]) for name in _STATISTICS} if given else None

    @property
    def key(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        """What tells metrics apart."""
        return self.namespace, self.name, frozenset((one.name or "", one.value or "") for one in self.dimensions)


def seconds(moment: Any) -> float:
    """Seconds since 1970 of what moto parsed: a datetime without zone is UTC."""
    if isinstance(moment, str):
        moment = datetime.datetime.fromisoformat(moment)
    if isinstance(moment, datetime.datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    return float(moment)


def _values(datum: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    if datum.get("Values"):
        values = [float(value) for value in datum["Values"]]
        return values, [float(count) for count in datum.get("Counts") or [1.0] * len(values)]
    return ([float(datum["Value"])], [1.0]) if datum.get("Value") is not None else ([], [])


def check(namespace: str, data: list[dict[str, Any]], now: float) -> None:
    """Raises: InvalidParameterValue, InvalidParameterCombination for what AWS refuses; nothing is kept then."""
    if namespace.startswith("AWS/"):
        raise InvalidParameterValue(f"The value {namespace} for parameter Namespace is invalid.")
    if len(data) > MOST_METRICS:
        raise InvalidParameterValue(f"The collection MetricData must not have a size greater than {MOST_METRICS}.")
    for number, datum in enumerate(data, 1):
        _check_datum(datum, f"MetricData.member.{number}", now)


def _check_datum(datum: Mapping[str, Any], place: str, now: float) -> None:
    if not datum.get("MetricName"):
        raise InvalidParameterValue(f"The parameter {place}.MetricName is required.")
    _check_dimensions(datum.get("Dimensions") or [], place)
    if datum.get("Unit") and datum["Unit"] not in _UNITS:
        raise InvalidParameterValue(f"The value {datum['Unit']} for parameter {place}.Unit is invalid.")
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise InvalidParameterValue(f"The parameter {place}.StorageResolution must be 1 or 60.")
    if datum.get("Timestamp") is not None:
        _check_moment(seconds(datum["Timestamp"]), place, now)
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) not in (None, [])]
    if len(given) > 1:
        raise InvalidParameterCombination(
            f"The parameters {place}.{given[0]} and {place}.{given[1]} are mutually exclusive and you have "
            "specified both."
        )
    if not given:
        raise InvalidParameterCombination(
            f"At least one of the parameters {place}.Value, {place}.Values and {place}.StatisticValues must be "
            "specified."
        )
    _check_numbers(datum, place)


def _check_dimensions(dimensions: list[Mapping[str, str]], place: str) -> None:
    if len(dimensions) > MOST_DIMENSIONS:
        raise InvalidParameterValue(
            f"The collection {place}.Dimensions must not have a size greater than {MOST_DIMENSIONS}."
        )
    for number, dimension in enumerate(dimensions, 1):
        for part, longest in (("Name", 255), ("Value", 1_024)):
            text = dimension.get(part) or ""
            if not text.strip() or len(text) > longest or not text.isascii():
                raise InvalidParameterValue(
                    f"The value {text[:100]!r} for parameter {place}.Dimensions.member.{number}.{part} is invalid."
                )
        if dimension["Name"].startswith(":"):
            raise InvalidParameterValue(
                f"The value {dimension['Name']} for parameter {place}.Dimensions.member.{number}.Name is invalid."
            )


def _check_moment(moment: float, place: str, now: float) -> None:
    if moment < now - OLDEST_S:
        raise InvalidParameterValue(f"The parameter {place}.Timestamp must specify a time within the past two weeks.")
    if moment > now + NEWEST_S:
        raise InvalidParameterValue(
            f"The parameter {place}.Timestamp must specify a time no more than two hours in the future."
        )


def _check_numbers(datum: Mapping[str, Any], place: str) -> None:
    values, counts = datum.get("Values") or [], datum.get("Counts") or []
    if len(values) > MOST_VALUES:
        raise InvalidParameterValue(f"The collection {place}.Values must not have a size greater than {MOST_VALUES}.")
    if counts and len(counts) != len(values):
        raise InvalidParameterValue(f"The parameters {place}.Values and {place}.Counts must be of the same size.")
    named = [(f"{place}.Value", datum.get("Value"))] + [(f"{place}.Values", value) for value in values]
    named += [(f"{place}.Counts", count) for count in counts]
    if statistics := datum.get("StatisticValues"):
        for name in _STATISTICS:
            if statistics.get(name) is None:
                raise InvalidParameterValue(f"Missing required parameter in {place}.StatisticValues: {name}")
        named += [(f"{place}.StatisticValues.{name}", statistics[name]) for name in _STATISTICS]
        if float(statistics["Minimum"]) > float(statistics["Maximum"]) or float(statistics["SampleCount"]) <= 0:
            raise InvalidParameterValue(f"The parameter {place}.StatisticValues is invalid.")
    for name, number in named:
        if number is not None and not (math.isfinite(float(number)) and abs(float(number)) <= _LARGEST):
            raise InvalidParameterValue(f"The value {float(number)} for parameter {name} is invalid.")
    if any(float(count) < 0 for count in counts):
        raise InvalidParameterValue(f"The parameter {place}.Counts must not be negative.")

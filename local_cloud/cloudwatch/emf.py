"""Metrics inside of log lines: the embedded metric format.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_METRICS = 100
MOST_VALUES = 100
MOST_DIMENSIONS = 30


class EmfError(ValueError):
    """A line that says it is EMF, and is not."""


def extract(message: str) -> list[tuple[str, dict[str, Any]]]:
    """The namespace and datum of each metric of a log line, as PutMetricData takes them; none for another line.

    Raises: EmfError for a line with `_aws.CloudWatchMetrics` that breaks the format.
    """
    if not message.lstrip().startswith("{") or '"_aws"' not in message:
        return []
    try:
        line = json.loads(message)
    except ValueError:
        return []
    head = line.get("_aws")
    if not isinstance(head, dict) or "CloudWatchMetrics" not in head:
        return []
    if not isinstance(head["CloudWatchMetrics"], list):
        raise EmfError("CloudWatchMetrics is not a list")
    moment = _moment(head)
    return [one for directive in head["CloudWatchMetrics"] for one in _metrics(directive, line, moment)]


def _moment(head: Mapping[str, Any]) -> datetime.datetime:
    timestamp = head.get("Timestamp")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise EmfError("Timestamp is not a number of milliseconds")
    try:
        return datetime.datetime.fromtimestamp(timestamp / 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise EmfError(f"Timestamp {timestamp} is out of range") from error


def _metrics(
    directive: Any, line: Mapping[str, Any], moment: datetime.datetime
) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(directive, dict) or not isinstance(directive.get("Namespace"), str):
        raise EmfError("a metric directive has no Namespace")
    definitions = directive.get("Metrics")
    if not isinstance(definitions, list) or len(definitions) > MOST_METRICS:
        raise EmfError(f"Metrics is not a list of at most {MOST_METRICS}")
    for dimensions in _dimension_sets(directive, line):
        for definition in definitions:
            yield directive["Namespace"], _datum(definition, line, dimensions, moment)


def _dimension_sets(directive: Mapping[str, Any], line: Mapping[str, Any]) -> list[list[dict[str, str]]]:
    sets = directive.get("Dimensions") or [[]]
    if not all(isinstance(one, list) and len(one) <= MOST_DIMENSIONS for one in sets):
        raise EmfError(f"Dimensions is not a list of lists of at most {MOST_DIMENSIONS}")
    found = []
    for names in sets:
        if missing := [name for name in names if not isinstance(line.get(name), str)]:
            raise EmfError(f"the dimension {missing[0]} has no text in the line")
        found.append([{"Name": name, "Value": line[name]} for name in names])
    return found


def _datum(
    definition: Any, line: Mapping[str, Any], dimensions: list[dict[str, str]], moment: datetime.datetime
) -> dict[str, Any]:
    name = definition.get("Name") if isinstance(definition, dict) else None
    if not isinstance(name, str) or name not in line:
        raise EmfError(f"the metric {name} is not in the line")
    values = line[name] if isinstance(line[name], list) else [line[name]]
    if not values or len(values) > MOST_VALUES:
        raise EmfError(f"the metric {name} has no value, or more than {MOST_VALUES}")
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise EmfError(f"the metric {name} is not a number")
    datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": moment, "Values": values}
    optional = {key: definition[key] for key in ("Unit", "StorageResolution") if key in definition}
    return datum | optional

"""The lines that Lambda itself writes around a function's, as text or, where the function asks for it, as JSON.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html#monitoring-cloudwatchlogs-logformat
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """What an invocation used. Units: seconds, MB as AWS writes them, KiB for the peak memory."""

    duration_s: float
    init_s: float | None
    memory_mb: int
    peak_kib: int
    status: str


def is_json(logging_config: Mapping[str, Any] | None) -> bool:
    """Whether a function's LoggingConfig asks for JSON."""
    return (logging_config or {}).get("LogFormat") == "JSON"


def start(request_id: str, version: str, *, as_json: bool) -> list[str]:
    """Before the function's lines."""
    if as_json:
        return [_platform("start", {"requestId": request_id, "version": version})]
    return [f"START RequestId: {request_id} Version: {version}"]


def end(request_id: str, report: Report, *, as_json: bool) -> list[str]:
    """After the function's lines."""
    duration_ms = report.duration_s * 1000
    if as_json:
        metrics: dict[str, Any] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": int(duration_ms) + 1,
            "memorySizeMB": report.memory_mb,
            "maxMemoryUsedMB": report.peak_kib // 1024,
        }
        if report.init_s is not None:
            metrics["initDurationMs"] = round(report.init_s * 1000, 3)
        return [_platform("report", {"requestId": request_id, "metrics": metrics, "status": report.status})]
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {report.memory_mb} MB\t"
        f"Max Memory Used: {report.peak_kib // 1024} MB\t"
    )
    if report.init_s is not None:
        line += f"Init Duration: {report.init_s * 1000:.2f} ms\t"
    return [f"END RequestId: {request_id}", line]


def failure(request_id: str, message: str, *, as_json: bool) -> list[str]:
    """Why the platform ended the function."""
    if as_json:
        return [json.dumps({"time": now_iso(), "type": "platform.fault", "record": f"{request_id} {message}"})]
    return [f"{now_iso()} {request_id} {message}"]


def now_iso() -> str:
    """The time, UTC, with milliseconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _platform(kind: str, record: Mapping[str, Any]) -> str:
    return json.dumps({"time": now_iso(), "type": f"platform.{kind}", "record": record})

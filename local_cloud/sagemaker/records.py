"""Input objects as payloads for a model, and its answers as output: split, filter, join, assemble.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local_cloud.sagemaker.filters import Filter

JSON_LINES = ("application/jsonlines", "application/json", "application/x-jsonlines")
CSV = ("text/csv",)


class RecordError(ValueError):
    """An input or an answer cannot be split, joined or filtered."""


@dataclass(frozen=True)
class Payload:
    """One request: its body, and the input lines it is made of (none where the object is sent whole)."""

    body: bytes
    lines: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Processing:
    """A transform's DataProcessing. Filters are None where the whole record passes."""

    content_type: str
    accept: str
    input_filter: Filter | None = None
    output_filter: Filter | None = None
    join: bool = False

    @property
    def is_plain(self) -> bool:
        return self.output_filter is None and not self.join


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream without their ends; empty lines are left out."""
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line for raw in whole if (line := raw.rstrip(b"\r")))
    last = pending.rstrip(b"\r")
    if last:
        yield last


def payloads(lines: Iterable[bytes], processing: Processing, *, largest_bytes: int, single: bool) -> Iterator[Payload]:
    """Lines gathered into payloads of at most `largest_bytes`, or one a payload.

    Raises: RecordError naming a line that alone is too long.
    """
    gathered: list[bytes] = []
    sent: list[bytes] = []
    size = 0
    for number, line in enumerate(lines, 1):
        body = _filtered_input(line, processing)
        if len(body) > largest_bytes:
            raise RecordError(f"line {number} has {len(body)} bytes, MaxPayloadInMB allows {largest_bytes}")
        if gathered and (single or size + len(body) + 1 > largest_bytes):
            yield Payload(b"\n".join(sent), tuple(gathered))
            gathered, sent, size = [], [], 0
        gathered.append(line)
        sent.append(body)
        size += len(body) + 1
    if gathered:
        yield Payload(b"\n".join(sent), tuple(gathered))


def assembled(payload: Payload, answer: bytes, processing: Processing, *, by_line: bool) -> bytes:
    """What a payload adds to the output object.

    Raises: RecordError if a join finds another number of answers than of input lines.
    """
    if processing.is_plain:
        return answer.rstrip(b"\n") + b"\n" if by_line else answer
    answers = [line for line in answer.split(b"\n") if line.strip()]
    if processing.join and len(answers) != len(payload.lines):
        raise RecordError(
            f"the model gave {len(answers)} answers to {len(payload.lines)} records: they cannot be joined"
        )
    sources: Sequence[bytes | None] = payload.lines if processing.join else [None] * len(answers)
    joined = [_output(source, line, processing) for source, line in zip(sources, answers, strict=True)]
    return b"".join(line + b"\n" for line in joined) if by_line else b"\n".join(joined)


def _filtered_input(line: bytes, processing: Processing) -> bytes:
    if processing.input_filter is None:
        return line
    record = _parsed(line, processing.content_type)
    return _written(processing.input_filter(record), processing.content_type)


def _output(source: bytes | None, answer: bytes, processing: Processing) -> bytes:
    record = _parsed(answer, processing.accept)
    if source is not None:
        record = _join(_parsed(source, processing.content_type), record)
    if processing.output_filter is not None:
        record = processing.output_filter(record)
    return _written(record, processing.accept)


def _join(source: Any, answer: Any) -> Any:
    if isinstance(source, list):
        return [*source, *(answer if isinstance(answer, list) else [answer])]
    if isinstance(source, dict):
        return {**source, "SageMakerOutput": answer}
    return {"SageMakerInput": source, "SageMakerOutput": answer}


def _parsed(line: bytes, content_type: str) -> Any:
    if content_type in CSV:
        return next(csv.reader([line.decode()]))
    if content_type not in JSON_LINES:
        raise RecordError(f"filters and joins are not emulated for {content_type}")
    try:
        return json.loads(line)
    except ValueError as error:
        raise RecordError(f"a record is not JSON ({error}): {line[:200].decode(errors='replace')}") from error


def _written(record: Any, content_type: str) -> bytes:
    if content_type in CSV:
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow(record if isinstance(record, list) else [record])
        return row.getvalue().encode()
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()

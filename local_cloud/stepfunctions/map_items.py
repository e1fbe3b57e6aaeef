"""The items of a Distributed Map: read from S3, and put into batches.

Pure, but for the client that it is given.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html and
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


class ItemReaderError(Exception):
    """Items that cannot be read: States.ItemReaderFailed."""


@dataclass(frozen=True)
class Format:
    """How an object holds items: the part of ReaderConfig that is not evaluated."""

    input_type: str = "JSON"
    header_location: str | None = None
    headers: tuple[str, ...] = ()
    delimiter: str = "COMMA"
    pointer: str | None = None


@dataclass(frozen=True)
class Results:
    """How results are shown: a ResultWriter's WriterConfig."""

    transformation: str
    output_type: str = "JSON"


@dataclass(frozen=True)
class BatchLimits:
    """At most so many items, and so many bytes of items, in a batch; None for no limit."""

    items: int | None = None
    size_bytes: int | None = None


@dataclass
class _Batch:
    items: list[Any] = field(default_factory=list)
    size_bytes: int = 0


def parse(text: str, form: Format, limit: int | None) -> list[Any]:
    """The first `limit` items in an object's text. Raises: ItemReaderError for a text that has none."""
    readers = {"JSON": _json_items, "JSONL": _json_lines, "CSV": _csv_items}
    try:
        return list(itertools.islice(readers[form.input_type](text, form), limit or None))
    except (ValueError, csv.Error) as error:
        raise ItemReaderError(f"Attempting to read malformed {form.input_type}: {error}") from error


def _json_items(text: str, form: Format) -> Iterator[Any]:
    value = json.loads(text)
    for step in (form.pointer or "").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            raise ItemReaderError(f"ItemsPointer {form.pointer} finds nothing")
        value = value[name]
    if isinstance(value, dict) and form.pointer:
        return iter([{"Key": key, "Value": item} for key, item in value.items()])
    if not isinstance(value, list):
        raise ItemReaderError("Attempting to map over non-iterable node.")
    return iter(value)


def _json_lines(text: str, form: Format) -> Iterator[Any]:  # noqa: ARG001  one signature for all readers
    return (json.loads(line) for line in text.splitlines() if line.strip())


def _csv_items(text: str, form: Format) -> Iterator[Any]:
    rows = csv.reader(io.StringIO(text), delimiter=_DELIMITERS[form.delimiter])
    headers = list(form.headers) if form.header_location == "GIVEN" else next(rows, [])
    if len(set(headers)) < len(headers):
        raise ItemReaderError("CSV headers cannot contain duplicates.")
    return (dict(itertools.zip_longest(headers, row[: len(headers)], fillvalue="")) for row in rows)


def listed(pages: Iterable[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """The objects that ListObjectsV2 found, as a Map gets them."""
    found = (entry for page in pages for entry in page.get("Contents", []))
    return [
        {
            "Etag": entry["ETag"],
            "Key": entry["Key"],
            "LastModified": int(entry["LastModified"].timestamp()),
            "Size": entry["Size"],
            "StorageClass": entry.get("StorageClass", "STANDARD"),
        }
        for entry in itertools.islice(found, limit or None)
    ]


def batches(items: list[Any], limits: BatchLimits, batch_input: Any = None) -> list[dict[str, Any]]:
    """Items in their order, put together as long as the limits allow."""
    filled: list[_Batch] = []
    for item in items:
        size_bytes = len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())
        if not filled or not _fits(filled[-1], size_bytes, limits):
            filled.append(_Batch())
        filled[-1].items.append(item)
        filled[-1].size_bytes += size_bytes
    shared = {} if batch_input is None else {"BatchInput": batch_input}
    return [{**shared, "Items": batch.items} for batch in filled]


def _fits(batch: _Batch, size_bytes: int, limits: BatchLimits) -> bool:
    if limits.items and len(batch.items) >= limits.items:
        return False
    return not limits.size_bytes or batch.size_bytes + size_bytes <= limits.size_bytes

"""Items read from objects, and batches of items."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from local_cloud.stepfunctions.map_items import BatchLimits, Format, ItemReaderError, batches, listed, parse

CSV = "a|b\n1|2\n3\n5|6|7\n"


@pytest.mark.parametrize(
    ("text", "form", "items"),
    [
        ("[1, {}]", Format(), [1, {}]),
        ('{"x/y": {"l": [1]}}', Format(pointer="/x~1y/l"), [1]),
        ('{"o": {"k": 1}}', Format(pointer="/o"), [{"Key": "k", "Value": 1}]),
        ('{"a": 1}\n\n{"a": 2}\n', Format("JSONL"), [{"a": 1}, {"a": 2}]),
        (
            CSV,
            Format("CSV", "FIRST_ROW", delimiter="PIPE"),
            [{"a": "1", "b": "2"}, {"a": "3", "b": ""}, {"a": "5", "b": "6"}],
        ),
        ("1,2\n", Format("CSV", "GIVEN", ("x", "y")), [{"x": "1", "y": "2"}]),
    ],
)
def test_items(text: str, form: Format, items: list[Any]) -> None:
    assert parse(text, form, None) == items


def test_no_more_items_than_wanted() -> None:
    assert parse("[1, 2, 3]", Format(), 2) == [1, 2]
    assert parse(CSV, Format("CSV", "FIRST_ROW", delimiter="PIPE"), 1) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("{}", Format()),
        ("[", Format()),
        ("{}", Format(pointer="/a")),
        ("1\n{", Format("JSONL")),
        ("a,a\n", Format("CSV", "FIRST_ROW")),
    ],
)
def test_unreadable(text: str, form: Format) -> None:
    with pytest.raises(ItemReaderError):
        parse(text, form, None)


def test_listed_objects_of_all_pages() -> None:
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    pages = [{"Contents": [{"ETag": '"e"', "Key": key, "LastModified": moment, "Size": 1}]} for key in "abc"]
    found = listed([*pages, {}], 2)
    assert [entry["Key"] for entry in found] == ["a", "b"]
    assert found[0]["LastModified"] == int(moment.timestamp())


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (BatchLimits(2), [2, 2, 1]),
        (BatchLimits(None, 7), [2, 2, 1]),
        (BatchLimits(1, 100), [1] * 5),
        (BatchLimits(9, 2), [1] * 5),
    ],
)
def test_batches(limits: BatchLimits, sizes: list[int]) -> None:
    found = batches([100, 200, 300, 400, 500], limits, {"shared": 1})
    assert [len(batch["Items"]) for batch in found] == sizes
    assert all(batch["BatchInput"] == {"shared": 1} for batch in found)


def test_a_batch_without_input_has_none() -> None:
    assert batches([1], BatchLimits(5)) == [{"Items": [1]}]

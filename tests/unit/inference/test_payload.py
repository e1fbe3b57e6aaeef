import json
from typing import Any

import pytest

from inference.payload import CSV, JSON_LINES, BadLineError, parse_rows

FEATURES = ["a", "b", "c"]


def refused(body: str | bytes, media_type: str = JSON_LINES) -> dict[str, Any]:
    with pytest.raises(BadLineError) as caught:
        parse_rows(body.encode() if isinstance(body, str) else body, media_type, FEATURES)
    assert caught.value.document["mend"]
    return caught.value.document


def test_fields_are_taken_by_name_and_others_ignored() -> None:
    rows = parse_rows(b'{"c": 3, "id": "x", "a": 1, "b": 2.5, "note": [1]}\n', JSON_LINES, FEATURES)
    assert rows.tolist() == [[1.0, 2.5, 3.0]]


def test_a_list_is_spread_over_numbered_features() -> None:
    rows = parse_rows(b'{"pixels": [1, 2]}', JSON_LINES, ["pixels_0", "pixels_1"])
    assert rows.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ('{"a": 1, "b": 2}', "c", "is missing"),
        ('{"a": 1, "b": 2, "c": null}', "c", "is null"),
        ('{"a": 1, "b": "2", "c": 3}', "b", 'is "2"'),
        ('{"a": 1, "b": NaN, "c": 3}', "b", "is nan"),
        ('{"a": 1, "b": 2, "c": 1e39}', "c", "is 1e+39"),
        ('{"a": 1, "b": 2, "c": 1' + "0" * 400 + "}", "c", "is inf"),
        ("[1, 2, 3]", None, "is not a JSON object"),
        ("{", None, "is not JSON"),
        ("", None, "is not JSON"),
    ],
)
def test_a_bad_json_line_is_named(line: str, field: str | None, problem: str) -> None:
    good = json.dumps({"a": 1, "b": 2, "c": 3})
    document = refused(f"{good}\n{line}\n{good}")
    assert (document["line"], document["field"]) == (2, field)
    assert document["problem"].startswith(problem)


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ("1,2", None, "has 2 fields, not 3"),
        ("1,x,3", "b", "is 'x'"),
        ("1,inf,3", "b", "is inf"),
        ("a,b,c", "a", "is 'a'"),
    ],
)
def test_a_bad_csv_line_is_named(line: str, field: str | None, problem: str) -> None:
    document = refused(f"1,2,3\n{line}\n", CSV)
    assert (document["line"], document["field"]) == (2, field)
    assert document["problem"].startswith(problem)


def test_bytes_that_are_no_text_are_named_by_line() -> None:
    assert refused(b'{"a": 1, "b": 2, "c": 3}\n\xff\n')["line"] == 2


def test_a_line_separator_inside_a_string_is_no_line_end() -> None:
    body = '{"a": 1, "b": 2, "c": 3, "note": "x\u2028y"}\r\n'
    assert len(parse_rows(body.encode(), JSON_LINES, FEATURES)) == 1

import json
from typing import Any

import numpy as np
import pytest

from inference.payload import CSV, JSON_LINES, BadLineError, parse_rows, render
from training.tasks import Predictions

FEATURES = ["a", "b", "c"]


def refused(body: str | bytes, media_type: str = JSON_LINES) -> dict[str, Any]:
    with pytest.raises(BadLineError) as caught:
        parse_rows(body.encode() if isinstance(body, str) else body, media_type, FEATURES)
    assert caught.value.document["mend"]
    return caught.value.document


def test_fields_are_taken_by_name_and_others_ignored() -> None:
    rows = parse_rows(b'{"c": 3, "id": "x", "a": 1, "b": 2.5, "note": [1]}\n', JSON_LINES, FEATURES)
    assert rows.tolist() == [[1.0, 2.5, 3.0]]


def test_digits_that_float32_has_no_room_for_are_kept() -> None:
    rows = parse_rows(b"1700000060,0,0\n", CSV, FEATURES)
    assert rows.tolist() == [[1_700_000_060, 0, 0]]


@pytest.mark.parametrize(
    ("media_type", "answer"),
    [(JSON_LINES, '{"prediction": true, "probabilities": {"false": 0.25, "true": 0.75}}\n'), (CSV, "true\n")],
)
def test_booleans_are_jsons_words(media_type: str, answer: str) -> None:
    predictions = Predictions(np.array([True]), np.array([[0.25, 0.75]], np.float32))
    assert render(predictions, [False, True], media_type).decode() == answer


def test_an_answer_that_is_no_number_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(Predictions(np.array([np.nan])), None, JSON_LINES)


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
        ('{"a": 1, "b": 2, "c": 3, "a": 4}', None, "is not JSON: key 'a' is there twice"),
        pytest.param('{"note": ' + "[" * 100_000 + "]" * 100_000 + "}", None, "is nested too deep", id="deep"),
        ('{"a": 1, "b": 2, "c": [3]}', "c", "is a list"),
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
        ("1_0,2,3", "a", "is '1_0'"),
        pytest.param("1,2," + "3" * 200_000, None, "is not CSV: field larger than field limit", id="long"),
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

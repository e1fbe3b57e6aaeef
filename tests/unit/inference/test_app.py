import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from inference.app import create_app
from training.predictor import Predictor

JSON_LINES = {"content-type": "application/jsonlines"}


def call(folder: Path, method: str, path: str, **content: Any) -> httpx.Response:
    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Predictor.load(folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.request(method, path, **content)

    return asyncio.run(exchange())


def invoke(folder: Path, content: str, headers: dict[str, str]) -> httpx.Response:
    return call(folder, "POST", "/invocations", content=content, headers=headers)


def test_ping_answers(classifier: Path) -> None:
    assert call(classifier, "GET", "/ping").status_code == 200


def test_one_answer_a_line_in_order(classifier: Path, row: Any) -> None:
    lines = [row(a=float(number)) for number in range(5)]
    answer = invoke(classifier, "\n".join(lines), headers=JSON_LINES)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jsonlines"
    answers = [json.loads(line) for line in answer.text.splitlines()]
    features = np.array([[number, 2.0, 3.5] for number in range(5)], np.float32)
    expected = Predictor.load(classifier).predict(features)
    assert expected.probabilities is not None
    assert [one["prediction"] for one in answers] == expected.values.tolist()
    assert [list(one["probabilities"].values()) for one in answers] == expected.probabilities.tolist()
    assert set(answers[0]["probabilities"]) == {"no", "yes, really"}


def test_a_regressor_answers_numbers(regressor: Path, row: Any) -> None:
    answer = invoke(regressor, row(), headers=JSON_LINES)
    (only,) = answer.text.splitlines()
    assert list(json.loads(only)) == ["prediction"]
    assert 50 < json.loads(only)["prediction"] < 150


def test_csv_answers_csv(classifier: Path, row: Any) -> None:
    as_csv = invoke(classifier, "1.0,2,3.5\n9,9,9\n", headers={"content-type": "text/csv; charset=utf-8"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    as_json = invoke(classifier, row(), headers=JSON_LINES)
    named = {"no": "no", "yes, really": '"yes, really"'}
    assert as_csv.text.splitlines()[0] == named[json.loads(as_json.text)["prediction"]]
    assert len(as_csv.text.splitlines()) == 2


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/jsonl", "application/jsonlines"),
        ("image/png, text/csv;q=0.5", "text/csv; charset=utf-8"),
        ("*/*", "application/jsonlines"),
    ],
)
def test_accept_is_honoured(classifier: Path, row: Any, accept: str, expected: str) -> None:
    answer = invoke(classifier, row(), headers=JSON_LINES | {"accept": accept})
    assert answer.headers["content-type"] == expected


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "image/png"}, 415),
        ({"content-type": "application/jsonlines", "accept": "image/png"}, 406),
    ],
)
def test_other_formats_are_refused(classifier: Path, row: Any, headers: dict[str, str], status: int) -> None:
    answer = invoke(classifier, row(), headers=headers)
    assert answer.status_code == status
    assert "application/jsonlines" in answer.json()["mend"]


def test_a_bad_line_refuses_the_request_and_is_named(classifier: Path, row: Any) -> None:
    body = "\n".join([row(), row(b="two")])
    answer = invoke(classifier, body, headers=JSON_LINES)
    assert answer.status_code == 400
    assert answer.json() == {
        "line": 2,
        "field": "b",
        "problem": 'is "two"',
        "mend": "give b as a number",
    }


def test_a_number_that_overflows_once_scaled_is_a_bad_line(classifier: Path, row: Any) -> None:
    """Column c has scale 0.5: 3e38 is a float32, 6e38 is not."""
    answer = invoke(classifier, "\n".join([row(), row(c=3e38)]), headers=JSON_LINES)
    assert answer.status_code == 400
    assert (answer.json()["line"], answer.json()["field"]) == (2, "c")
    assert "trained on" in answer.json()["problem"]


def test_an_answer_that_overflows_is_a_bad_line(regressor: Path, row: Any) -> None:
    weights = load_file(regressor / "model.safetensors")
    save_file({name: 100 * weight for name, weight in weights.items()}, regressor / "model.safetensors")
    answer = invoke(regressor, "\n".join([row(), row(a=3e38, b=3e38)]), headers=JSON_LINES)
    assert answer.status_code == 400
    assert (answer.json()["line"], answer.json()["field"]) == (2, None)


def test_no_lines_no_answers(classifier: Path) -> None:
    answer = invoke(classifier, "", headers=JSON_LINES)
    assert (answer.status_code, answer.text) == (200, "")

import hashlib

import numpy as np
import pytest

from training.errors import BadDataError
from training.spec import Split
from training.split import split_rows

SPLIT = Split(id="x", salt="0123456789abcdef", validation=0.15, test=0.2)


def test_every_row_is_in_one_part_of_about_its_share() -> None:
    rows = split_rows(5000, SPLIT)
    assert sorted([*rows.train, *rows.validation, *rows.test]) == list(range(5000))
    assert len(rows.test) / 5000 == pytest.approx(0.2, abs=0.02)
    assert len(rows.validation) / 5000 == pytest.approx(0.15, abs=0.02)


def test_a_row_is_placed_as_the_contract_says() -> None:
    rows = split_rows(300, SPLIT)
    for row in range(300):
        digest = hashlib.sha256(f"0123456789abcdef:{row}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        expected = rows.test if place < 0.2 else rows.validation if place < 0.35 else rows.train
        assert row in expected


def test_more_rows_move_none() -> None:
    few, many = split_rows(300, SPLIT), split_rows(600, SPLIT)
    assert np.array_equal(few.test, many.test[many.test < 300])


def test_another_salt_is_another_split() -> None:
    other = split_rows(300, SPLIT.model_copy(update={"salt": "other"}))
    assert not np.array_equal(other.test, split_rows(300, SPLIT).test)


def test_an_empty_part_is_named() -> None:
    with pytest.raises(BadDataError, match="split has no rows: the data set has only 1"):
        split_rows(1, SPLIT)

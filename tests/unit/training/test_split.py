import numpy as np
import pyarrow as pa
import pytest

from tests.unit.training.splits import split_rows
from training.errors import BadDataError
from training.spec import Split
from training.split import COUNTED_TOGETHER, PARTS, Splitter, count_parts

SPLIT = Split(id="x", salt="wine", validation=0.15, test=0.2)
NAMES = ["alcohol", "hue"]


def features(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 2))


def parts_of(names: list[str], given: np.ndarray, split: Split, first_row: int = 0) -> np.ndarray:
    return Splitter(split).parts_of(names, np.arange(first_row, first_row + len(given)), given)


def test_every_row_is_in_one_part_of_about_its_share() -> None:
    parts = parts_of(NAMES, features(5000), SPLIT)
    assert parts.shape == (5000,)
    counts = count_parts(parts)
    assert sum(counts.values()) == 5000
    assert counts["test"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert counts["validation"] / 5000 == pytest.approx(0.15, abs=0.02)


def test_a_row_is_placed_as_the_contract_says() -> None:
    given = features(300)
    given[5] = 0.0, -0.0
    parts = parts_of(NAMES, given, SPLIT)
    table = pa.table({"alcohol": given[:, 0], "hue": given[:, 1], "class": np.zeros(300)})
    by_hand = split_rows(table, SPLIT)
    for part, number in PARTS.items():
        assert np.flatnonzero(parts == number).tolist() == getattr(by_hand, part).tolist()


def test_neither_other_rows_nor_their_order_move_a_row() -> None:
    given = features(300)
    order = np.random.default_rng(2).permutation(300)
    grown = np.concatenate([features(80, seed=3), given[order]])
    assert np.array_equal(parts_of(NAMES, grown, SPLIT)[80:], parts_of(NAMES, given, SPLIT)[order])


def test_the_order_of_the_columns_moves_no_row() -> None:
    given = features(300)
    assert np.array_equal(parts_of(NAMES[::-1], given[:, ::-1], SPLIT), parts_of(NAMES, given, SPLIT))


def test_rows_with_the_same_features_are_counted() -> None:
    """By hand too; so that a data set with two distinct rows has three parts of about their shares."""
    given = np.repeat(features(2), 2000, axis=0)
    parts = parts_of(NAMES, given, SPLIT)
    counts = count_parts(parts)
    assert counts["test"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert counts["validation"] / 4000 == pytest.approx(0.15, abs=0.03)
    by_hand = split_rows({"alcohol": given[:, 0], "hue": given[:, 1], "class": np.zeros(4000)}, SPLIT)
    assert np.flatnonzero(parts == PARTS["test"]).tolist() == by_hand.test.tolist()


def test_pieces_change_nothing_and_counting_ends_with_its_stretch() -> None:
    given = np.repeat(features(1), 40, axis=0)
    start = COUNTED_TOGETHER - 20
    whole = parts_of(NAMES, given, SPLIT, start)
    splitter, ids = Splitter(SPLIT), np.arange(start, start + 40)
    pieces = [splitter.parts_of(NAMES, ids[at : at + 7], given[at : at + 7]) for at in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(whole[:20], whole[20:])


def test_zero_has_one_sign() -> None:
    given = np.zeros((1, 2))
    assert np.array_equal(parts_of(NAMES, given, SPLIT), parts_of(NAMES, -given, SPLIT))


def test_another_salt_is_another_split() -> None:
    other = parts_of(NAMES, features(300), SPLIT.model_copy(update={"salt": "other"}))
    assert not np.array_equal(other, parts_of(NAMES, features(300), SPLIT))


def test_an_empty_part_is_named() -> None:
    with pytest.raises(BadDataError, match="split has no rows: the data set has only 1"):
        count_parts(parts_of(NAMES, features(1), SPLIT))

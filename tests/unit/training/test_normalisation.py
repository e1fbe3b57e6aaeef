import numpy as np
import pytest

from training.normalisation import Normalisation


def test_a_column_is_centred_before_it_loses_digits() -> None:
    seconds = 1_700_000_000 + np.array([[0.0], [60.0], [120.0]])
    scaled = Normalisation.fit(seconds).apply(seconds)
    assert scaled.dtype == np.float32
    assert scaled[:, 0] == pytest.approx([-np.sqrt(1.5), 0.0, np.sqrt(1.5)])


@pytest.mark.parametrize("constant", [0.0, 0.1, -7e30, 1e-300])
def test_a_constant_column_is_left_unscaled(constant: float) -> None:
    """The deviation of a thousand times 0.1 is not 0 but 1e-17."""
    column = np.full((1000, 1), constant)
    normalisation = Normalisation.fit(column)
    assert normalisation.scale.tolist() == [1.0]
    assert np.abs(normalisation.apply(column)).max() <= 1e-15 * max(1.0, abs(constant))


def test_numbers_too_small_to_square_do_not_divide_by_zero() -> None:
    assert Normalisation.fit(np.array([[1e-200], [2e-200]])).scale.tolist() == [1.0]


def test_what_float32_has_no_room_for_becomes_infinite() -> None:
    assert Normalisation(np.zeros(1), np.full(1, 1e-10)).apply(np.array([[1e30]])).tolist() == [[np.inf]]

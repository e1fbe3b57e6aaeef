import numpy as np
import pytest

from training.moments import Moments

RANDOM = np.random.default_rng(2)


@pytest.mark.parametrize("sizes", [[100], [1, 99], [50, 50], [1] * 100, [90, 3, 7]])
@pytest.mark.parametrize("mean", [0.0, 1e9, -1e15])
def test_blocks_add_up_to_the_whole(sizes: list[int], mean: float) -> None:
    values = mean + RANDOM.normal(size=(100, 3))
    total, *others = (Moments.of(block) for block in np.split(values, np.cumsum(sizes)[:-1]))
    for other in others:
        total = total + other
    assert total.count == 100
    assert total.mean == pytest.approx(values.mean(axis=0), rel=1e-14)
    assert total.deviation == pytest.approx(values.std(axis=0), rel=1e-6 if abs(mean) < 1e12 else 0.1)
    assert total.lowest.tolist() == values.min(axis=0).tolist()
    assert total.highest.tolist() == values.max(axis=0).tolist()


def test_a_constant_is_one_in_every_block() -> None:
    """Whose deviation rounding leaves above 0."""
    values = np.full((1000, 1), 0.1)
    total = Moments.of(values[:7]) + Moments.of(values[7:])
    assert total.is_constant.tolist() == [True]
    assert (total + Moments.of(np.array([[0.2]]))).is_constant.tolist() == [False]


def test_numbers_too_small_to_square_are_constant() -> None:
    assert (Moments.of(np.array([[1e-200]])) + Moments.of(np.array([[2e-200]]))).is_constant.tolist() == [True]

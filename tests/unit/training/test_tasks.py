import numpy as np
import pytest

from training.errors import BadDataError
from training.tasks import Classification, Regression


def test_classes_keep_their_own_type() -> None:
    task = Classification.fit(np.array([7, 3, 7]), "t")
    predictions = task.decode(np.array([[2.0, 1.0], [0.0, 1.0]], np.float32))
    assert predictions.values.tolist() == [3, 7]
    assert predictions.probabilities is not None
    assert predictions.probabilities[0, 0] == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(1)))


def test_huge_logits_stay_probabilities() -> None:
    probabilities = Classification(["a", "b"]).decode(np.array([[1e30, -1e30]], np.float32)).probabilities
    assert probabilities is not None
    assert probabilities.tolist() == [[1.0, 0.0]]


def test_the_classification_baseline_is_the_commonest_class() -> None:
    task = Classification(["a", "b"])
    baseline = task.baseline(np.array(["b", "b", "b", "a"]), 2)
    assert baseline.values.tolist() == ["b", "b"]
    assert task.measure(np.array(["b", "a"]), baseline)["accuracy"] == 0.5


def test_the_regression_baseline_is_the_mean() -> None:
    task = Regression.fit(np.array([1.0, 3.0]), "t")
    assert task.baseline(np.array([1.0, 3.0]), 2).values.tolist() == [2.0, 2.0]


def test_a_number_survives_its_scaling() -> None:
    labels = np.array([100.0, 200.0, 350.0])
    task = Regression.fit(labels, "t")
    assert task.decode(task.encode(labels)[:, None]).values == pytest.approx(labels, rel=1e-6)


@pytest.mark.parametrize(
    ("task", "labels", "problem"),
    [
        (Classification, np.array([0.5, 1.5]), "holds fractions"),
        (Classification, np.array(["a", "a"]), "has one value only"),
        (Regression, np.array(["a", "b"]), "does not hold numbers"),
        (Regression, np.array([2.0, 2.0]), "in every row"),
        (Regression, np.full(1000, 0.1), "in every row"),
        (Regression, np.array([1e-200, 2e-200]), "has no spread"),
    ],
)
def test_labels_of_the_wrong_kind_are_refused(
    task: type[Classification] | type[Regression], labels: np.ndarray, problem: str
) -> None:
    with pytest.raises(BadDataError, match=problem):
        task.fit(labels, "t")


def test_classes_may_be_named_in_any_order() -> None:
    """As by a team's own script."""
    task = Classification(["pear", "apple", "plum"])
    assert task.encode(np.array(["apple", "plum", "pear"])).tolist() == [1, 2, 0]

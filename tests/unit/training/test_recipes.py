from typing import Any

import numpy as np
import pytest
import torch

from training.errors import BadConfigurationError, BadDataError
from training.recipes import RECIPES, find_recipe
from training.tasks import Classification, Regression, Task
from turbine.domain.recipes import RECIPES as NAMED_RECIPES

FEATURES = 16


def fitted(name: str) -> tuple[Task, np.ndarray]:
    if RECIPES[name].task is Classification:
        labels = np.array(["x", "y", "z", "x", "y", "z"])
        return Classification.fit(labels, "t"), labels
    numbers = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    return Regression.fit(numbers, "t"), numbers


@pytest.mark.parametrize("name", RECIPES)
def test_one_step_on_a_cpu_lowers_the_loss(name: str) -> None:
    recipe = RECIPES[name]
    task, labels = fitted(name)
    config = recipe.parse_config({})
    torch.manual_seed(0)
    model = recipe.model(config, FEATURES, task.output_width)
    features, targets = torch.randn(6, FEATURES), torch.from_numpy(task.encode(labels))
    before = recipe.loss(config, model(features), targets)
    before.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.005 * parameter.grad)
    assert recipe.loss(config, model(features), targets) < before


@pytest.mark.parametrize("name", RECIPES)
def test_the_loss_is_a_sum_over_rows(name: str) -> None:
    recipe = RECIPES[name]
    task, labels = fitted(name)
    config = recipe.parse_config({})
    model = recipe.model(config, FEATURES, task.output_width).eval()
    features, targets = torch.randn(6, FEATURES), torch.from_numpy(task.encode(labels))
    parts = [recipe.loss(config, model(features[rows]), targets[rows]) for rows in (slice(0, 4), slice(4, 6))]
    torch.testing.assert_close(sum(parts), recipe.loss(config, model(features), targets))


@pytest.mark.parametrize("name", RECIPES)
def test_measures_what_the_functions_expect_of_it(name: str) -> None:
    task, labels = fitted(name)
    measured = task.measure(labels, task.baseline(labels, len(labels)))
    assert tuple(measured) == NAMED_RECIPES[name]


def test_the_functions_know_the_same_recipes() -> None:
    assert set(RECIPES) == set(NAMED_RECIPES)


@pytest.mark.parametrize(
    ("hyperparameters", "problem"),
    [
        ({"epochz": 3}, "epochz: Extra inputs are not permitted"),
        ({"epochs": "3"}, "epochs: Input should be a valid integer"),
        ({"epochs": 0}, "epochs: "),
        ({"learning_rate": -1.0}, "learning_rate: "),
        ({"hidden": [8, "x"]}, "hidden.1: "),
        ({"hidden": [0]}, "hidden.0: "),
    ],
)
def test_a_bad_hyperparameter_is_named(hyperparameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadConfigurationError, match=problem) as caught:
        find_recipe("tabular_classifier").parse_config(hyperparameters)
    assert "epochs, batch_size" in caught.value.mend


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(BadConfigurationError) as caught:
        find_recipe("mystery")
    assert "image_classifier" in caught.value.mend


def test_pixels_that_make_no_square_are_refused() -> None:
    recipe = find_recipe("image_classifier")
    with pytest.raises(BadDataError, match="10 feature columns make no square image"):
        recipe.model(recipe.parse_config({}), 10, 2)


def test_images_of_an_odd_side_pass() -> None:
    recipe = find_recipe("image_classifier")
    assert recipe.model(recipe.parse_config({}), 49, 3)(torch.zeros(2, 49)).shape == (2, 3)

"""Every recipe there is, found by itself: it learns, its export answers the same, a wrong config is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import export
from training.errors import BadConfigurationError, BadDataError
from training.normalisation import Normalisation
from training.optimizer import AdamW
from training.predictor import Predictor, outputs_of
from training.recipe import Recipe
from training.recipes import RECIPES, find_recipe, sequence_classifier
from training.spec import RunSpec
from training.tasks import Classification, Task
from turbine.domain.recipes import OWN_SCRIPT
from turbine.domain.recipes import RECIPES as NAMED_RECIPES

FEATURES, ROWS = 16, 48
NAMES = [f"x_{place}" for place in range(FEATURES)]


def examples(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """A tiny data set for its task: features (48, 16) float64, which make a square image, and labels (48,)."""
    random = np.random.default_rng(5)
    groups = np.arange(ROWS) % 3
    if recipe.scales_inputs:
        features = random.normal(size=(ROWS, FEATURES)) + 0.8 * groups[:, None]
    else:
        features = (random.integers(0, 32, size=(ROWS, FEATURES)) + 32 * groups[:, None]).astype(np.float64)
    labels = np.array(["x", "y", "z"])[groups] if recipe.task is Classification else groups + 0.5
    return features, labels


def prepared(recipe: Recipe) -> tuple[Task, Normalisation, torch.Tensor, torch.Tensor]:
    features, labels = examples(recipe)
    task = recipe.task.fit(labels, "t")
    normalisation = Normalisation(np.zeros(FEATURES), np.ones(FEATURES))
    if recipe.scales_inputs:
        normalisation = Normalisation.fit(features)
    return task, normalisation, torch.from_numpy(normalisation.apply(features)), torch.from_numpy(task.encode(labels))


def run_spec(recipe: Recipe) -> RunSpec:
    return RunSpec.model_validate(
        {
            "schema_version": 1,
            "run_id": "t-d-0",
            "team": "t",
            "dataset": {
                "name": "d",
                "version": "0",
                "format": "parquet",
                "target": "t",
                "shards": [{"bucket": "b", "key": "k", "etag": "e", "size_bytes": 1}],
            },
            "split": {"id": "0", "salt": "0", "validation": 0.15, "test": 0.2},
            "recipe": {"name": recipe.name},
            "seed": 7,
            "output_uri": "s3://b/o/",
            "metrics": {"namespace": "n", "dimensions": {}},
        }
    )


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_few_steps_on_a_cpu_learn_and_the_export_answers_the_same(recipe: Recipe, tmp_path: Path) -> None:
    task, normalisation, inputs, targets = prepared(recipe)
    config = recipe.parse_config({"learning_rate": 0.01})
    torch.manual_seed(0)
    model = recipe.model(config, FEATURES, task.output_width)
    optimizer = AdamW(model.parameters(), config.weight_decay)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = recipe.loss(config, model(inputs), targets) / ROWS
        loss.backward()
        optimizer.step(config.learning_rate)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert all(parameter.grad is not None for parameter in model.parameters())

    export.write_weights(tmp_path, model)
    document = export.model_config(run_spec(recipe), config, NAMES, normalisation, task)
    export.write_config(tmp_path, json.loads(json.dumps(document)))
    predictor = Predictor.load(tmp_path)
    expected = outputs_of(model, inputs).numpy()
    assert np.array_equal(predictor.outputs(inputs.numpy()), expected)
    features, _ = examples(recipe)
    assert predictor.predict(features).values.tolist() == task.decode(expected).values.tolist()


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_the_loss_is_a_sum_over_rows(recipe: Recipe) -> None:
    task, _, inputs, targets = prepared(recipe)
    config = recipe.parse_config({})
    model = recipe.model(config, FEATURES, task.output_width).eval()
    parts = [recipe.loss(config, model(inputs[rows]), targets[rows]) for rows in (slice(0, 30), slice(30, ROWS))]
    torch.testing.assert_close(sum(parts), recipe.loss(config, model(inputs), targets))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_hyperparameter_of_the_wrong_type_is_named(recipe: Recipe) -> None:
    for name in recipe.config.model_fields:
        wrong: Any = {"not": "this"}
        with pytest.raises(BadConfigurationError, match=f"recipe {recipe.name}: hyperparameter {name}"):
            recipe.parse_config({name: wrong})


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_measures_what_the_functions_expect_of_it(recipe: Recipe) -> None:
    task, _, _, _ = prepared(recipe)
    _, labels = examples(recipe)
    measured = task.measure(labels, task.baseline(labels, len(labels)))
    assert tuple(measured) == NAMED_RECIPES[recipe.name]


def test_the_functions_know_the_same_recipes() -> None:
    assert set(RECIPES) | {OWN_SCRIPT} == set(NAMED_RECIPES)


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


@pytest.mark.parametrize(
    ("hyperparameters", "problem"),
    [
        ({"width": 66}, "heads: Value error, 4 heads do not divide the width 66"),
        ({"vocabulary_size": 10, "padding_id": 10}, "padding_id: Value error, 10 is no token id"),
    ],
)
def test_a_sequence_classifier_that_does_not_fit_together_is_named(
    hyperparameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadConfigurationError, match=problem):
        find_recipe("sequence_classifier").parse_config(hyperparameters)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(BadConfigurationError) as caught:
        find_recipe("mystery")
    assert "image_classifier" in caught.value.mend


@pytest.mark.parametrize(("pixels", "channels"), [(10, 1), (27, 1), (16, 3), (28, 3)])
def test_pixels_that_make_no_square_are_refused(pixels: int, channels: int) -> None:
    recipe = find_recipe("image_classifier")
    with pytest.raises(BadDataError, match=f"{pixels} feature columns make no square image"):
        recipe.model(recipe.parse_config({"image_channels": channels}), pixels, 2)


@pytest.mark.parametrize(("pixels", "channels"), [(49, 1), (3 * 49, 3), (3 * 64, 3)])
def test_images_of_any_side_and_colour_pass(pixels: int, channels: int) -> None:
    recipe = find_recipe("image_classifier")
    model = recipe.model(recipe.parse_config({"image_channels": channels}), pixels, 3)
    assert model(torch.zeros(2, pixels)).shape == (2, 3)


def sequence_model(**hyperparameters: Any) -> torch.nn.Module:
    recipe = find_recipe("sequence_classifier")
    torch.manual_seed(0)
    return recipe.model(recipe.parse_config({"vocabulary_size": 10, **hyperparameters}), 6, 2).eval()


def test_padding_changes_nothing() -> None:
    """Neither what it is filled up with elsewhere, nor how its places are embedded, reaches the answer."""
    model = sequence_model(padding_id=0)
    row = torch.tensor([[5.0, 3.0, 7.0, 0.0, 0.0, 0.0]])
    before = model(row)
    with torch.no_grad():
        model.get_parameter("tokens.weight")[0].normal_()  # no constant: layer normalisation takes that away
        model.get_parameter("places")[3:].normal_()
    torch.testing.assert_close(model(row), before)
    assert not torch.allclose(model(torch.tensor([[5.0, 3.0, 7.0, 0.0, 0.0, 1.0]])), before)


def test_a_row_of_padding_alone_has_a_finite_answer_and_gradient() -> None:
    model = sequence_model(padding_id=0)
    counts = torch.tensor([[False, False], [True, False]])
    assert sequence_classifier.visible_places(counts)[:, 0, 0].tolist() == [[True, True], [True, False]]
    outputs = model(torch.zeros(1, 6))
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_the_order_of_tokens_matters() -> None:
    model = sequence_model()
    forwards = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert not torch.allclose(model(forwards), model(forwards.flip(1)))


@pytest.mark.parametrize("number", [-1.0, 10.0, 1.5, 1e30, float("nan")])
def test_a_number_that_is_no_token_id_spoils_its_own_row_only(number: float) -> None:
    rows = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, number], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    outputs = sequence_model()(rows)
    assert outputs[0].isnan().all()
    assert outputs[1].isfinite().all()


@pytest.mark.parametrize("number", [-1.0, 10.0, 1.5])
def test_a_number_that_is_no_token_id_is_found_before_training(number: float) -> None:
    assert sequence_classifier.RECIPE.check_rows is sequence_classifier.require_token_ids
    config = sequence_classifier.RECIPE.parse_config({"vocabulary_size": 10})
    assert isinstance(config, sequence_classifier.SequenceClassifierConfig)
    features = np.ones((4, FEATURES))
    sequence_classifier.require_token_ids(config, NAMES, features, 100)
    features[2, 3] = number
    with pytest.raises(BadDataError, match=f"'x_3' holds {number:g} in row 102, which is no token id"):
        sequence_classifier.require_token_ids(config, NAMES, features, 100)

"""The recipes a team can name, one file and one line here each."""

from training.errors import BadConfigurationError
from training.recipe import Recipe
from training.recipes import image_classifier, sequence_classifier, tabular_classifier, tabular_regressor

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        image_classifier.RECIPE,
        sequence_classifier.RECIPE,
        tabular_classifier.RECIPE,
        tabular_regressor.RECIPE,
    )
}


def find_recipe(name: str) -> Recipe:
    """Raises: BadConfigurationError naming the recipes there are."""
    if name not in RECIPES:
        raise BadConfigurationError(f"there is no recipe {name!r}", f"use one of {', '.join(RECIPES)}")
    return RECIPES[name]

"""A team's own training script, under the same launcher, lease, checkpoints and results as the recipes.

The script gets files and environment variables, and leaves files: docs/recipes.md, "Bring your own script". It needs
none of our code, and finds all of it importable: a model built by a recipe is one that inference can rebuild.
"""

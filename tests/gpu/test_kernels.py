"""What the loop calls on a GPU: the same numbers as on a CPU or as torch's own, no wait for the host."""

import copy
import warnings

import pytest
import torch
from torch import nn

from tests.unit.training.test_recipes import FEATURES, prepared
from training.optimizer import AdamW, clip_gradients
from training.recipe import Recipe
from training.recipes import RECIPES, find_recipe

GPU = torch.device("cuda")


def with_gradients() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 8)).to(GPU)
    model(torch.randn(32, 64, device=GPU)).square().sum().backward()
    return model


def test_adamw_takes_the_bits_of_torchs_fused_one() -> None:
    ours = with_gradients()
    theirs = copy.deepcopy(ours)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        other.grad = mine.grad.clone() if mine.grad is not None else None
    optimizer = AdamW(ours.parameters(), weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    for _ in range(5):
        optimizer.step(0.01)
        reference.step()
    assert all(torch.equal(mine, other) for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_step_with_clipping_never_waits_for_the_gpu() -> None:
    model = with_gradients()
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    try:
        with warnings.catch_warnings(action="ignore"):  # that not every wait is found
            torch.cuda.set_sync_debug_mode("error")
        clip_gradients(model.parameters(), 0.1)
        optimizer.step(0.01)
        optimizer.zero_grad()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_recipes_gradients_are_the_same_bits_twice(
    recipe: Recipe, precision: torch.dtype, deterministic: None
) -> None:
    """Also where attention has kernels whose sums come in any order."""
    task, _, inputs, targets = prepared(recipe)
    config = recipe.parse_config({"padding_id": 0} if "padding_id" in recipe.config.model_fields else {})
    gradients = []
    for _ in range(2):
        torch.manual_seed(0)
        model = recipe.model(config, FEATURES, task.output_width).to(GPU)
        with torch.autocast("cuda", precision, enabled=precision != torch.float32):
            loss = recipe.loss(config, model(inputs.to(GPU)), targets.to(GPU))
        loss.backward()
        assert loss.isfinite()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(first, second) for first, second in zip(*gradients, strict=True))


def test_a_number_that_is_no_token_id_does_not_end_the_process() -> None:
    recipe = find_recipe("sequence_classifier")
    model = recipe.model(recipe.parse_config({"vocabulary_size": 10}), 4, 2).to(GPU)
    outputs = model(torch.tensor([[1.0, 2.0, 3.0, 10.0], [1.0, 2.0, 3.0, 4.0]], device=GPU))
    assert outputs.isnan().all(dim=1).tolist() == [True, False]

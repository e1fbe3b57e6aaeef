import copy
from typing import Any

import pytest
import torch
from torch import nn

from training.optimizer import AdamW, clip_gradients


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 2))


def backward(model: nn.Module, seed: int) -> None:
    inputs = torch.randn(16, 5, generator=torch.Generator().manual_seed(seed))
    model.zero_grad()
    model(inputs).square().sum().backward()


def assert_same(ours: nn.Module, theirs: nn.Module) -> None:
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("implementation", [{"fused": True}, {"foreach": False}])
def test_takes_the_steps_of_torch_adamw(implementation: dict[str, Any]) -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    optimizer = AdamW(ours.parameters(), weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1, **implementation)
    for index in range(50):
        rate = 0.01 * (1 - index / 50)
        reference.param_groups[0]["lr"] = rate
        backward(ours, index)
        backward(theirs, index)
        optimizer.step(rate)
        reference.step()
        assert_same(ours, theirs)


def test_is_bit_for_bit_the_fused_one() -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    optimizer = AdamW(ours.parameters(), weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    for index in range(20):
        for model in (ours, theirs):
            backward(model, index)
        optimizer.step(0.01)
        reference.step()
    assert all(torch.equal(mine, other) for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_only_matrices_decay_when_asked() -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    optimizer = AdamW(ours.parameters(), weight_decay=0.5, decays_matrices_only=True)
    groups = [
        {"params": [parameter for parameter in theirs.parameters() if parameter.dim() >= 2], "weight_decay": 0.5},
        {"params": [parameter for parameter in theirs.parameters() if parameter.dim() < 2], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.01, foreach=False)
    for index in range(20):
        for model in (ours, theirs):
            backward(model, index)
        optimizer.step(0.01)
        reference.step()
        assert_same(ours, theirs)


def test_a_parameter_without_a_gradient_stays() -> None:
    model = network()
    frozen = next(model.parameters()).requires_grad_(False)
    before = frozen.clone()
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    backward(model, 0)
    optimizer.step(0.01)
    assert torch.equal(frozen, before)


def test_a_restored_state_continues_bit_for_bit() -> None:
    model = network()
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    for index in range(3):
        backward(model, index)
        optimizer.step(0.01)
    resumed = copy.deepcopy(model)
    continued = AdamW(resumed.parameters(), weight_decay=0.1)
    continued.load_state_dict(optimizer.state_dict())
    for trained, with_optimizer in ((model, optimizer), (resumed, continued)):
        backward(trained, 9)
        with_optimizer.step(0.01)
    assert all(torch.equal(mine, other) for mine, other in zip(model.parameters(), resumed.parameters(), strict=True))
    assert all(torch.equal(tensor, continued.tensors()[name]) for name, tensor in optimizer.tensors().items())


def test_its_tensors_are_the_live_ones() -> None:
    model = network()
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    tensors, copied = optimizer.tensors(), optimizer.state_dict()
    assert set(tensors) == {"step"} | {f"{kind}.{index}" for kind in ("means", "squares") for index in range(6)}
    backward(model, 0)
    optimizer.step(0.01)
    assert tensors["step"] == 1
    assert copied["step"] == 0
    assert not torch.equal(tensors["means.0"], copied["means.0"])


def test_zero_grad_forgets() -> None:
    model = network()
    backward(model, 0)
    AdamW(model.parameters(), weight_decay=0.0).zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1e9])
def test_clips_as_torch_does(max_norm: float) -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    backward(ours, 0)
    backward(theirs, 0)
    norm = clip_gradients(ours.parameters(), max_norm)
    torch.testing.assert_close(norm, torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)

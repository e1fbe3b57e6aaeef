import copy

import torch
from torch import nn

from training.optimizer import AdamW


def step(model: nn.Module, seed: int) -> None:
    inputs = torch.randn(16, 5, generator=torch.Generator().manual_seed(seed))
    model.zero_grad()
    model(inputs).square().sum().backward()


def test_takes_the_steps_of_torch_adamw() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 2))
    theirs = copy.deepcopy(ours)
    optimizer = AdamW(ours.parameters(), weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1, foreach=False)
    for index in range(50):
        step(ours, index)
        step(theirs, index)
        optimizer.step(0.01)
        reference.step()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)


def test_a_restored_state_continues_bit_for_bit() -> None:
    torch.manual_seed(0)
    model = nn.Linear(5, 2)
    optimizer = AdamW(model.parameters(), weight_decay=0.1)
    for index in range(3):
        step(model, index)
        optimizer.step(0.01)
    resumed = copy.deepcopy(model)
    continued = AdamW(resumed.parameters(), weight_decay=0.1)
    continued.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for trained, with_optimizer in ((model, optimizer), (resumed, continued)):
        step(trained, 9)
        with_optimizer.step(0.01)
    assert torch.equal(model.weight, resumed.weight)


def test_zero_grad_forgets() -> None:
    model = nn.Linear(5, 2)
    step(model, 0)
    AdamW(model.parameters(), weight_decay=0.0).zero_grad()
    assert model.weight.grad is None

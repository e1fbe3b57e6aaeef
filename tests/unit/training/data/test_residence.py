"""Whether the train split lies in memory: what one worker can hold, and what all agree on."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pytest
import torch

from training.data import Profile, settle_residence
from training.data.memory import BUDGET_VARIABLE
from training.data.resident import resident_bytes
from training.errors import BadConfigurationError

CPU = torch.device("cpu")
STREAMED = "streamed to 2 workers in windows of 50 rows"


@dataclass
class Others:
    """A world whose other workers answer with `theirs`."""

    theirs: int = 0
    device: torch.device = CPU

    def highest(self, values: list[int]) -> list[int]:
        return [max(int(value), self.theirs) for value in values]


@pytest.fixture
def profile_within(
    profile_of: Callable[..., Profile], table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Profile]:
    def profile(budget_bytes: int) -> Profile:
        monkeypatch.setenv(BUDGET_VARIABLE, str(budget_bytes))
        return profile_of(table)

    return profile


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Others]:
    """A world on a GPU with so much memory free."""

    def world(free_bytes: int) -> Others:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free_bytes, 10 * free_bytes))
        return Others(device=torch.device("cuda", 0))

    return world


def settled(profile: Profile, world: Others, order: str | None = None) -> bool:
    return settle_residence(profile, world, order)  # type: ignore[arg-type]


def test_a_new_run_holds_what_every_worker_can(profile_within: Callable[[int], Profile]) -> None:
    assert settled(profile_within(10**9), Others())
    assert not settled(profile_within(10**9), Others(theirs=1))
    assert not settled(profile_within(1), Others())


def test_a_resumed_run_streams_what_its_checkpoint_streamed(profile_within: Callable[[int], Profile]) -> None:
    assert not settled(profile_within(10**9), Others(), STREAMED)


def test_a_resumed_run_holds_what_its_checkpoint_held_though_a_new_one_would_not(
    profile_within: Callable[[int], Profile],
) -> None:
    needed = resident_bytes(profile_within(10**9))
    tight = profile_within(needed)
    assert not tight.fits_in_memory
    assert not settled(tight, Others())
    assert settled(tight, Others(), "resident")


@pytest.mark.parametrize(("budget_bytes", "theirs"), [(1, 0), (10**9, 500)])
def test_what_no_longer_fits_one_worker_is_named_by_all(
    profile_within: Callable[[int], Profile], budget_bytes: int, theirs: int
) -> None:
    profile = profile_within(budget_bytes)
    missing = theirs or resident_bytes(profile) - 1
    with pytest.raises(BadConfigurationError, match=f"a worker has {missing} bytes too few") as caught:
        settled(profile, Others(theirs), "resident")
    assert "memory" in caught.value.mend


def test_a_gpu_holds_what_half_of_its_free_memory_can(
    profile_within: Callable[[int], Profile], gpu: Callable[[int], Others]
) -> None:
    profile = profile_within(10**9)
    needed = resident_bytes(profile)
    assert settled(profile, gpu(2 * needed))
    assert not settled(profile, gpu(2 * needed - 2))
    assert not settled(profile_within(1), gpu(100 * needed))


def test_a_resumed_run_may_fill_more_of_a_gpu_and_needs_no_host_memory(
    profile_within: Callable[[int], Profile], gpu: Callable[[int], Others]
) -> None:
    profile = profile_within(1)
    needed = resident_bytes(profile)
    assert settled(profile, gpu(needed * 4 // 3 + 2), "resident")
    with pytest.raises(BadConfigurationError, match="no longer fit"):
        settled(profile, gpu(needed), "resident")

"""A staged state is a safetensors file that gives every tensor back to the last bit."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save_file
from torch import Tensor

from training.checkpoint.file_format import PAGE_BYTES, Snapshot, read_file
from training.checkpoint.marker import UnusableError
from training.checkpoint.staging import Staging

STRANGE_FLOATS = [math.nan, -0.0, math.inf, -math.inf, 1e-45, 1.1]


def every_kind() -> dict[str, Tensor]:
    floats = torch.tensor(STRANGE_FLOATS, dtype=torch.float64)
    return {
        **{f"{dtype}": floats.to(dtype) for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)},
        **{f"{dtype}": torch.tensor([0, 1, 127], dtype=dtype) for dtype in (torch.int64, torch.int32, torch.int16)},
        **{f"{dtype}": torch.tensor([0, 1, 1], dtype=dtype) for dtype in (torch.int8, torch.uint8, torch.bool)},
        "generator": torch.get_rng_state(),
        "scalar": torch.tensor(2**53 + 1),
        "empty": torch.empty(0, 4),
        "transposed": torch.randn(3, 5).t(),
        "every other": torch.arange(10)[::2],
        "expanded": torch.ones(1).expand(4, 2),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "odd bytes": torch.arange(7, dtype=torch.uint8),
    }


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits(found[name]) == bits(tensor), name


def reread(body: memoryview, folder: Path) -> Snapshot:
    (folder / "state").write_bytes(body)
    return read_file(folder / "state")


def test_every_kind_of_tensor_comes_back_bit_by_bit(tmp_path: Path) -> None:
    tensors = every_kind()
    snapshot = reread(Staging().stage(7, tensors, {}), tmp_path)
    assert snapshot.step == 7
    assert_same(snapshot.tensors, tensors)


def test_any_reader_of_safetensors_can_read_it() -> None:
    tensors = {"weight": torch.randn(4, 3), "step": torch.tensor(3)}
    assert_same(load(bytes(Staging().stage(1, tensors, {}))), tensors)


def test_facts_come_back(tmp_path: Path) -> None:
    facts = {"epoch": 3, "best_loss": math.inf, "history": [{"loss": 0.1 + 0.2}], "name": 'a "ü"', "none": None}
    assert reread(Staging().stage(1, {}, facts), tmp_path).facts == facts


def test_the_data_begins_at_a_page_of_file_and_memory() -> None:
    body = Staging().stage(1, {"weight": torch.ones(5)}, {})
    assert len(body) == PAGE_BYTES + 20
    assert torch.frombuffer(body, dtype=torch.uint8).data_ptr() % PAGE_BYTES == 0


def test_memory_is_used_again() -> None:
    staging, tensors = Staging(), {"weight": torch.ones(5)}
    places = {torch.frombuffer(staging.stage(step, tensors, {}), dtype=torch.uint8).data_ptr() for step in range(3)}
    assert len(places) == 1


def test_facts_may_outgrow_their_room_and_tensors_change_their_shape(tmp_path: Path) -> None:
    staging = Staging()
    staging.stage(1, {"weight": torch.ones(5)}, {})
    facts = {"history": list(range(10_000))}
    assert reread(staging.stage(2, {"weight": torch.ones(5)}, facts), tmp_path).facts == facts
    tensors = {"weight": torch.ones(6), "best": torch.zeros(6)}
    assert_same(reread(staging.stage(3, tensors, {}), tmp_path).tensors, tensors)


def test_a_tensor_that_a_checkpoint_cannot_hold_is_named() -> None:
    with pytest.raises(TypeError, match=r"cannot hold spectrum: its elements are torch.complex64"):
        Staging().stage(1, {"spectrum": torch.ones(2, dtype=torch.complex64)}, {})


@pytest.mark.parametrize("body", [b"", b"no checkpoint at all", (2**62).to_bytes(8, "little") + b"{}"])
def test_a_file_of_another_kind_is_unusable(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "state").write_bytes(body)
    with pytest.raises(UnusableError, match="cannot be parsed"):
        read_file(tmp_path / "state")


def test_a_file_of_weights_without_a_step_is_unusable(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "state")
    with pytest.raises(UnusableError, match="cannot be parsed"):
        read_file(tmp_path / "state")

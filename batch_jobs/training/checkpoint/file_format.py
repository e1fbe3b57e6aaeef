"""The file of a checkpoint: safetensors, whose header also holds the step and the facts.

    8 bytes   length of the header, little endian
    header    JSON: {"__metadata__": {"step", "facts"}, name: {"dtype", "shape", "data_offsets"}}, then spaces
    data      the tensors' bytes, one after the other

The header is padded to whole pages, so that the data begins at one: the disk is then written without copies. Wide
elements come before narrow ones, so that every tensor is aligned without gaps, which the format forbids.
Source: https://huggingface.co/docs/safetensors/index#format
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from training.checkpoint.marker import UnusableError

PAGE_BYTES = 4096

_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Snapshot:
    """A state of training after `step` steps: tensors in the host's memory, facts as JSON values."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies in the data: bytes `begin` to `end`."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def lay_out(tensors: Mapping[str, Tensor]) -> list[Slot]:
    """A slot for each tensor, in the file's order.

    Raises: TypeError for an element type that the format does not know.
    """
    return list(_slots(tensors))


def _slots(tensors: Mapping[str, Tensor]) -> Iterator[Slot]:
    begin = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        if tensor.dtype not in _DTYPES:
            raise TypeError(f"a checkpoint cannot hold {name}: its elements are {tensor.dtype}")
        end = begin + tensor.numel() * tensor.element_size()
        yield Slot(name, tensor.dtype, tuple(tensor.shape), begin, end)
        begin = end


def encode_header(slots: list[Slot], step: int, facts: Mapping[str, Any]) -> bytes:
    """All that comes before the data, in whole pages."""
    entries: dict[str, Any] = {
        slot.name: {"dtype": _DTYPES[slot.dtype], "shape": slot.shape, "data_offsets": (slot.begin, slot.end)}
        for slot in slots
    }
    # Values of the metadata are strings, by the format. Facts may hold an infinity (no loss seen yet), which JSON
    # proper does not know and Python's reads back.
    entries[_METADATA] = {"step": str(step), "facts": json.dumps(facts)}
    header = json.dumps(entries, separators=(",", ":")).encode()
    padding = -(_LENGTH_BYTES + len(header)) % PAGE_BYTES
    return (len(header) + padding).to_bytes(_LENGTH_BYTES, "little") + header + b" " * padding


def read_file(path: Path) -> Snapshot:
    """Parse a file whose checksum has been verified. The tensors are the file's pages, read when they are touched.

    Raises: UnusableError when it is none of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        return Snapshot(int(metadata["step"]), tensors, json.loads(metadata["facts"]))
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise UnusableError(f"it cannot be parsed ({error})") from error

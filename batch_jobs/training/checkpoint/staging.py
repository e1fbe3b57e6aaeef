"""The copy of a state that is written while training goes on.

The copy is laid out as the file is, header first, in one buffer that is kept: a save costs the training thread one
copy, and whoever hashes, writes or uploads takes the bytes as they lie. Memory is locked when tensors come from a
GPU, whose copies then run at the bus's speed, all in flight at once.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.checkpoint.file_format import PAGE_BYTES, Slot, encode_header, lay_out


class Staging:
    """One buffer, replaced only when the state's shape changes or its facts outgrow the room before the data."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._room = 0
        self._buffer = torch.empty(0, dtype=torch.uint8)
        self._places: dict[str, Tensor] = {}

    def stage(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> memoryview:
        """The file of this state, beginning at a page of memory; valid until the next call.

        Raises: TypeError for a tensor or a fact that a checkpoint cannot hold.
        """
        slots = lay_out(tensors)
        header = encode_header(slots, step, facts)
        if slots != self._slots or len(header) > self._room:
            on_gpu = any(tensor.is_cuda for tensor in tensors.values())
            self._make_room(slots, room=2 * len(header), locked=on_gpu)
        begin = self._room - len(header)
        body = self._buffer.numpy().data[begin:]
        body[: len(header)] = header
        self._copy(tensors)
        return body

    def _make_room(self, slots: list[Slot], room: int, locked: bool) -> None:
        self._places, self._buffer = {}, torch.empty(0, dtype=torch.uint8)  # the old one goes before the new one comes
        size = room + (slots[-1].end if slots else 0)
        buffer = torch.empty(size + PAGE_BYTES, dtype=torch.uint8, pin_memory=locked)
        to_page = -buffer.data_ptr() % PAGE_BYTES
        self._buffer = buffer[to_page : to_page + size]
        self._slots, self._room = slots, room
        self._places = {
            slot.name: self._buffer[room + slot.begin : room + slot.end].view(slot.dtype).view(slot.shape)
            for slot in slots
        }

    @torch.no_grad()
    def _copy(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            self._places[name].copy_(tensor, non_blocking=True)
        for device in {tensor.device for tensor in tensors.values() if tensor.is_cuda}:
            torch.cuda.current_stream(device).synchronize()

"""One forward pass is bounded in numbers, and the passes together are the whole."""

import pytest
import torch
from torch import Tensor, nn

from training.predictor import NUMBERS_PER_PASS, ROWS_PER_PASS, outputs_of


class Counting(nn.Module):
    """Twice the input's first column; remembers how large each pass was."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.passes.append((x.shape[0], x.shape[1]))
        return 2 * x[:, :1]


@pytest.mark.parametrize(
    ("rows", "width", "rows_a_pass"),
    [(2 * ROWS_PER_PASS + 5, 3, ROWS_PER_PASS), (700, 1024, NUMBERS_PER_PASS // 1024), (3, 2 * NUMBERS_PER_PASS, 1)],
)
def test_wide_rows_go_in_smaller_passes(rows: int, width: int, rows_a_pass: int) -> None:
    model, features = Counting(), torch.arange(rows, dtype=torch.float32)[:, None].expand(rows, width)
    assert outputs_of(model, features)[:, 0].tolist() == [2.0 * row for row in range(rows)]
    assert max(count for count, _ in model.passes) == rows_a_pass
    assert not model.training

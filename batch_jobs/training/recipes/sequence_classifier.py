"""Classes from a sequence of token ids: a small pre-norm transformer encoder with cross-entropy.

A row is its token ids in order, one feature column a place: a fixed-size list column `tokens` becomes `tokens_0`,
`tokens_1`, … Shorter sequences are filled up with `padding_id`.

Shapes: n rows, l places, w width, h heads, d width of a head (w = h d), v vocabulary, k classes.
"""

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional

from training.errors import BadDataError
from training.recipe import Recipe, TrainingConfig
from training.tasks import Classification

# As in GPT-2: small enough that the first logits are near zero.
EMBEDDING_SPREAD = 0.02


class SequenceClassifierConfig(TrainingConfig):
    """Token ids are 0 to `vocabulary_size` - 1: by default, bytes. Without a `padding_id` every place counts.

    `width` is that of a token's vector, divided among `heads`; each of `layers` has a hidden layer of four times
    the width.
    """

    vocabulary_size: int = Field(default=256, ge=2, le=1_000_000)
    padding_id: int | None = Field(default=None, ge=0)
    width: int = Field(default=64, ge=2, le=4096)
    heads: int = Field(default=4, ge=1, le=64, validate_default=True)
    layers: int = Field(default=2, ge=1, le=48)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("padding_id")
    @classmethod
    def _is_a_token(cls, value: int | None, info: ValidationInfo) -> int | None:
        size = info.data.get("vocabulary_size")
        if value is not None and size is not None and value >= size:
            raise ValueError(f"{value} is no token id: vocabulary_size is {size}")
        return value

    @field_validator("heads")
    @classmethod
    def _divides_the_width(cls, value: int, info: ValidationInfo) -> int:
        width = info.data.get("width")
        if width is not None and width % value:
            raise ValueError(f"{value} heads do not divide the width {width}")
        return value


class Attention(nn.Module):
    """Every place looks at every place that is no padding."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        """Shapes: `x` (n, l, w), `visible` (n, 1, 1, l) bool or None for all; (n, l, w)."""
        queries, keys, values = self.into(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (n, h, l, d)
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=visible, dropout_p=dropout)
        return self.out(mixed.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Attention between places, then a perceptron within each, both added to what they were given."""

    def __init__(self, config: SequenceClassifierConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, visible: Tensor | None) -> Tensor:
        """Shapes: as `Attention`."""
        x = x + self.dropout(self.attention(self.attention_norm(x), visible))
        return x + self.dropout(self.perceptron(x))


class Encoder(nn.Module):
    """Tokens and places embedded, mixed by the blocks, averaged over what is no padding, and read by a linear head."""

    def __init__(self, config: SequenceClassifierConfig, length: int, class_count: int) -> None:
        super().__init__()
        self.padding_id = config.padding_id
        self.tokens = nn.Embedding(config.vocabulary_size, config.width)
        self.places = nn.Parameter(torch.empty(length, config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, class_count)
        nn.init.normal_(self.tokens.weight, std=EMBEDDING_SPREAD)
        nn.init.normal_(self.places, std=EMBEDDING_SPREAD)

    def forward(self, features: Tensor) -> Tensor:
        """Shapes: `features` (n, l) float32 token ids to logits (n, k).

        A row with a number that is no token id gets NaN for its logits. An index out of range would end the
        process on a GPU, and a look at the numbers before each step would stall it.
        """
        is_token = (features >= 0) & (features < self.tokens.num_embeddings) & (features == features.floor())
        ids = torch.where(is_token, features, 0).long()
        x = self.dropout(self.tokens(ids) + self.places)  # (n, l, w)
        counts = None if self.padding_id is None else ids != self.padding_id  # (n, l)
        visible = None if counts is None else visible_places(counts)
        for block in self.blocks:
            x = block(x, visible)
        logits: Tensor = self.head(_mean(self.norm(x), counts))
        return logits.masked_fill(~is_token.all(dim=1, keepdim=True), torch.nan)


def visible_places(counts: Tensor) -> Tensor:
    """Which places others see. Shapes: (n, l) to (n, 1, 1, l).

    All of them in a row of padding alone: kernels differ in what they make of a softmax over nothing.
    """
    return (counts | ~counts.any(dim=1, keepdim=True))[:, None, None, :]


def _mean(x: Tensor, counts: Tensor | None) -> Tensor:
    """The mean over the places that count; 0 where none does. Shapes: `x` (n, l, w), `counts` (n, l); (n, w)."""
    if counts is None:
        return x.mean(dim=1)
    weights = counts.to(x.dtype)[:, :, None]
    return (x * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def model(config: SequenceClassifierConfig, length: int, class_count: int) -> nn.Module:
    """Shapes: (n, length) token ids to logits (n, class_count)."""
    return Encoder(config, length, class_count)


def loss(config: SequenceClassifierConfig, logits: Tensor, targets: Tensor) -> Tensor:
    """Shapes: logits (n, k), targets (n,) int64 class positions."""
    return functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=config.label_smoothing)


def require_token_ids(
    config: SequenceClassifierConfig, feature_names: list[str], features: np.ndarray, first_row: int = 0
) -> None:
    """Shapes: `features` (m, l) float64, rows `first_row` on of the data set.

    Raises: BadDataError naming the first number that is no token id.
    """
    is_token = (features >= 0) & (features < config.vocabulary_size) & (features == np.floor(features))
    if not is_token.all():
        row, column = divmod(int((~is_token).argmax()), features.shape[1])
        raise BadDataError(
            f"column {feature_names[column]!r} holds {features[row, column]:g} in row {first_row + row}, which is no "
            f"token id: they are the integers from 0 to {config.vocabulary_size - 1}",
            "write token ids, or set the hyperparameter vocabulary_size to one more than the largest",
        )


RECIPE = Recipe(
    "sequence_classifier",
    SequenceClassifierConfig,
    Classification,
    model,
    loss,
    scales_inputs=False,
    check_rows=require_token_ids,
)

"""Classes from small square images: two convolutions and a linear head with cross-entropy.

A row is an image's pixels, row by row, and for colour images one colour after the other (c, h, w); the side is
the root of their number in one colour.
"""

import math
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from training.errors import BadDataError
from training.recipe import Recipe, TrainingConfig
from training.tasks import Classification

GROUPS = 4


class ImageClassifierConfig(TrainingConfig):
    """`image_channels` is 1 for grey, 3 for colour. `channels` is the width of the first convolution; the second
    has twice that.
    """

    image_channels: Literal[1, 3] = 1
    channels: int = Field(default=16, ge=GROUPS, le=1024, multiple_of=GROUPS)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


def model(config: ImageClassifierConfig, pixel_count: int, class_count: int) -> nn.Module:
    """Shapes: (n, pixel_count) to logits (n, class_count).

    Group normalisation, unlike batch normalisation, gives a row the same output whatever shares its batch,
    so training does not change with the number of workers.

    Raises: BadDataError when the pixels make no square.
    """
    colours = config.image_channels
    side = math.isqrt(pixel_count // colours)
    if colours * side * side != pixel_count or side < 2:
        raise BadDataError(
            f"{pixel_count} feature columns make no square image of {colours} channel{'s' if colours > 1 else ''}",
            "give one column a pixel and channel, side times side of them for each of image_channels",
        )
    wide = 2 * config.channels
    pooled_side = -(-side // 2)
    return nn.Sequential(
        nn.Unflatten(1, (colours, side, side)),
        nn.Conv2d(colours, config.channels, kernel_size=3, padding=1),
        nn.GroupNorm(GROUPS, config.channels),
        nn.GELU(),
        nn.Conv2d(config.channels, wide, kernel_size=3, padding=1, stride=2),
        nn.GroupNorm(GROUPS, wide),
        nn.GELU(),
        nn.Flatten(),
        nn.Dropout(config.dropout),
        nn.Linear(wide * pooled_side**2, class_count),
    )


def loss(config: ImageClassifierConfig, logits: Tensor, targets: Tensor) -> Tensor:
    """Shapes: logits (n, k), targets (n,) int64 class positions."""
    return functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=config.label_smoothing)


RECIPE = Recipe("image_classifier", ImageClassifierConfig, Classification, model, loss)

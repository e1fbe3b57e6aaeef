"""The multilayer perceptron of both tabular recipes."""

from itertools import pairwise

from torch import nn


def perceptron(widths: list[int], dropout: float) -> nn.Sequential:
    """Linear layers of the given widths, GELU and dropout after each but the last.

    Shapes: (n, widths[0]) to (n, widths[-1]).
    """
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])

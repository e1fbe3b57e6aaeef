"""AdamW and gradient clipping, each a few kernels for all parameters together.

The update is the ATen operator that torch.optim.AdamW(fused=True) calls. The class around it is our own: making
a torch.optim optimizer imports torch._dynamo, which costs as much CPU time as `import torch` itself (2.5 s).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

# What torch adds to a norm before it divides by it.
SMALLEST_NORM = 1e-6


@dataclass(frozen=True)
class _Moments:
    """A parameter with the running means of its gradient and of the gradient's square, all of one shape."""

    parameter: nn.Parameter
    mean: Tensor
    square: Tensor


class AdamW:
    """Adam with decoupled weight decay.

    All parameters share one device and dtype, as the operator wants. With `decays_matrices_only` biases and the
    gains of normalisation layers (whatever has fewer than two dimensions) do not decay, which is the habit for
    transformers; torch's own default, and the one here, lets every parameter decay.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", algorithm 2; defaults of
    torch.optim.AdamW.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        decays_matrices_only: bool = False,
    ) -> None:
        self._moments = [
            _Moments(parameter, torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in parameters
        ]
        self._betas = betas
        self._epsilon = epsilon
        # A tensor beside the parameters: a number would be copied to a GPU at every step. float32, as the operator
        # wants: it stops counting at 2^24, long after the corrections it is for have become 1.
        self._step = torch.zeros((), dtype=torch.float32, device=self._moments[0].parameter.device)
        least_dimensions = 2 if decays_matrices_only else 0
        self._groups = [
            ([moments for moments in self._moments if moments.parameter.dim() >= least_dimensions], weight_decay),
            ([moments for moments in self._moments if moments.parameter.dim() < least_dimensions], 0.0),
        ]

    def zero_grad(self) -> None:
        for moments in self._moments:
            moments.parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        self._step += 1
        for group, weight_decay in self._groups:
            moving = [moments for moments in group if moments.parameter.grad is not None]
            if moving:
                self._move(moving, learning_rate, weight_decay)

    def _move(self, moving: list[_Moments], learning_rate: float, weight_decay: float) -> None:
        torch._fused_adamw_(
            [moments.parameter for moments in moving],
            [cast(Tensor, moments.parameter.grad) for moments in moving],
            [moments.mean for moments in moving],
            [moments.square for moments in moving],
            [],  # the largest squares, of the amsgrad variant
            [self._step] * len(moving),
            lr=learning_rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=weight_decay,
            eps=self._epsilon,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All that a later step depends on besides the weights: the live tensors, to be copied or written in place."""
        return {
            "step": self._step,
            **{f"means.{index}": moments.mean for index, moments in enumerate(self._moments)},
            **{f"squares.{index}": moments.square for index, moments in enumerate(self._moments)},
        }

    def state_dict(self) -> dict[str, Any]:
        return {name: tensor.clone() for name, tensor in self.tensors().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises: KeyError for a tensor that is missing, RuntimeError for one of another shape."""
        for name, tensor in self.tensors().items():
            tensor.copy_(state[name])


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Shrink all gradients alike so that their common norm is at most `max_norm`; the norm they had, as ().

    As torch.nn.utils.clip_grad_norm_, less its grouping by device. A CPU skips the pass over the gradients that
    would multiply them by 1; a GPU does not, as the host would have to wait for it to know.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if norm.device.type != "cpu" or not norm.item() + SMALLEST_NORM <= max_norm:
        torch._foreach_mul_(gradients, (max_norm / (norm + SMALLEST_NORM)).clamp(max=1.0))
    return norm

"""Several processes that train together, or one that trains alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


def rank() -> int:
    """Return the process's number; 0 alone writes and prints."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def ranks() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def shared_progress(progress: float) -> float:
    """Return the first process's progress, so that all stop and cool down together."""
    if not distributed.is_initialized():
        return progress
    value = torch.tensor([progress], dtype=torch.float64)
    distributed.broadcast(value, 0)
    return float(value)


def shared_mean(loss: Tensor) -> float:
    """Return the mean of the processes' losses."""
    total = loss.clone()
    if distributed.is_initialized():
        distributed.all_reduce(total)
    return float(total) / ranks()


def share_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes: one message per step."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients]) / ranks()
    distributed.all_reduce(flat)
    for gradient_, piece in zip(
        gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True
    ):
        gradient_.copy_(piece.view_as(gradient_))

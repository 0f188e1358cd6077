"""What training makes small: the difference between the network's logits and a matte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE_WEIGHTS = (1.0, 0.5, 0.4, 0.3, 0.25, 0.2)  # of the losses at strides 1, 2, 4, 8, 16, 32
BOUNDARY_WEIGHT = 5.0  # as in F3Net (Wei et al., 2020)
L1_WEIGHT, GRADIENT_WEIGHT = 1.0, 1.0


def boundary_weight(alpha: Tensor) -> Tensor:
    """Weigh pixels 1 in flat parts … 6 on boundaries of alpha, float32 (N,1,S,S) in 0…1.

    |mean of a neighbourhood of about 36 px - alpha|, as in F3Net, the mean taken at a quarter of
    the size.
    """
    near = functional.avg_pool2d(functional.avg_pool2d(alpha, 4), 9, 1, 4, count_include_pad=False)
    near = functional.interpolate(near, alpha.shape[-2:], mode="bilinear", align_corners=False)
    return 1 + BOUNDARY_WEIGHT * (near - alpha).abs()


def structure_loss(logit: Tensor, alpha: Tensor, weight: Tensor) -> Tensor:
    """Add weighted cross-entropy and soft IoU (F3Net); all float32 (N,1,h,w), alpha in 0…1."""
    entropy = functional.binary_cross_entropy_with_logits(
        logit, alpha, weight=weight, reduction="none"
    ).sum((1, 2, 3))
    entropy = entropy / weight.sum((1, 2, 3)).clamp_min(1)  # a crop may hold nothing to trust
    found = logit.sigmoid()
    both = (found * alpha * weight).sum((1, 2, 3))
    either = ((found + alpha) * weight).sum((1, 2, 3)) - both
    return (entropy + 1 - (both + 1) / (either + 1)).mean()


def shrunk(x: Tensor, like: Tensor) -> Tensor:
    """Average `x` (N,1,S,S) over the cells of the grid of `like`."""
    height, width = like.shape[-2:]
    return x if x.shape == like.shape else functional.adaptive_avg_pool2d(x, (height, width))


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Take forward differences along x and y."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def total_loss(logits: Sequence[Tensor], alpha: Tensor, trust: Tensor) -> Tensor:
    """Sum the loss over strides, finest first; alpha and trust float32 (N,1,S,S) in 0…1."""
    weight = boundary_weight(alpha) * trust
    total = torch.zeros((), device=alpha.device)
    for logit, share in zip(logits, SIDE_WEIGHTS, strict=True):
        target, at = (shrunk(plane, logit) for plane in (alpha, weight))
        total = total + share * structure_loss(logit.float(), target, at)
    found = logits[0].float().sigmoid()
    total = total + L1_WEIGHT * ((found - alpha).abs() * weight).sum() / weight.sum().clamp_min(1)
    for ours, theirs, where in zip(
        gradient(found), gradient(alpha), (trust[..., 1:], trust[..., 1:, :]), strict=True
    ):
        total = total + GRADIENT_WEIGHT * ((ours - theirs).abs() * where).mean()
    return total

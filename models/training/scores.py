"""How well mattes fit: MAE, IoU and boundary IoU, by picture and by set."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mattings import Matting

    from data import Bytes, Floats, Pair

SIDE_MAX_PX = 640
THRESHOLD = 0.5  # of alpha: what counts as subject for both IoUs
BAND_SHARE = 0.02  # of the diagonal: the band of boundary IoU


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Means over pictures; each 0…1."""

    mae: float
    iou: float
    boundary_iou: float


def eroded(mask: Bytes, steps: int) -> Bytes:
    """Erode 0/1 uint8 (H,W) `steps` times by 3×3; outside the frame counts as background."""
    image = Image.fromarray(np.pad(mask, steps) * 255)
    while steps > 0:
        step = min(steps, 3)
        image = image.filter(ImageFilter.MinFilter(2 * step + 1))
        steps -= step
    width = (image.width - mask.shape[1]) // 2
    pixels = np.asarray(image) // 255
    return pixels[width : width + mask.shape[0], width : width + mask.shape[1]]


def overlap(one: Bytes, other: Bytes) -> float:
    """Divide intersection by union of two 0/1 masks; 1 if both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def boundary(mask: Bytes) -> Bytes:
    """Keep the inner band of a mask, 2 % of the diagonal wide (Cheng et al., 2021)."""
    steps = max(1, round(BAND_SHARE * float(np.hypot(*mask.shape))))
    return mask - eroded(mask, steps)


def score(found: Floats, truth: Floats, threshold: float = THRESHOLD) -> Score:
    """Score one picture; both float32 (H,W) in 0…1. What is found counts above `threshold`."""
    ours, theirs = (found > threshold).astype(np.uint8), (truth > THRESHOLD).astype(np.uint8)
    return Score(
        mae=float(np.abs(found - truth).mean()),
        iou=overlap(ours, theirs),
        boundary_iou=overlap(boundary(ours), boundary(theirs)),
    )


def mean(scores: Sequence[Score]) -> Score:
    """Average each part."""
    return Score(
        mae=statistics.fmean(s.mae for s in scores),
        iou=statistics.fmean(s.iou for s in scores),
        boundary_iou=statistics.fmean(s.boundary_iou for s in scores),
    )


def bounded(pair: Pair) -> tuple[Bytes, Floats]:
    """Shrink to 640 px at most: photograph uint8 (H,W,3) and truth float32 (H,W)."""
    rgb, truth = Image.fromarray(pair.rgb), Image.fromarray(pair.alpha)
    for image in (rgb, truth):
        image.thumbnail((SIDE_MAX_PX, SIDE_MAX_PX), Image.Resampling.BILINEAR)
    return np.asarray(rgb), np.asarray(truth, np.float32) / np.float32(255)


def judge(run: Matting, pairs: Sequence[Pair], threshold: float = THRESHOLD) -> list[Score]:
    """Score each picture. Mattes count above `threshold`."""
    scores = []
    for pair in pairs:
        rgb, truth = bounded(pair)
        scores.append(score(run(rgb), truth, threshold))
    return scores


def by_set(pairs: Sequence[Pair], scores: Sequence[Score]) -> dict[str, Score]:
    """Average the pictures of each set, and add the `mean` over the sets."""
    of_set: dict[str, list[Score]] = {}
    for pair, one in zip(pairs, scores, strict=True):
        of_set.setdefault(pair.set, []).append(one)
    found = {name: mean(items) for name, items in sorted(of_set.items())}
    found["mean"] = mean(list(found.values()))
    return found

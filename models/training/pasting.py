"""Subjects that are cut out and pasted on other backgrounds, in training and in validation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from data import HALF, Bytes, Pair, Rng, Sample, plain, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

SURE, KNOWN = 245, 8  # of 255: is only subject; sure colour is near


def with_clean_edges(pair: Pair) -> Pair:
    """Spread the subject's inner colours over its edge, so that a paste hides its old background.

    Normalised convolution (Knutsson & Westin, 1993): blurred colour of sure pixels over blurred
    sureness.
    """
    sure = (pair.alpha > SURE).astype(np.uint8) * 255
    spread = ImageFilter.BoxBlur(3)
    known = np.asarray(Image.fromarray(sure).filter(spread), np.float32)[..., None]
    masked = pair.rgb * (sure[..., None] > 0)
    colour = np.asarray(Image.fromarray(masked.astype(np.uint8)).filter(spread), np.float32)
    inner = np.clip(colour * 255 / np.maximum(known, 1), 0, 255)
    soft = (pair.alpha[..., None] <= SURE) & (known > KNOWN)
    return replace(pair, rgb=np.where(soft, inner, pair.rgb).astype(np.uint8))


def subject_box(alpha: Bytes) -> tuple[int, int, int, int]:
    """Find left, top, right, bottom (px, exclusive) of the subject; the whole picture if none."""
    ys, xs = np.nonzero(alpha > HALF)
    if len(xs) == 0:
        return 0, 0, alpha.shape[1], alpha.shape[0]
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def paste(
    subject: Pair, background: Sample, box: tuple[int, int, int, int], *, gain: float = 1.0
) -> Sample:
    """Paste `subject`, cropped to itself, into `box` (left, top, right, bottom; px; may leave)."""
    left, top, right, bottom = subject_box(subject.alpha)
    x0, y0, x1, y1 = box
    rgb = resized(subject.rgb[top:bottom, left:right], x1 - x0, y1 - y0)
    alpha = resized(subject.alpha[top:bottom, left:right], x1 - x0, y1 - y0)
    size = background.alpha.shape[0]
    if x0 >= size or y0 >= size or x1 <= 0 or y1 <= 0:
        return background
    inside = (slice(max(y0, 0), min(y1, size)), slice(max(x0, 0), min(x1, size)))
    own = (slice(max(-y0, 0), min(y1, size) - y0), slice(max(-x0, 0), min(x1, size) - x0))
    share = alpha[own].astype(np.float32)[..., None] / 255
    colour = np.clip(rgb[own].astype(np.float32) * gain, 0, 255)
    out_rgb, out_alpha = background.rgb.copy(), background.alpha.copy()
    out_rgb[inside] = (share * colour + (1 - share) * out_rgb[inside] + 0.5).astype(np.uint8)
    out_alpha[inside] = np.maximum(out_alpha[inside], alpha[own])
    return Sample(rgb=out_rgb, alpha=out_alpha, weight=background.weight)


def validation_pastes(
    cuts: Sequence[Pair], backgrounds: Sequence[Pair], *, seed: int = 5
) -> list[Pair]:
    """Paste every `cut` object on two backgrounds, fixed by `seed`: the judge's set `pasted`."""
    rng = np.random.default_rng(seed)
    pairs = []
    for cut in cuts:
        clean = with_clean_edges(cut)
        for turn in range(2):
            background = backgrounds[int(rng.integers(len(backgrounds)))]
            height, width = background.alpha.shape
            # Pasted on a square, then back, so that `paste` has one case only.
            size = max(height, width)
            box = place(clean, size, rng, low=0.3, high=0.9)
            sample = paste(clean, plain(background, size), box)
            rgb, alpha = resized(sample.rgb, width, height), resized(sample.alpha, width, height)
            pairs.append(
                Pair(name=f"{cut.name}#{turn}", set="pasted", kind="cut", rgb=rgb, alpha=alpha)
            )
    return pairs


def place(
    subject: Pair, size: int, rng: Rng, *, low: float, high: float
) -> tuple[int, int, int, int]:
    """Draw a box in a size × size frame, low … high of it long; cut sides stay at its edge."""
    left, top, right, bottom = subject_box(subject.alpha)
    height, width = subject.alpha.shape
    stretch = float(np.exp(rng.normal(0, 0.12)))
    w, h = (right - left) * stretch, float(bottom - top)
    scale = size * float(rng.uniform(low, high)) / max(w, h)
    w, h = max(int(w * scale), 8), max(int(h * scale), 8)
    slack_x, slack_y = size - w, size - h
    x = round(slack_x * float(np.clip(rng.normal(0.5, 0.3), -0.05, 1.05)))
    y = round(slack_y * float(np.clip(rng.normal(0.55, 0.3), -0.05, 1.05)))
    if left == 0 or right == width:
        x = 0 if left == 0 else slack_x
    if top == 0 or bottom == height:
        y = slack_y if bottom == height else 0
    return x, y, x + w, y + h

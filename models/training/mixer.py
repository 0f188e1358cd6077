"""Endless training samples: photographs, pasted subjects and backgrounds, then their degradations.

Randomness comes from a generator made of (seed, index) alone, so sample 17 of seed 1 is the same
on every machine and after every resume.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
from damage import degraded
from pasting import paste, place, subject_box, with_clean_edges
from PIL import Image, ImageFilter

from data import HALF, Kind, Pair, Rng, Sample, UnreadableError, chance, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Share of each way to make a sample, of the sum of those that there is something for: a way for
# which there is nothing (no labelled photographs, say) leaves its share to the others. Pasted
# subjects teach what a subject is among clutter. Without `pseudo` they add up to 1.
RECIPES = {
    "photo": 0.24,
    "pseudo": 0.02,
    "label": 0.42,
    "cut": 0.12,
    "transplant": 0.05,
    "label transplant": 0.13,
    "studio": 0.02,
    "empty": 0.02,
}
# Of a set's turn; what is not named counts 1. The annotated sets have too few of these.
SET_PACE = {
    "pets": 2.5,
    "pets-small": 1.8,
    "person": 2.0,
    "product": 1.5,
    "food": 1.3,
    "animal": 1.2,
}
PLAIN_SHARE = 0.25  # of pasted subjects: on a plain ground, as in a studio; all without a `bg`
# Of those: share, darkest and lightest value of 255, standard deviation between the channels.
GROUNDS = ((0.4, 232, 256, 4), (0.1, 0, 40, 4), (0.2, 0, 256, 4), (0.3, 0, 256, 60))
PASTE_TRUST = 0.85  # mean over the subject: a label that is cut out must be right all over
PSEUDO_WEIGHT = 0.6  # of an annotated pixel's, before agreement lowers it further
SUBJECT_SHARE = (0.02, 0.9)  # of the picture: less is no subject, more leaves no background


class Mixer:
    """Endless training samples: photographs, pasted subjects, backgrounds; then degradations.

    Raises UnreadableError if there is nothing to make a sample of.
    """

    def __init__(self, pairs: Sequence[Pair], seed: int) -> None:
        self._seed = seed
        kinds: dict[str, list[Pair]] = {kind: [] for kind in get_args(Kind)}
        for pair in pairs:
            if pair.kind == "bg" or (pair.alpha > HALF).mean() > SUBJECT_SHARE[0]:
                kinds[pair.kind].append(pair)
        self._backgrounds, self._studio = kinds["bg"], kinds["cut"]
        self._by_set = {
            "photo": _sets(kinds["gt"]),
            "pseudo": _sets(kinds["pseudo"]),
            "label": _sets(kinds["label"]),
            "cut": [[with_clean_edges(pair) for pair in kinds["cut"]]],
            "transplant": [[with_clean_edges(pair) for pair in kinds["gt"]]],
            "label transplant": _sets([pair for pair in kinds["label"] if _is_solid(pair)]),
            "studio": [kinds["cut"]],
            "empty": [kinds["bg"]],
        }
        shares = {name: share for name, share in RECIPES.items() if any(self._by_set[name])}
        if not shares:
            raise UnreadableError("there is nothing to train on: no pair shows a subject")
        total = sum(shares.values())
        self.shares = {name: share / total for name, share in shares.items()}

    def __call__(self, index: int, size: int) -> Sample:
        """Make sample `index` at size × size px."""
        rng = np.random.default_rng((self._seed, index))
        recipe = str(rng.choice(list(self.shares), p=list(self.shares.values())))
        match recipe:
            case "photo" | "label" | "studio":
                sample = _cropped(self._balanced(recipe, rng), size, rng)
            case "pseudo":
                sample = _cropped(self._balanced(recipe, rng), size, rng)
                sample = replace(sample, weight=(sample.weight * PSEUDO_WEIGHT).astype(np.uint8))
            case "empty":
                sample = self._background(size, rng)
            case _:
                sample = self._pasted(recipe, size, rng)
        return degraded(sample, rng)

    def _balanced(self, recipe: str, rng: Rng) -> Pair:
        """Draw a set by its pace and the root of its size, so that no large one rules, then one."""
        sets = self._by_set[recipe]
        share = np.array([SET_PACE.get(items[0].set, 1.0) * len(items) ** 0.5 for items in sets])
        return _any(sets[int(rng.choice(len(sets), p=share / share.sum()))], rng)

    def _background(self, size: int, rng: Rng) -> Sample:
        """Make a picture without a subject; sometimes a collage, whose seam is not a subject."""
        sample = _cropped(_any(self._backgrounds, rng), size, rng)
        if chance(rng, 0.15):
            other = _cropped(_any(self._backgrounds, rng), size, rng)
            cut = int(size * rng.uniform(0.2, 0.8))
            rgb = sample.rgb.copy()
            if chance(rng, 0.5):
                rgb[:, cut:] = other.rgb[:, cut:]
            else:
                rgb[cut:] = other.rgb[cut:]
            sample = replace(sample, rgb=rgb)
        return sample

    def _pasted(self, recipe: str, size: int, rng: Rng) -> Sample:
        """Paste one subject, or two, small or large, with own light and a soft shadow."""
        plain_ground = chance(rng, PLAIN_SHARE) or not self._backgrounds
        sample = _plain_ground(size, rng) if plain_ground else self._background(size, rng)
        low, high = (0.15, 0.45) if chance(rng, 0.3) else (0.4, 1.05)
        for _ in range(2 if chance(rng, 0.12) else 1):
            subject = self._balanced(recipe, rng)
            if subject.kind == "label":  # large and many: cleaned when drawn
                subject = with_clean_edges(subject)
            if chance(rng, 0.5):
                subject = replace(subject, rgb=subject.rgb[:, ::-1], alpha=subject.alpha[:, ::-1])
            box = place(subject, size, rng, low=low, high=high)
            if chance(rng, 0.4):
                sample = _with_shadow(subject, sample, box, rng)
            sample = paste(subject, sample, box, gain=float(np.exp(rng.normal(0, 0.2))))
        if chance(rng, 0.3):
            blurred = Image.fromarray(sample.rgb).filter(
                ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.8)))
            )
            sample = replace(sample, rgb=np.asarray(blurred))
        return sample


def _plain_ground(size: int, rng: Rng) -> Sample:
    """Make a plain ground: white or nearly so, dark, grey, or of any colour, lit from one side."""
    _, darkest, lightest, spread = GROUNDS[int(rng.choice(len(GROUNDS), p=[g[0] for g in GROUNDS]))]
    colour = float(rng.uniform(darkest, lightest)) + rng.normal(0, spread, 3)
    along, angle = np.linspace(-0.5, 0.5, size, dtype=np.float32), float(rng.uniform(0, 2 * np.pi))
    slope = float(np.sin(angle)) * along[:, None] + float(np.cos(angle)) * along
    light = slope * float(np.abs(rng.normal(0, 25)))
    rgb = np.clip(colour.astype(np.float32) + light[..., None], 0, 255).astype(np.uint8)
    return Sample(
        rgb=rgb, alpha=np.zeros((size, size), np.uint8), weight=np.full((size, size), 255, np.uint8)
    )


def _sets(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Group pairs by set, in order of name."""
    names = sorted({pair.set for pair in pairs})
    return [[pair for pair in pairs if pair.set == name] for name in names]


def _is_solid(pair: Pair) -> bool:
    """Tell whether a label is believed all over its subject."""
    if pair.weight is None:
        return True
    return float(pair.weight[pair.alpha > HALF].mean()) >= PASTE_TRUST * 255


def _any(pairs: Sequence[Pair], rng: Rng) -> Pair:
    """Draw one of them."""
    return pairs[int(rng.integers(len(pairs)))]


def _with_shadow(subject: Pair, sample: Sample, box: tuple[int, int, int, int], rng: Rng) -> Sample:
    """Draw a soft dark copy of the subject's shape, shifted: background, however it looks."""
    size = sample.alpha.shape[0]
    x0, y0, x1, y1 = box
    shift_x, shift_y = (int(v) for v in rng.normal(0, 0.04 * size, 2))
    black = replace(subject, rgb=np.zeros_like(subject.rgb))
    empty = replace(sample, alpha=np.zeros_like(sample.alpha))
    shape = paste(
        black, empty, (x0 + shift_x, y0 + abs(shift_y), x1 + shift_x, y1 + abs(shift_y))
    ).alpha
    soft = Image.fromarray(shape).filter(ImageFilter.BoxBlur(float(rng.uniform(0.01, 0.05)) * size))
    light = 1 - np.asarray(soft, np.float32)[..., None] / 255 * float(rng.uniform(0.2, 0.7))
    return replace(sample, rgb=(sample.rgb * light).astype(np.uint8))


def _cropped(pair: Pair, size: int, rng: Rng) -> Sample:
    """Crop, mostly keeping the whole subject; perhaps mirror; stretch to size × size."""
    height, width = pair.alpha.shape
    left, top, right, bottom = subject_box(pair.alpha)
    if pair.kind == "bg" or chance(rng, 0.2):  # close-ups: the frame may cut the subject
        left, top, right, bottom = width // 3, height // 3, width * 2 // 3, height * 2 // 3
    if chance(rng, 0.75):
        x0, y0 = int(rng.integers(left // 2, left + 1)), int(rng.integers(top // 2, top + 1))
        x1, y1 = (
            int(rng.integers(right, (width + right) // 2 + 1)),
            int(rng.integers(bottom, (height + bottom) // 2 + 1)),
        )
    else:
        x0, y0, x1, y1 = 0, 0, width, height
    cut = (slice(y0, y1), slice(x0, x1))
    low, high = SUBJECT_SHARE
    if pair.kind != "bg" and not low < (pair.alpha[cut] > HALF).mean() < high:
        cut = (slice(0, height), slice(0, width))
    weight = None if pair.weight is None else pair.weight[cut]
    sample = plain(replace(pair, rgb=pair.rgb[cut], alpha=pair.alpha[cut], weight=weight), size)
    if chance(rng, 0.5):
        sample = Sample(
            rgb=sample.rgb[:, ::-1], alpha=sample.alpha[:, ::-1], weight=sample.weight[:, ::-1]
        )
    return sample


def batches(
    sizes_px: Sequence[int], batch: int, seed: int, start: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield batches of (index, size px) from step `start` on; one size per (seed, step)."""
    for step in itertools.count(start):
        size = int(np.random.default_rng((seed, step, 1)).choice(sizes_px))
        yield [(step * batch + offset, size) for offset in range(batch)]

"""Pairs of photograph and matte: where they come from, what training and validation make of them.

All pixels are sRGB uint8 (H,W,3), RGB; all mattes uint8 (H,W), 0 background … 255 subject.
Randomness comes from a generator made of (seed, index) alone, so sample 17 of seed 1 is the same
on every machine and after every resume.
"""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Kind = Literal["gt", "pseudo", "cut", "label", "bg"]
Split = Literal["train", "val"]
Rng = np.random.Generator

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB, of values in 0…1
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF, SURE, KNOWN = 127, 245, 8  # of 255: is subject; is only subject; sure colour is near
FOLDER_SIDE_MAX_PX = 512  # photographs of a folder are shrunk to it: they must all fit in memory
BILINEAR = Image.Resampling.BILINEAR  # antialiased when shrinking, as the model's card says

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
PLAIN_SHARE = 0.25  # of pasted subjects: on a plain ground, as in a studio
# Of those: share, darkest and lightest value of 255, standard deviation between the channels.
GROUNDS = ((0.4, 232, 256, 4), (0.1, 0, 40, 4), (0.2, 0, 256, 4), (0.3, 0, 256, 60))
PASTE_TRUST = 0.85  # mean over the subject: a label that is cut out must be right all over
# The pack's pictures are small and look soft at the card's size; large photographs do not.
DAMAGES = {"blur": 0.08, "motion": 0.08, "thumbnail": 0.12, "sharpen": 0.22, "none": 0.50}
PSEUDO_WEIGHT = 0.6  # of an annotated pixel's, before agreement lowers it further
SUBJECT_SHARE = (0.02, 0.9)  # of the picture: less is no subject, more leaves no background


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A photograph and its matte; `weight` uint8 (H,W): how far a label is believed, 255 fully.

    Kinds: `gt` annotated by people, `pseudo` and `label` by a network (U2-Net-p; a teacher, with
    trust), `cut` an object on a studio background, `bg` a photograph without a subject.
    """

    name: str
    set: str
    kind: Kind
    rgb: Bytes
    alpha: Bytes
    weight: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What the network sees: `rgb` (S,S,3), `alpha` (S,S), `weight` (S,S), all uint8."""

    rgb: Bytes
    alpha: Bytes
    weight: Bytes


def read_pack(path: Path, split: Split) -> list[Pair]:
    """Read one split of a pack: RGBA images in a zip with an `index.csv` (file, set, kind, …)."""
    with zipfile.ZipFile(path) as pack:
        rows = list(csv.DictReader(io.StringIO(pack.read("index.csv").decode())))
        return [_read_row(pack, row) for row in rows if row["split"] == split]


def _read_row(pack: zipfile.ZipFile, row: dict[str, str]) -> Pair:
    """Read one pair; a background photograph has no subject, whatever its file's alpha says."""
    with Image.open(io.BytesIO(pack.read(row["file"]))) as image:
        rgba = np.asarray(image.convert("RGBA"))
    kind = cast("Kind", row["kind"])
    alpha = np.zeros_like(rgba[..., 3]) if kind == "bg" else rgba[..., 3]
    return Pair(name=row["file"], set=row["set"], kind=kind, rgb=rgba[..., :3], alpha=alpha)


def read_folder(path: Path) -> list[Pair]:
    """Read photographs in `im/` and mattes of the same stem in `gt/`; the folder names the set."""
    mattes = {file.stem: file for file in sorted((path / "gt").iterdir())}
    pairs = []
    for file in sorted((path / "im").iterdir()):
        with Image.open(file) as photo, Image.open(mattes[file.stem]) as matte:
            rgb, alpha = photo.convert("RGB"), matte.convert("L").resize(photo.size, BILINEAR)
        for image in (rgb, alpha):
            image.thumbnail((FOLDER_SIDE_MAX_PX, FOLDER_SIDE_MAX_PX), BILINEAR)
        pairs.append(
            Pair(
                name=file.name,
                set=path.name,
                kind="gt",
                rgb=np.asarray(rgb),
                alpha=np.asarray(alpha),
            )
        )
    return pairs


def resized(pixels: Bytes, width: int, height: int) -> Bytes:
    """uint8 (H,W) or (H,W,3) -> the same at (height,width), antialiased bilinear."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), BILINEAR))


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


def plain(pair: Pair, size: int) -> Sample:
    """Stretch a whole pair to size × size, as the card says photographs are."""
    weight = (
        np.full((size, size), 255, np.uint8)
        if pair.weight is None
        else resized(pair.weight, size, size)
    )
    return Sample(
        rgb=resized(pair.rgb, size, size), alpha=resized(pair.alpha, size, size), weight=weight
    )


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
            size = max(
                height, width
            )  # pasted on a square, then back, so that `paste` has one case only
            box = _place(clean, size, rng, low=0.3, high=0.9)
            sample = paste(clean, plain(background, size), box)
            rgb, alpha = resized(sample.rgb, width, height), resized(sample.alpha, width, height)
            pairs.append(
                Pair(name=f"{cut.name}#{turn}", set="pasted", kind="cut", rgb=rgb, alpha=alpha)
            )
    return pairs


def _place(
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


class Mixer:
    """Endless training samples: photographs, pasted subjects, backgrounds; then degradations."""

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
        if _chance(rng, 0.15):
            other = _cropped(_any(self._backgrounds, rng), size, rng)
            cut = int(size * rng.uniform(0.2, 0.8))
            rgb = sample.rgb.copy()
            if _chance(rng, 0.5):
                rgb[:, cut:] = other.rgb[:, cut:]
            else:
                rgb[cut:] = other.rgb[cut:]
            sample = replace(sample, rgb=rgb)
        return sample

    def _pasted(self, recipe: str, size: int, rng: Rng) -> Sample:
        """Paste one subject, or two, small or large, with own light and a soft shadow."""
        plain_ground = _chance(rng, PLAIN_SHARE)
        sample = _plain_ground(size, rng) if plain_ground else self._background(size, rng)
        low, high = (0.15, 0.45) if _chance(rng, 0.3) else (0.4, 1.05)
        for _ in range(2 if _chance(rng, 0.12) else 1):
            subject = self._balanced(recipe, rng)
            if subject.kind == "label":  # large and many: cleaned when drawn
                subject = with_clean_edges(subject)
            if _chance(rng, 0.5):
                subject = replace(subject, rgb=subject.rgb[:, ::-1], alpha=subject.alpha[:, ::-1])
            box = _place(subject, size, rng, low=low, high=high)
            if _chance(rng, 0.4):
                sample = _with_shadow(subject, sample, box, rng)
            sample = paste(subject, sample, box, gain=float(np.exp(rng.normal(0, 0.2))))
        if _chance(rng, 0.3):
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


def _chance(rng: Rng, probability: float) -> bool:
    """Draw yes or no."""
    return rng.random() < probability


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
    if pair.kind == "bg" or _chance(rng, 0.2):  # close-ups: the frame may cut the subject
        left, top, right, bottom = width // 3, height // 3, width * 2 // 3, height * 2 // 3
    if _chance(rng, 0.75):
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
    if _chance(rng, 0.5):
        sample = Sample(
            rgb=sample.rgb[:, ::-1], alpha=sample.alpha[:, ::-1], weight=sample.weight[:, ::-1]
        )
    return sample


def degraded(sample: Sample, rng: Rng) -> Sample:
    """Do what cameras, editors and networks do; the matte stays, for the subject did not move."""
    rgb = sample.rgb
    if _chance(rng, 0.8):
        rgb = _recoloured(rgb, rng)
    image = Image.fromarray(np.ascontiguousarray(rgb))
    size = image.size
    match str(rng.choice(list(DAMAGES), p=list(DAMAGES.values()))):
        case "blur":
            image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.6))))
        case "motion":
            image = _moved(image, rng)
        case "thumbnail":  # blown up again
            side_px = int(rng.uniform(112, 256))
            image = image.resize((side_px, side_px), BILINEAR).resize(size, BILINEAR)
        case "sharpen":
            percent, radius_px = int(rng.uniform(60, 220)), float(rng.uniform(0.8, 1.8))
            image = image.filter(ImageFilter.UnsharpMask(radius_px, percent, 0))
    if _chance(rng, 0.15):
        noise = rng.normal(0, rng.uniform(2, 12), (size[1], size[0], 1 if _chance(rng, 0.5) else 3))
        image = Image.fromarray(
            np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
        )
    if _chance(rng, 0.25):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.uniform(25, 90)))
        image = Image.open(buffer).convert("RGB")
    return replace(sample, rgb=np.asarray(image))


def _recoloured(rgb: Bytes, rng: Rng) -> Bytes:
    """Change gain per channel, contrast, saturation, gamma; by one 3×3 matrix and one table."""
    grey = np.full((3, 3), 1 / 3) * np.array([0.9, 1.2, 0.9])
    saturation = 0.0 if _chance(rng, 0.06) else float(rng.uniform(0.6, 1.5))
    matrix = (saturation * np.eye(3) + (1 - saturation) * grey) * np.exp(
        rng.normal(0, 0.06, (3, 1))
    )
    contrast = float(np.exp(rng.normal(0, 0.2)))
    offset = 128 * (1 - contrast) + float(rng.normal(0, 12))
    gamma = float(np.exp(rng.normal(0, 0.2)))
    table = (255 * np.clip((np.arange(256) * contrast + offset) / 255, 0, 1) ** gamma + 0.5).astype(
        np.uint8
    )
    mix = tuple(float(v) for v in np.concatenate((matrix, np.zeros((3, 1))), 1).ravel())
    mixed = Image.fromarray(np.ascontiguousarray(rgb)).convert("RGB", mix)
    out: Bytes = table[np.asarray(mixed)]
    return out


def _moved(image: Image.Image, rng: Rng) -> Image.Image:
    """Blur by motion: the mean of 5 copies along a short straight path (px)."""
    length, angle = float(rng.uniform(3, 9)), float(rng.uniform(0, np.pi))
    pixels = np.asarray(image, np.float32)
    steps = np.linspace(-length / 2, length / 2, 5)
    shifts = [(round(float(s * np.sin(angle))), round(float(s * np.cos(angle)))) for s in steps]
    total = sum(np.roll(pixels, shift, (0, 1)) for shift in shifts)
    return Image.fromarray((np.asarray(total) / len(shifts)).astype(np.uint8))


def batches(
    sizes_px: Sequence[int], batch: int, seed: int, start: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield batches of (index, size px) from step `start` on; one size per (seed, step)."""
    for step in itertools.count(start):
        size = int(np.random.default_rng((seed, step, 1)).choice(sizes_px))
        yield [(step * batch + offset, size) for offset in range(batch)]

"""Composites whose true alpha and colours are known, drawn over real photographs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from cutout.image.decode import Photo

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

_OVERSAMPLING = 4
_SURE = 0.05  # of alpha: so near to 0 or 1, a coarse matte is taken to be sure
_NOISE = 1.5  # standard deviation, of 255: of a good camera by daylight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A photo, its true alpha float32 (H, W) 0..1 and its true foreground uint8 (H, W, 3)."""

    photo: Photo
    alpha: Plane
    foreground: Picture

    def coarse(self, side: int, *, soft: bool = False, beside_px: int = 0) -> Plane:
        """Return what a perfect network of ``side`` px would say: float32 (1, 1, side, side).

        ``soft``: as soft as real networks', of variance 1/3, a Gaussian of 0.58 cells.
        ``beside_px``: the edge is so many px too far out, or in where negative, as theirs often is.
        """
        alpha = self.alpha
        if beside_px:
            spread = ImageFilter.MaxFilter if beside_px > 0 else ImageFilter.MinFilter
            mask = Image.fromarray(np.rint(alpha * 255).astype(np.uint8))
            mask = mask.filter(spread(2 * abs(beside_px) + 1))
            alpha = np.asarray(mask, np.float32) / np.float32(255)
        small = Image.fromarray(alpha).resize((side, side), Image.Resampling.BOX)
        coarse = np.array(small, np.float32)[None, None]
        for axis in (-2, -1) if soft else ():
            near = np.roll(coarse, 1, axis) + np.roll(coarse, -1, axis)
            coarse = (near + 4 * coarse) * np.float32(1 / 6)
        return coarse

    def band(self) -> NDArray[np.bool_]:
        """Return where alpha is neither 0 nor 1, and a few px around."""
        mixed = Image.fromarray(((self.alpha > 0) & (self.alpha < 1)).astype(np.uint8) * 255)
        small = mixed.resize((self.photo.width // 8, self.photo.height // 8), Image.Resampling.BOX)
        near = small.resize(mixed.size, Image.Resampling.BILINEAR)
        return np.asarray(near) > 0


def unknown(coarse: Plane, width: int, height: int) -> NDArray[np.bool_]:
    """Return where an enlarged coarse matte is unsure, 0.05 to 0.95, and a cell around."""
    side = coarse.shape[-1]
    plain = enlarged(coarse, width, height, Image.Resampling.BILINEAR)
    unsure = Image.fromarray(((plain > _SURE) & (plain < 1 - _SURE)).astype(np.uint8))
    reach = math.ceil(max(width, height) / side)
    return np.asarray(unsure.filter(ImageFilter.MaxFilter(2 * reach + 1))) > 0


def enlarged(coarse: Plane, width: int, height: int, filter_: Image.Resampling) -> Plane:
    """Return a coarse matte, float32 (1, 1, S, S), merely enlarged: float32 (H, W) 0..1."""
    plain = np.asarray(Image.fromarray(coarse[0, 0]).resize((width, height), filter_), np.float32)
    return plain.clip(0, 1)


def _photograph(name: str, width: int, height: int) -> Picture:
    """Return a photograph of scikit-image's, or with its file's ending of scikit-learn's."""
    if name.endswith(".jpg"):
        pixels = sklearn.datasets.load_sample_image(name)
    else:
        pixels = getattr(skimage.data, name)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels
    image = Image.fromarray(pixels).convert("RGB")
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _texture(dark: str, light: str, width: int, height: int, seed: int) -> Picture:
    """Return clouds and grain of 2 to 256 px between two colours."""
    random = np.random.default_rng(seed)
    clouds = np.zeros((height, width), np.float32)
    for grain in (2, 4, 16, 64, 256):
        cells = random.random((height // grain + 2, width // grain + 2), np.float32)
        grown = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        clouds += np.asarray(grown)
    share = np.clip((clouds / 5 - 0.5) * 2 + 0.5, 0, 1)[..., None]
    low, high = (np.array(Image.new("RGB", (1, 1), name))[0, 0] for name in (dark, light))
    mixed: Picture = np.rint(low * (1 - share) + high * share).astype(np.uint8)
    return mixed


def _alpha(mask: Image.Image) -> Plane:
    """Return what was drawn oversampled as alpha float32 (H, W)."""
    small = np.asarray(mask.reduce(_OVERSAMPLING), np.float32)
    return small / np.float32(255)


def _composite(alpha: Plane, front: Picture, back: Picture, *, noise: float = _NOISE) -> Scene:
    """Return ``front`` over ``back``, as a camera would see it."""
    mixed = front * alpha[..., None] + back * (1 - alpha[..., None])
    if noise:
        mixed = mixed + np.random.default_rng(3).normal(0, noise, mixed.shape)
    pixels = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return Scene(photo=Photo(pixels=pixels, alpha=None), alpha=alpha, foreground=front)


def _over(mask: Image.Image, subject: str, ground: str) -> Scene:
    """Return one photograph cut by ``mask`` over another."""
    alpha = _alpha(mask)
    front, back = (_photograph(name, *alpha.shape[::-1]) for name in (subject, ground))
    return _composite(alpha, front, back, noise=0)


def _drawn(mask: Image.Image, dark: str, light: str, ground: str) -> Scene:
    """Return ``mask`` in a texture between two colours over a photograph."""
    alpha = _alpha(mask)
    height, width = alpha.shape
    front = _texture(dark, light, width, height, seed=7)
    return _composite(alpha, front, _photograph(ground, width, height))


def _canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw, Points]:
    """Return an oversampled mask, what draws on it, and its centre."""
    size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    mask = Image.new("L", size)
    return mask, ImageDraw.Draw(mask), np.array(size) / 2


def _line(draw: ImageDraw.ImageDraw, points: Points, px: float) -> None:
    """Draw a curve, (n, 2), so many px of the photo wide."""
    width = max(1, round(px * _OVERSAMPLING))
    draw.line([(x, y) for x, y in points], fill=255, width=width, joint="curve")


def _circle(draw: ImageDraw.ImageDraw, at: Points, radius: float, px: float | None = None) -> None:
    """Draw a disc, or a ring so many px of the photo wide inwards from ``radius``."""
    box = (*(at - radius), *(at + radius))
    if px is None:
        draw.ellipse(box, fill=255)
    else:
        draw.ellipse(box, outline=255, width=max(1, round(px * _OVERSAMPLING)))


def disc(width: int = 1200, height: int = 900) -> Scene:
    """Return a disc of brick on grass."""
    mask, draw, _ = _canvas(width, height)
    box = (width * 0.3, height * 0.2, width * 0.75, height * 0.8)
    draw.ellipse([side * _OVERSAMPLING for side in box], fill=255)
    return _over(mask, "coffee", "grass")


def hair(width: int = 1200, height: int = 900) -> Scene:
    """Return a disc from which hundreds of thin curved strands stand out."""
    mask, draw, centre = _canvas(width, height)
    radius = height * _OVERSAMPLING * 0.25
    _circle(draw, centre, radius)
    random = np.random.default_rng(5)
    for angle in np.linspace(0, 2 * np.pi, 400):
        turns = angle + np.cumsum(random.normal(0, 0.02, 12))
        steps = np.linspace(0.95, random.uniform(1.15, 1.6), 12) * radius
        points = centre + np.stack([np.cos(turns) * steps, np.sin(turns) * steps], axis=1)
        draw.line([tuple(point) for point in points], fill=255, width=5)
    return _over(mask, "chelsea", "gravel")


def curls(width: int = 1200, height: int = 900) -> Scene:
    """Return a dark head with curly strands of 0.5 to 3 px before a pagoda."""
    mask, draw, centre = _canvas(width, height)
    radius = height * _OVERSAMPLING * 0.25
    _circle(draw, centre, radius)
    random = np.random.default_rng(11)
    for angle in random.uniform(0, 2 * np.pi, 420):
        way = np.linspace(0.9, random.uniform(1.1, 1.65), 40)
        wave = np.sin(way * random.uniform(15, 45) + random.uniform(0, 6))
        turns = angle + random.normal(0, 0.3) * (way - 0.9) + 0.035 * (way - 0.9) * 2 * wave
        points = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (way * radius)[:, None]
        _line(draw, centre + points, random.uniform(0.5, 3))
    return _drawn(mask, "#1A100C", "#5A3A28", "china.jpg")


def fur(width: int = 1200, height: int = 900) -> Scene:
    """Return a ball of short ginger fur before ginger fur: much alike in colour."""
    mask, draw, centre = _canvas(width, height)
    radius = height * _OVERSAMPLING * 0.3
    _circle(draw, centre, radius)
    random = np.random.default_rng(12)
    for angle in random.uniform(0, 2 * np.pi, 1800):
        length = random.uniform(1.02, 1.16)
        turns = angle + np.array([0, 0.03, 0.05]) * random.normal(0, 1.5)
        way = np.array([0.97, (0.97 + length) / 2, length]) * radius
        points = centre + np.stack([np.cos(turns) * way, np.sin(turns) * way], axis=1)
        px = random.uniform(0.8, 2)
        _line(draw, points[:2], px)
        _line(draw, points[1:], px / 2)  # a hair ends thin
    return _drawn(mask, "#D9C3A0", "#FFF6E4", "chelsea")


def wheel(width: int = 1200, height: int = 900) -> Scene:
    """Return a bicycle's wheel, its spokes 1.2 px wide, before a motorcycle in a workshop."""
    mask, draw, centre = _canvas(width, height)
    radius = height * _OVERSAMPLING * 0.42
    _circle(draw, centre, radius, 14)
    _circle(draw, centre, radius * 0.94, 5)
    _circle(draw, centre, radius * 0.07)
    for spoke in range(36):
        angle = spoke * np.pi / 18
        twist = 1.2 if spoke % 2 else -1.2
        ends = [(0.06, angle + twist), (0.95, angle)]
        points = np.array([(np.cos(turn) * way, np.sin(turn) * way) for way, turn in ends])
        _line(draw, centre + points * radius, 1.2)
    return _drawn(mask, "#B8BCC4", "#F2F4F8", "stereo_motorcycle")


def basket(width: int = 1200, height: int = 900) -> Scene:
    """Return wickerwork with holes of 5 to 12 px, before a cup of coffee much like it in colour."""
    mask, draw, centre = _canvas(width, height)
    half = np.array([0.34, 0.36]) * (width, height) * _OVERSAMPLING
    random = np.random.default_rng(13)
    for axis in (0, 1):
        at = -half[axis]
        while at < half[axis]:
            strip = np.zeros((30, 2))
            strip[:, axis] = at + np.cumsum(random.normal(0, 0.8, 30))
            strip[:, 1 - axis] = np.linspace(-half[1 - axis], half[1 - axis], 30)
            turned = strip @ np.array([[0.98, 0.19], [-0.19, 0.98]])
            _line(draw, centre + turned, random.uniform(7, 9))
            at += random.uniform(14, 20) * _OVERSAMPLING
    for end in (-1, 1):
        rim = np.array([(-half[0], end * half[1]), (half[0], end * half[1])])
        _line(draw, centre + rim @ np.array([[0.98, 0.19], [-0.19, 0.98]]), 40)
    return _drawn(mask, "#8A5A2E", "#D8A868", "coffee")


def plant(width: int = 1200, height: int = 900) -> Scene:
    """Return a plant of pointed leaves on thin stems before leaves out of focus."""
    mask, draw, centre = _canvas(width, height)
    random = np.random.default_rng(14)
    root = centre + np.array([0, height * _OVERSAMPLING * 0.42])
    profile = np.sin(np.linspace(0, np.pi, 12)) ** 1.3
    for angle in np.linspace(-1.2, 1.2, 14) - np.pi / 2:
        way = np.linspace(0, random.uniform(0.5, 0.85), 20)
        turns = angle + way * random.normal(0, 0.5)
        stem = np.stack([np.cos(turns), np.sin(turns)], axis=1) * way[:, None]
        stem = root + stem * height * _OVERSAMPLING
        _line(draw, stem, random.uniform(1.5, 3))
        for at in range(5, 20, 2):
            turn = turns[at] + random.choice([-1, 1]) * random.uniform(0.5, 1.1)
            along, across = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            length = random.uniform(40, 90) * _OVERSAMPLING
            spine = stem[at] + np.linspace(0, length, 12)[:, None] * along
            side = profile[:, None] * across * length * 0.16
            outline = np.concatenate([spine + side, (spine - side)[::-1]])
            draw.polygon([(x, y) for x, y in outline], fill=255)
    return _drawn(mask, "#2E6B22", "#9CCB5A", "flower.jpg")


def jug(width: int = 1200, height: int = 900) -> Scene:
    """Return a hard-edged white jug with a thin handle and a thinner wire before an astronaut."""
    mask, draw, centre = _canvas(width, height)
    unit = height * _OVERSAMPLING / 100
    body = centre + np.array([(-18, -26), (14, 34)]) * unit
    draw.rounded_rectangle(tuple(body.ravel()), radius=6 * unit, fill=255)
    spout = centre + np.array([(-18, -24), (-27, -28), (-18, -10)]) * unit
    draw.polygon([(x, y) for x, y in spout], fill=255)
    turns = np.linspace(-1.5, 1.5, 40)
    handle = np.stack([13 + 16 * np.cos(turns), 2 + 18 * np.sin(turns)], axis=1)
    _line(draw, centre + handle * unit, 6)
    wire = np.stack([6 * np.cos(2 * turns), np.linspace(-26, -44, 40)], axis=1)
    _line(draw, centre + wire * unit, 2)
    return _drawn(mask, "#C9CDD2", "#FFFFFF", "astronaut")


def blurred(width: int = 1200, height: int = 900) -> Scene:
    """Return a disc, its edge sharp at the top and out of focus by 10 px at the bottom."""
    mask, draw, centre = _canvas(width, height)
    _circle(draw, centre, height * _OVERSAMPLING * 0.33)
    alpha = _alpha(mask)
    soft = _alpha(mask.filter(ImageFilter.GaussianBlur(10 * _OVERSAMPLING)))
    share = np.clip(np.linspace(-1, 2, height, dtype=np.float32), 0, 1)[:, None]
    alpha = alpha * (1 - share) + soft * share
    front = _texture("#7A1E2C", "#E0606A", width, height, seed=7)
    return _composite(alpha, front, _photograph("rocket", width, height))


DRAWN: Mapping[str, Callable[[int, int], Scene]] = {
    "curls": curls,
    "fur": fur,
    "wheel": wheel,
    "basket": basket,
    "plant": plant,
    "jug": jug,
    "blurred": blurred,
}
"""The scenes that matte refinement is judged on."""

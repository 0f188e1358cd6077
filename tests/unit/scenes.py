"""Composites whose true alpha and colours are known, drawn over real photographs."""

from dataclasses import dataclass

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cutout.decode import Photo

_OVERSAMPLING = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A photo, its true alpha float32 (H, W) 0..1 and its true foreground uint8 (H, W, 3)."""

    photo: Photo
    alpha: NDArray[np.float32]
    foreground: NDArray[np.uint8]

    def coarse(self, side: int) -> NDArray[np.float32]:
        """Return what a perfect network of ``side`` px would say: float32 (1, 1, side, side)."""
        small = Image.fromarray(self.alpha).resize((side, side), Image.Resampling.BOX)
        return np.asarray(small, np.float32)[None, None]

    def band(self) -> NDArray[np.bool_]:
        """Return where alpha is neither 0 nor 1, and a few px around."""
        mixed = Image.fromarray(((self.alpha > 0) & (self.alpha < 1)).astype(np.uint8) * 255)
        small = mixed.resize((self.photo.width // 8, self.photo.height // 8), Image.Resampling.BOX)
        near = small.resize(mixed.size, Image.Resampling.BILINEAR)
        return np.asarray(near) > 0


def _over(mask: Image.Image, subject: str, ground: str) -> Scene:
    """Return one photograph cut by ``mask`` over another."""
    width, height = (side // _OVERSAMPLING for side in mask.size)
    small = mask.resize((width, height), Image.Resampling.BOX)
    alpha = np.divide(np.asarray(small), 255, dtype=np.float32)
    front, back = (
        np.asarray(
            Image.fromarray(getattr(skimage.data, name)())
            .convert("RGB")
            .resize((width, height), Image.Resampling.BICUBIC)
        )
        for name in (subject, ground)
    )
    mixed = front * alpha[..., None] + back * (1 - alpha[..., None])
    photo = Photo(pixels=np.rint(mixed).astype(np.uint8), alpha=None)
    return Scene(photo=photo, alpha=alpha, foreground=front)


def disc(width: int = 1200, height: int = 900) -> Scene:
    """Return a disc of brick on grass."""
    scale = _OVERSAMPLING
    mask = Image.new("L", (width * scale, height * scale))
    box = [width * 0.3, height * 0.2, width * 0.75, height * 0.8]
    ImageDraw.Draw(mask).ellipse([side * scale for side in box], fill=255)
    return _over(mask, "coffee", "grass")


def hair(width: int = 1200, height: int = 900) -> Scene:
    """Return a disc from which hundreds of thin curved strands stand out."""
    scale = _OVERSAMPLING
    mask = Image.new("L", (width * scale, height * scale))
    draw = ImageDraw.Draw(mask)
    centre = np.array([width * scale / 2, height * scale / 2])
    radius = height * scale * 0.25
    draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
    random = np.random.default_rng(5)
    for angle in np.linspace(0, 2 * np.pi, 400):
        turns = angle + np.cumsum(random.normal(0, 0.02, 12))
        steps = np.linspace(0.95, random.uniform(1.15, 1.6), 12) * radius
        points = centre + np.stack([np.cos(turns) * steps, np.sin(turns) * steps], axis=1)
        draw.line([tuple(point) for point in points], fill=255, width=5)
    return _over(mask, "chelsea", "gravel")

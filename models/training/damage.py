"""What cameras, editors and networks do to photographs, done to training samples."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from data import BILINEAR, Bytes, Rng, Sample, chance

# The pack's pictures are small and look soft at the card's size; large photographs do not.
DAMAGES = {"blur": 0.08, "motion": 0.08, "thumbnail": 0.12, "sharpen": 0.22, "none": 0.50}


def degraded(sample: Sample, rng: Rng) -> Sample:
    """Do what cameras, editors and networks do; the matte stays, for the subject did not move."""
    rgb = sample.rgb
    if chance(rng, 0.8):
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
    if chance(rng, 0.15):
        noise = rng.normal(0, rng.uniform(2, 12), (size[1], size[0], 1 if chance(rng, 0.5) else 3))
        image = Image.fromarray(
            np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
        )
    if chance(rng, 0.25):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.uniform(25, 90)))
        image = Image.open(buffer).convert("RGB")
    return replace(sample, rgb=np.asarray(image))


def _recoloured(rgb: Bytes, rng: Rng) -> Bytes:
    """Change gain per channel, contrast, saturation, gamma; by one 3×3 matrix and one table."""
    grey = np.full((3, 3), 1 / 3) * np.array([0.9, 1.2, 0.9])
    saturation = 0.0 if chance(rng, 0.06) else float(rng.uniform(0.6, 1.5))
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

"""What is behind the subject: a picture, the photo's own background, a colour, or nothing."""

import numpy as np
from numpy.typing import NDArray

from cutout.image.background import cover, own_background, photo_on_white
from cutout.image.composite import OPAQUE, WHITE, lay_under, over
from cutout.image.decode import Photo
from cutout.image.foreground import extend_foreground
from cutout.image.matte import Matte
from cutout.image.place import Box, Layout
from cutout.image.resample import resampled
from cutout.image.rgba import joined, picked, put, replace
from cutout.image.tiles import tiles
from cutout.options import Format, Options


def backdrop_of(
    photo: Photo,
    matte: Matte,
    layout: Layout,
    options: Options,
    picture: NDArray[np.uint8] | None,
) -> NDArray[np.uint8] | None:
    """Return what is behind the subject, uint8 (H, W, 3) or (3,); ``None`` for transparency."""
    if picture is not None:
        return cover(picture, layout.canvas.width, layout.canvas.height)
    if options.bg_blur is not None:
        shown = Photo(pixels=photo_on_white(photo), alpha=None)
        return own_background(*_reduced(shown, matte, layout), options.bg_blur)
    if options.bg_color is not None and options.bg_color.a == OPAQUE:
        return np.array([options.bg_color.r, options.bg_color.g, options.bg_color.b], np.uint8)
    return None if options.format.has_alpha else WHITE


def lay_behind(
    pixels: NDArray[np.uint8], backdrop: NDArray[np.uint8] | None, options: Options
) -> None:
    """Put what is behind the subject under ``pixels``, uint8 (H, W, 4), in place.

    In a zip of which alpha stays, the subject's colours are extended instead.
    """
    if options.bg_color is not None and options.bg_color.a < OPAQUE:
        lay_under(pixels, options.bg_color)
    if backdrop is not None:
        flatten(pixels, backdrop)
    elif options.format is Format.ZIP:
        pixels[..., :3] = extend_foreground(pixels[..., :3], pixels[..., 3])


def _reduced(photo: Photo, matte: Matte, layout: Layout) -> tuple[Photo, Matte, Box]:
    """Return a photo without alpha, its matte and the frame, all at the scale of the canvas."""
    frame, canvas = layout.frame, layout.canvas
    if not layout.is_reduced:
        return photo, matte, frame
    across, down = canvas.width / frame.width, canvas.height / frame.height
    width, height = max(1, round(photo.width * across)), max(1, round(photo.height * down))
    pixels = resampled(joined(photo.pixels, matte.alpha), width, height, is_weighted=False)
    return (
        Photo(pixels=pixels[..., :3], alpha=None),
        Matte(alpha=np.ascontiguousarray(pixels[..., 3])),
        Box(
            top=round(frame.top * down),
            left=round(frame.left * across),
            width=canvas.width,
            height=canvas.height,
        ),
    )


def flatten(pixels: NDArray[np.uint8], backdrop: NDArray[np.uint8]) -> None:
    """Composite ``pixels``, uint8 (H, W, 4) of straight alpha, on a backdrop in place.

    ``backdrop`` is uint8 (H, W, 3), or (3,) for one colour. Every pixel ends opaque.
    """
    word = joined(backdrop[None, None], OPAQUE) if backdrop.ndim == 1 else None
    for rows, columns in tiles(*pixels.shape[:2]):
        tile = pixels[rows, columns]
        alpha = np.ascontiguousarray(tile[..., 3])
        if alpha.min() == OPAQUE:
            continue
        if word is None:
            behind = joined(backdrop[rows, columns], OPAQUE)
        else:
            behind = np.broadcast_to(word, tile.shape)
        replace(tile, alpha == 0, behind)
        mixed = (alpha > 0) & (alpha < OPAQUE)
        if mixed.any():
            front, back = picked(tile, mixed), picked(behind, mixed)
            shown = over(front[..., :3], front[..., 3], back[..., :3])
            put(tile, mixed, joined(shown, OPAQUE))

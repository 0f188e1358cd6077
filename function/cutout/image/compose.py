"""``Photo`` + ``Matte`` + ``Options`` → :class:`Cutout`: place, shadow, background, flatten."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutout.errors import UnknownForeground
from cutout.image.background import cover, on_white, own_background
from cutout.image.canvas import scaled, seen, window
from cutout.image.composite import OPAQUE, WHITE, lay_under, over
from cutout.image.decode import Photo
from cutout.image.despill import remove_green_spill
from cutout.image.foreground import clean_edges, extend_foreground
from cutout.image.matte import Matte
from cutout.image.place import Box, Layout, lay_out, subject_of
from cutout.image.resample import resampled
from cutout.image.rgba import behind, clear, joined, picked, put, replace
from cutout.image.shadow import cast_shadow
from cutout.image.tiles import strips, tiles
from cutout.options import Channels, Format, InputAlpha, OnEmpty, Options, ShadowType

_HALF = 128  # the smallest alpha, of 255, that is at least one half


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """The composed result.

    ``pixels`` uint8 (H, W, 4), sRGB with straight alpha, colour 0 where alpha is 0 (for ``zip``:
    the foreground's colours, extended). ``subject`` is the subject's box in it, of size 0 if
    there is none; ``coverage`` is the matte's mean over it, 0..1, before any shadow or background.
    """

    pixels: NDArray[np.uint8]
    subject: Box
    coverage: float


def compose(  # noqa: PLR0913 - the three inputs, the background and what the deployment allows
    photo: Photo,
    matte: Matte,
    options: Options,
    picture: NDArray[np.uint8] | None = None,
    *,
    may_overwrite: bool = False,
    memory_pixels: int | None = None,
) -> Cutout:
    """Return the cutout that ``options`` ask for.

    ``picture`` is the image for the background, uint8 (h, w, 3) of any size, or ``None``. With
    ``may_overwrite`` the cutout may be made in the photo's own memory, which saves a picture's
    worth of it; the photo's pixels mean nothing afterwards. ``memory_pixels`` is the size of a
    canvas that fits into memory, ``None`` where that is not known.

    :raises UnknownForeground: no subject is found, or none is left where it is scaled down, and
        ``on_empty`` is ``error``.
    :raises InvalidOption: ``invalid_crop_margin``, the canvas would be too large.
    """
    if options.input_alpha is InputAlpha.DISCARD:
        photo = Photo(pixels=photo.pixels, alpha=None)
    alpha = matte.alpha
    if not options.semitransparency:
        alpha = alpha.copy()
        harden(alpha)
    found = subject_of(alpha)
    if not found.width:
        if options.on_empty is OnEmpty.ERROR:
            raise UnknownForeground
        alpha = np.zeros_like(alpha)  # what is too faint for a subject is none of the result either
        matte = Matte(alpha=alpha)
    layout = lay_out(found, photo, options, memory_pixels=memory_pixels)
    pixels = _placed(photo, matte, alpha, layout, options, may_overwrite=may_overwrite)
    alpha = np.ascontiguousarray(pixels[..., 3])
    subject, coverage = subject_of(alpha), coverage_of(alpha)
    del alpha
    if found.width and not subject.width:  # it was so thin that nothing is left at its new size
        return compose(
            photo,
            Matte(alpha=np.zeros_like(matte.alpha)),
            options,
            picture,
            may_overwrite=may_overwrite,
            memory_pixels=memory_pixels,
        )
    if options.channels is Channels.RGBA:
        if options.shadow_type is ShadowType.DROP and subject.width:
            cast_shadow(pixels, subject, options.shadow_opacity)
        _lay_behind(pixels, _backdrop(photo, matte, layout, options, picture), options)
    return Cutout(pixels=pixels, subject=subject, coverage=coverage)


def _placed(  # noqa: PLR0913 - what compose() was given, and what it has found
    photo: Photo,
    matte: Matte,
    alpha: NDArray[np.uint8],
    layout: Layout,
    options: Options,
    *,
    may_overwrite: bool,
) -> NDArray[np.uint8]:
    """Return the canvas with the subject alone, uint8 (H, W, 4); colours only for ``rgba``."""
    source = seen(layout, photo)
    if options.channels is Channels.RGBA:
        alone = _subject_alone(photo, matte, alpha, options, may_overwrite=may_overwrite)
        pixels = np.ascontiguousarray(window(alone, source))
        del alone
    else:
        pixels = np.zeros((source.height, source.width, 4), np.uint8)
        pixels[..., 3] = window(alpha, source)
    if not layout.is_scaled:
        return pixels
    pixels = scaled(pixels, source, layout)
    if not options.semitransparency:
        harden(pixels[..., 3])
        clear(pixels)
    return pixels


def _subject_alone(
    photo: Photo,
    matte: Matte,
    alpha: NDArray[np.uint8],
    options: Options,
    *,
    may_overwrite: bool,
) -> NDArray[np.uint8]:
    """Return the subject as it is in the photo, uint8 (H, W, 4), cleaned as ``options`` ask for."""
    is_needed = options.despill or options.bg_blur is not None  # the photo as it was
    pixels = behind(photo.pixels) if may_overwrite and not is_needed else None
    if pixels is None:
        pixels = joined(photo.pixels, alpha)
    else:
        pixels[..., 3] = alpha
    # A zip's colours are for layers of any background, unless it is the photo's own.
    is_zip = options.format is Format.ZIP and options.bg_blur is None
    if options.clean_edges or is_zip:
        clean_edges(pixels, photo, matte)
    if options.despill:
        remove_green_spill(pixels, photo, matte)
    clear(pixels)
    return pixels


def _backdrop(
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
        shown = Photo(pixels=on_white(photo), alpha=None)
        return own_background(*_reduced(shown, matte, layout), options.bg_blur)
    if options.bg_color is not None and options.bg_color.a == OPAQUE:
        return np.array([options.bg_color.r, options.bg_color.g, options.bg_color.b], np.uint8)
    return None if options.format.has_alpha else WHITE


def _lay_behind(
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
    whole = (0.0, 0.0, float(photo.width), float(photo.height))
    pixels = resampled(joined(photo.pixels, matte.alpha), whole, width, height, is_weighted=False)
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


def coverage_of(alpha: NDArray[np.uint8]) -> float:
    """Return the mean of alpha, uint8 (H, W), as 0..1."""
    return float(alpha.mean(dtype=np.float64)) / OPAQUE


def harden(alpha: NDArray[np.uint8]) -> None:
    """Make every alpha, uint8 (H, W), 0 or 255, divided at one half, in place."""
    for strip in strips(alpha):
        np.multiply(strip >= _HALF, OPAQUE, out=strip, casting="unsafe")

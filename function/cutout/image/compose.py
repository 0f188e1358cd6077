"""``Photo`` + ``Matte`` + ``Options`` → :class:`Cutout`: place, shadow, background, flatten."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutout.errors import UnknownForeground
from cutout.image.backdrop import backdrop_of, lay_behind
from cutout.image.canvas import scaled, seen, window
from cutout.image.composite import OPAQUE
from cutout.image.decode import Photo
from cutout.image.despill import remove_green_spill
from cutout.image.foreground import clean_edges
from cutout.image.matte import Matte
from cutout.image.place import Box, Layout, lay_out, subject_of
from cutout.image.rgba import behind, clear, joined
from cutout.image.shadow import cast_shadow
from cutout.image.tiles import strips
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

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "Cutout":
        """Return the cutout of ``pixels``, uint8 (H, W, 4), whose alpha is still the matte's."""
        alpha = np.ascontiguousarray(pixels[..., 3])
        return cls(pixels=pixels, subject=subject_of(alpha), coverage=coverage_of(alpha))


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
    placed = None
    if found.width:
        layout = lay_out(found, photo, options, memory_pixels=memory_pixels)
        placed = Cutout.of(
            _placed(photo, matte, alpha, layout, options, may_overwrite=may_overwrite)
        )
    if placed is None or not placed.subject.width:
        # Nothing was found, or it was so thin that nothing is left of it at its new size.
        if options.on_empty is OnEmpty.ERROR:
            raise UnknownForeground
        # What is too faint for a subject is none of the result either.
        matte = Matte(alpha=np.zeros_like(matte.alpha))
        layout = lay_out(Box(), photo, options)
        placed = Cutout.of(
            _placed(photo, matte, matte.alpha, layout, options, may_overwrite=may_overwrite)
        )
    del alpha
    pixels, subject = placed.pixels, placed.subject
    if options.channels is Channels.RGBA:
        if options.shadow_type is ShadowType.DROP and subject.width:
            cast_shadow(pixels, subject, options.shadow_opacity)
        lay_behind(pixels, backdrop_of(photo, matte, layout, options, picture), options)
    return placed


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


def coverage_of(alpha: NDArray[np.uint8]) -> float:
    """Return the mean of alpha, uint8 (H, W), as 0..1."""
    return float(alpha.mean(dtype=np.float64)) / OPAQUE


def harden(alpha: NDArray[np.uint8]) -> None:
    """Make every alpha, uint8 (H, W), 0 or 255, divided at one half, in place."""
    for strip in strips(alpha):
        np.multiply(strip >= _HALF, OPAQUE, out=strip, casting="unsafe")

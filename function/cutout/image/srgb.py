"""Colours, grey and inks of any profile or depth → words of sRGB.

A profile that is empty, cannot be read or is one of other colours is taken as sRGB's.
"""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.icc import needed_of
from cutout.image.shared import image_of, pixels_of
from cutout.image.tiles import strips

_WHITES = {
    "f": (1.0, 255.0, 65_535.0, 2.0**31 - 1),
    "i": (255.0, 65_535.0, 2.0**31 - 1),
    "u": (255.0, 65_535.0, 2.0**31 - 1, 2.0**32 - 1),
}

_FOUR_TIMES = np.uint32(0x01_01_01_01)  # a byte times this is a word of that byte

_BELIEVED = 32
"""By how much of 255 a profile that calls itself sRGB may move a middle grey. A linear one moves it
by 60."""

_SAME_PRIMARY = 0.04
"""By how much X, Y or Z of its primaries may differ from sRGB's. Those of P3 differ by 0.09."""

_REMEMBERED_BYTES = 1 << 16
"""The largest profile that is kept with what was found of it. That of sRGB itself has 3 kB."""

_OF_RGB = b"RGB "
"""What a profile of RGB says that it is of (ICC.1:2022, 7.2.6). Programs that make a photo grey
often leave it the profile that it had in colour."""


def in_srgb(words: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return ``words``, uint8 (H, W, 4) RGB of a profile, which are converted in place.

    The fourth channel means nothing.
    """
    if profile:
        _by_profile(image_of(words), profile)
    return words


def grey_in_srgb(grey: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return grey, uint8 (H, W), of a profile for grey or for RGB, as words, uint8 (H, W, 4)."""
    if profile and profile[16:20] != _OF_RGB:
        image = _by_profile(image_of(grey), profile)
        if image.mode == "RGB":
            return pixels_of(image)
    words = np.multiply(grey, _FOUR_TIMES).view(np.uint8).reshape(*grey.shape, 4)
    return in_srgb(words, profile)


def inks_in_srgb(inks: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return ``inks``, uint8 (H, W, 4) CMYK, which become words of RGB in place."""
    size = (inks.shape[1], inks.shape[0])
    image = Image.frombuffer("CMYK", size, inks, "raw", "CMYK", 0, 1)
    if profile:
        image = _by_profile(image, profile)
    if image.mode != "RGB":
        image = image.convert("RGB")
    image_of(inks).im.paste(image.im, (0, 0, *size))
    return inks


def grey_of_8_bits(
    values: NDArray[Any], *, white: float | None, is_negative: bool
) -> NDArray[np.uint8]:
    """Return deep grey, (H, W) of integers or floats, as uint8 (H, W).

    Where nobody says what ``white`` is, it is the smallest usual one that no value exceeds. In a
    negative, white is black. What is no number becomes 0 in ``values``.
    """
    kind = values.dtype.kind
    if kind == "f":
        values[~np.isfinite(values)] = 0
    if white is None:
        largest = values.max()
        white = next((usual for usual in _WHITES[kind] if largest <= usual), 2.0**31)
    grey = np.empty(values.shape, np.uint8)
    for target, strip in zip(strips(grey), strips(values), strict=True):
        scaled = strip * np.float32(255.0 / white) + np.float32(0.5)
        if is_negative:
            scaled = 256 - scaled
        np.clip(scaled, 0, 255.5, out=target, casting="unsafe")
    return grey


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image in sRGB, as RGB unless it is left as it is; RGBX is converted in place.

    It is done by the perceptual intent, as browsers do, which does not clip.
    """
    from PIL import ImageCms  # noqa: PLC0415 - 10 ms of cold start that only some photos need

    in_place = image.mode == "RGBX"
    profile = needed_of(profile)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        is_named_srgb = "sRGB" in ImageCms.getProfileDescription(source)
        is_believed = (
            _is_believed if len(profile) <= _REMEMBERED_BYTES else _is_believed.__wrapped__
        )
        if is_named_srgb and is_believed(profile, is_grey=image.mode == "L"):
            return image
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            outputMode="RGBX" if in_place else "RGB",
            inPlace=in_place,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image  # it returns None where it worked in place


@lru_cache(maxsize=4)  # 2.4 ms, and the photos of a shop have one profile
def _is_believed(profile: bytes, *, is_grey: bool) -> bool:
    """Tell whether a profile that calls itself sRGB has about its primaries and its middle grey.

    Many differ by a rounding. But GIMP's "built-in Linear sRGB" is another curve, and the "Display
    P3 Gamut with sRGB Transfer" of some photos has other primaries.
    """
    from PIL import ImageCms  # noqa: PLC0415 - as above

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    for primary in ("red_colorant", "green_colorant", "blue_colorant"):
        own, usual = (getattr(one.profile, primary) for one in (source, srgb))
        if own is not None and not np.allclose(own[0], usual[0], rtol=0, atol=_SAME_PRIMARY):
            return False
    grey = Image.new("L" if is_grey else "RGB", (1, 1), "#808080")
    grey = ImageCms.profileToProfile(grey, source, srgb, outputMode="RGB") or grey
    return max(abs(value - 0x80) for value in grey.tobytes()) <= _BELIEVED

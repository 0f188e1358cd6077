"""What a decoder has to decode for the picture of a HEIC or AVIF file, held to a limit.

A picture can be put together from others, and have an alpha plane of any size. libheif decodes each
part as often as it is named, and AVIF's decoders take a frame of any size and scale it. So a file
of 1 kB that claims 64x64 px can take gigabytes.
"""

import struct
from collections.abc import Mapping

from cutout.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from cutout.image.av1 import code_points, largest_frames_px
from cutout.image.heif_boxes import AV1, Items, read_items

_MOST_PARTS = 4
"""How many times the pixels that a deployment accepts all parts together may have. A phone's photo
has one alpha plane, gain map or depth map at most, none of them larger than the photo."""

_SMALL_PX = 1_000_000
"""Frames of up to four times as many pixels are decoded whatever the file says."""

_MAX_TURNS = 4
"""A rotation, a mirror and a crop are enough; libheif copies the whole picture for each one."""

_KINDS = {AV1, b"hvc1", b"hev1", b"grid", b"iden"}
"""Coded pictures, tiles of one picture, and a picture turned. Of pictures that are laid over others
(``iovl``) only the compressed data tells the size, and no camera writes them."""


def check_items(file: bytes, *, max_pixels: int) -> Items:
    """Refuse a HEIC or AVIF file whose picture has far more parts than it shows, or rare ones.

    Returns the items of any other file. Where no box names the picture's colours, they are those
    that its AV1 data names.

    :raises ImageTooLarge: all parts together have over four times ``max_pixels``, and the picture
        itself has more than once. One with less in all may be cropped: its size is checked later.
    :raises InvalidImage: all parts together have over four times ``max_pixels``, the picture itself
        not more than once; or their data has more bytes in all than the file and their pixels
        together; or a part is larger than it says, or turned again and again; or the boxes are
        damaged.
    :raises UnsupportedImageFormat: a part is neither a coded picture nor a grid of them, or there
        is a film and no picture.
    """
    try:
        items = read_items(file)
        for part, frame_px in largest_frames_px(items.data).items():
            if frame_px > _MOST_PARTS * max(items.pixels[part], _SMALL_PX):
                raise InvalidImage(reason="its frames are much larger than it says")
            items.pixels[part] = max(items.pixels[part], frame_px)
        total = _decoded(items, items.pixels, items.primary, {}, set())
        total_bytes = _decoded(items, items.data_bytes, items.primary, {}, set())
        if items.primary not in items.colours:
            _name_colours(items)
    except (struct.error, KeyError, IndexError) as error:
        raise InvalidImage(reason="it is a damaged or truncated HEIC or AVIF file") from error
    if total > _MOST_PARTS * max_pixels:
        width, height = items.sizes.get(items.primary, (0, 0))
        if width * height > max_pixels:
            raise ImageTooLarge(width=width, height=height, max_pixels=max_pixels)
        reason = f"its parts have {total} pixels in all, which only a damaged file needs"
        raise InvalidImage(reason=reason)
    if total_bytes > len(file) + total:
        # libde265 takes up to 38 ns for each of these bytes where no pixel comes of it.
        raise InvalidImage(reason="its parts have far more data in all than the file holds")
    return items


def _name_colours(items: Items) -> None:
    """Add the colours that the picture's AV1 data names; a grid has those of its first tile."""
    first = items.primary
    while items.parts.get(first):
        first = items.parts[first][0]
    named = code_points(items.data.get(first, b""))
    if named is not None:
        items.colours[items.primary] = named


def _decoded(
    items: Items, own: Mapping[int, int], item: int, known: dict[int, int], above: set[int]
) -> int:
    """Return what there is to decode for an item, of all its parts as often as they are named.

    ``own`` says what each item has itself: pixels, or bytes of data.

    :raises InvalidImage: an item is a part of itself, or turned again and again.
    :raises UnsupportedImageFormat: an item is of a kind that is not read.
    :raises KeyError: an item is missing.
    """
    if item in above:
        raise InvalidImage(reason="it is damaged: a picture is a part of itself")
    if items.kinds[item] not in _KINDS:
        raise UnsupportedImageFormat(found="a HEIC or AVIF file of a kind that no camera writes")
    if items.turns[item] > _MAX_TURNS:
        raise InvalidImage(reason=f"it is turned {items.turns[item]} times")
    if item not in known:
        within = above | {item}
        parts, auxiliary = (
            sum(_decoded(items, own, one, known, within) for one in of.get(item, ()))
            for of in (items.parts, items.auxiliary)
        )
        known[item] = max(own.get(item, 0), parts) + auxiliary
    return known[item]

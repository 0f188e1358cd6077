"""A cutout at a smaller scale."""

from cutout.image.compose import Cutout, harden
from cutout.image.place import Box
from cutout.image.resample import resampled
from cutout.image.rgba import clear, is_opaque
from cutout.options import Channels, Format, Options, ShadowType


def reduced(cutout: Cutout, scale: float, options: Options) -> Cutout:
    """Return the cutout with its sides times ``scale``, 0..1, each at least 1 px.

    Colours are weighted by alpha, so that nothing of a transparent pixel's shows; a zip's are not,
    since they are extended to where alpha is 0. Alpha is made hard again where ``options`` ask for
    hard edges.
    """
    pixels = cutout.pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    has_no_alpha = is_opaque(pixels)
    is_straight = has_no_alpha or options.format is Format.ZIP
    smaller = resampled(pixels, width, height, is_weighted=not is_straight)
    has_more = options.shadow_type is ShadowType.DROP or options.bg_color is not None
    if has_no_alpha or (has_more and options.channels is Channels.RGBA):
        # The matte cannot be told from the background or the shadow.
        return Cutout(
            pixels=smaller,
            subject=_scaled_box(cutout.subject, pixels.shape[:2], (height, width)),
            coverage=cutout.coverage,
        )
    if not options.semitransparency:
        harden(smaller[..., 3])
        if not is_straight:
            clear(smaller)
    return Cutout.of(smaller)


def _scaled_box(box: Box, old: tuple[int, int], new: tuple[int, int]) -> Box:
    """Return a box that holds all of ``box`` at another size; an empty one stays empty.

    ``old`` and ``new`` are the height and width of the canvas. Whole numbers are exact: in floating
    point 1500 * (102 / 1500) is more than 102, and the box would pass the edge.
    """
    if not box.width:
        return box
    (old_height, old_width), (height, width) = old, new
    top, left = box.top * height // old_height, box.left * width // old_width
    return Box(
        top=top,
        left=left,
        width=-(-(box.left + box.width) * width // old_width) - left,
        height=-(-(box.top + box.height) * height // old_height) - top,
    )

"""The region of interest: all that the network sees, and nothing outside is subject."""

import io
from typing import Any

import numpy as np
import pytest
from drawn_models import card_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import CutoutError, RoiExceedsBounds, RoiRegionEmpty, envelope
from cutout.image.decode import Limits, Photo
from cutout.image.model import Model
from cutout.image.place import Box
from cutout.image.roi import region_of
from cutout.options import Length, Region, parse_options
from cutout.remover import Remover, Result
from image_files import encoded, exif_of

SIDE = 32
CARD = card_of(SIDE)


class FindsAll:
    """A network that calls everything subject, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.float32]] = []

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(tensor)
        return np.ones((1, 1, SIDE, SIDE), np.float32)


def png(pixels: NDArray[np.uint8], **settings: Any) -> bytes:
    """Return pixels as a PNG."""
    return encoded(Image.fromarray(pixels), **settings)


def removed(pixels: NDArray[np.uint8], **fields: str) -> tuple[Result, FindsAll]:
    """Return the result of one removal, and the network that was asked."""
    network = FindsAll()
    remover = Remover(Model(card=CARD, network=network), Limits(max_pixels=1_000_000))
    options, _ = parse_options(list(fields.items()))
    return remover.remove(png(pixels), options), network


def alpha_of(result: Result) -> NDArray[np.uint8]:
    """Return the alpha of a result in PNG, 255 where it has none."""
    with Image.open(io.BytesIO(result.file.body)) as image:
        return np.asarray(image.convert("RGBA"))[..., 3]


PHOTO = np.random.default_rng(6).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("roi", "box"),
    [
        ("10px 20px 50px 55px", Box(top=20, left=10, width=40, height=35)),
        ("0 0 100% 100%", Box(top=0, left=0, width=80, height=60)),
        ("25% 50% 100% 100%", Box(top=30, left=20, width=60, height=30)),
        ("79px 59px 80px 60px", Box(top=59, left=79, width=1, height=1)),
        ("10% 5px 30px 90%", Box(top=5, left=8, width=22, height=49)),
    ],
)
def test_only_the_region_is_subject(roi: str, box: Box) -> None:
    """To the pixel, where the network calls everything subject; the canvas keeps its size."""
    result, _ = removed(PHOTO, roi=roi)
    expected = np.zeros((60, 80), np.uint8)
    expected[box.slices] = 255
    assert np.array_equal(alpha_of(result), expected)
    assert result.report.subject == box


def test_the_network_sees_the_region_alone() -> None:
    """As large as its input is: a small region gets as much detail as a whole photo."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:40, 20:60] = (0, 255, 0)
    _, network = removed(pixels, roi="20px 10px 60px 40px")
    (seen,) = network.seen
    assert np.array_equal(seen[0].transpose(1, 2, 0), np.broadcast_to([0, 1, 0], (SIDE, SIDE, 3)))


def test_without_a_region_the_network_sees_all() -> None:
    """And the same as with the region that is all."""
    result, network = removed(PHOTO)
    whole, other = removed(PHOTO, roi="0% 0% 100% 100%")
    assert np.array_equal(network.seen[0], other.seen[0])
    assert result.file.body == whole.file.body


def test_crop_is_to_the_subject_within_the_region() -> None:
    """The region comes first."""
    result, _ = removed(PHOTO, roi="10px 20px 50px 55px", crop="true")
    assert (result.file.width, result.file.height) == (40, 35)


def test_px_are_those_of_the_uncapped_photo() -> None:
    """Where size caps the result, the region shrinks with it."""
    pixels = np.full((800, 1000, 3), 90, np.uint8)
    result, _ = removed(pixels, roi="500px 200px 1000px 600px", size="preview")
    assert (result.file.width, result.file.height) == (559, 447)
    assert result.report.subject == Box(top=112, left=280, width=279, height=223)


def test_px_are_those_of_the_upright_photo() -> None:
    """A photo taken sideways, capped: its width is the upright one's."""
    exif = exif_of(6)  # to be turned by 90 degrees
    data = png(np.full((800, 1000, 3), 90, np.uint8), exif=exif)
    remover = Remover(Model(card=CARD, network=FindsAll()), Limits(max_pixels=1_000_000))
    fields = [("roi", "0px 500px 400px 1000px"), ("size", "preview")]
    result = remover.remove(data, parse_options(fields)[0])
    assert (result.file.width, result.file.height) == (447, 559)
    assert result.report.subject == Box(top=280, left=0, width=224, height=279)
    wide = parse_options([("roi", "0px 0px 801px 900px")])[0]
    with pytest.raises(RoiExceedsBounds):
        remover.remove(data, wide)


@pytest.mark.parametrize("keep", ["multiply", "keep", "discard"])
def test_a_photos_own_alpha_counts_in_the_region_only(keep: str) -> None:
    """Where it is kept no network runs, and the region holds all the same."""
    pixels = np.dstack([PHOTO, np.full((60, 80), 128, np.uint8)])
    result, _ = removed(pixels, roi="0 0 50% 100%", input_alpha=keep)
    alpha = alpha_of(result)
    assert (alpha[:, :40] == (255 if keep == "discard" else 128)).all()
    assert not alpha[:, 40:].any()


@pytest.mark.parametrize(
    ("roi", "code", "message"),
    [
        ("0px 0px 81px 60px", "roi_exceeds_bounds", "roi must lie within the image: the upright image is 80x60 px."),
        ("0px 61px 80px 62px", "roi_exceeds_bounds", "roi must lie within the image: the upright image is 80x60 px."),
        ("50% 0% 40px 60px", "roi_region_empty", "roi must contain at least one pixel: x1 must be less than x2, and y1 less than y2."),
        ("10% 10% 10.1% 50%", "roi_region_empty", "roi must contain at least one pixel: x1 must be less than x2, and y1 less than y2."),
    ],
)  # fmt: skip
def test_what_only_the_photo_can_tell(roi: str, code: str, message: str) -> None:
    """The exact body, before any network runs."""
    network = FindsAll()
    remover = Remover(Model(card=CARD, network=network), Limits(max_pixels=1_000_000))
    options, _ = parse_options([("roi", roi)])
    with pytest.raises(CutoutError) as refusal:
        remover.remove(png(PHOTO), options)
    assert envelope(refusal.value, "r") == {
        "error": {"code": code, "message": message, "status": 400, "request_id": "r"}
    }
    assert network.seen == []


SIDES = st.integers(2, 3000)
COORDINATES = st.builds(
    Length, value=st.floats(0, 100), relative=st.sampled_from([True])
) | st.builds(Length, value=st.integers(0, 3000).map(float), relative=st.sampled_from([False]))


@given(
    original=st.tuples(SIDES, SIDES),
    size=st.tuples(SIDES, SIDES),
    corners=st.tuples(*[COORDINATES] * 4),
)
def test_every_region_is_within_the_photo(
    original: tuple[int, int], size: tuple[int, int], corners: tuple[Length, ...]
) -> None:
    """At any cap: at least one pixel, none outside; or a refusal."""
    width, height = min(size[0], original[0]), min(size[1], original[1])
    pixels = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    photo = Photo(pixels=pixels, alpha=None, original_size=original)
    x1, y1, x2, y2 = corners
    try:
        box = region_of(Region(x1=x1, y1=y1, x2=x2, y2=y2), photo)
    except (RoiExceedsBounds, RoiRegionEmpty):
        return
    assert 0 <= box.left < box.left + box.width <= width
    assert 0 <= box.top < box.top + box.height <= height

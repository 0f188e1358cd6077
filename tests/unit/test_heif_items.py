"""The boxes of HEIC and AVIF files: which pictures a file is made of. Hostile ones: test_bombs."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from heif_files import (
    avif,
    avif_of_a_large_frame,
    avif_of_shared_data,
    avif_tiles,
    avif_with_alpha,
    heic,
    heic_cropped,
    heic_grid,
    heic_of_itself,
    heic_of_layers,
    heic_turned,
    heic_with_alpha,
    heic_with_two,
    wide,
)
from PIL import Image

from cutout.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from cutout.image.decode import Limits, decode
from cutout.image.heif_boxes import read_items
from cutout.image.heif_items import check_items


@pytest.mark.parametrize(("codec", "kind"), [("HEIF", b"hvc1"), ("AVIF", b"av01")])
def test_boxes_with_large_numbers(codec: str, kind: bytes) -> None:
    """Versions that no small file needs, data within the boxes, and boxes that say nothing."""
    items = read_items(wide(codec))
    assert (items.primary, items.kinds) == (1, {1: b"grid", 2: kind, 3: kind})
    assert items.pixels == {1: 128 * 128, 2: 64 * 64, 3: 128 * 128}
    assert (items.parts, items.auxiliary) == ({1: [2, 2, 2, 2]}, {1: [3]})


def test_a_file_with_large_numbers_is_read() -> None:
    """As any other."""
    photo = decode(wide("HEIF"), limits=Limits(max_pixels=20_000))
    assert (photo.width, photo.height) == (128, 128)
    assert photo.alpha is not None


def test_an_avif_may_have_a_box_of_links_for_each_item() -> None:
    """An encoder, cavif, wrote one for the picture and one for its alpha, which browsers read."""
    limits = Limits(max_pixels=20_000)
    expected = decode(avif_with_alpha(64, has_boxes_of_links=False), limits=limits)
    photo = decode(avif_with_alpha(64, has_boxes_of_links=True), limits=limits)
    assert np.array_equal(photo.pixels, expected.pixels)
    assert photo.alpha is not None
    assert expected.alpha is not None
    assert np.array_equal(photo.alpha, expected.alpha)


def test_the_data_of_a_picture_in_avif() -> None:
    """It is found by its place in the file, or in the box of small data."""
    file = avif(64)
    data = file[file.index(b"mdat") + 4 :]
    assert read_items(file).data == {1: data}
    assert read_items(wide("AVIF")).data[2] == data


def test_what_encoders_write() -> None:
    """One picture, with and without more beside it."""
    for file in (heic(64), avif(64)):
        items = read_items(file)
        assert items.pixels[items.primary] == 64 * 64
    with io.BytesIO() as target:
        Image.new("RGBA", (64, 48), (1, 2, 3, 99)).save(target, "AVIF")
        items = read_items(target.getvalue())
    assert sum(items.pixels.values()) == 2 * 64 * 48


def test_all_parts_together() -> None:
    """A limit that is not the picture's own: 64 x 64 px with an alpha plane of 512 x 512."""
    file, parts_px = heic_with_alpha(2, 2, 256), 64 * 64 + 512 * 512
    check_items(file, max_pixels=parts_px // 4)
    with pytest.raises(InvalidImage, match="its parts have 266240 pixels in all"):
        check_items(file, max_pixels=parts_px // 4 - 1)


def test_a_picture_over_the_limit() -> None:
    """It is told as such, whatever is beside it or cropped from it: here, or elsewhere later."""
    for file in (heic_grid(4, 4, 64), heic_cropped(4, 4, 64)):
        check_items(file, max_pixels=256 * 256 // 4)
        for max_pixels in (256 * 256 // 4 - 1, 1_000):
            with pytest.raises(ImageTooLarge, match="The image is 256x256 px"):
                check_items(file, max_pixels=max_pixels)


def test_equal_tiles_in_avif() -> None:
    """Libavif writes the data of equal tiles once."""
    file = avif_tiles(4, 4, 64, claimed=64, is_shared=True)
    assert len(set(read_items(file).data.values())) == 1
    photo = decode(file, limits=Limits(max_pixels=256 * 256))
    assert (photo.width, photo.height) == (256, 256)


@pytest.mark.parametrize("is_shared", [False, True])
def test_tiles_that_are_larger_than_they_say(is_shared: bool) -> None:
    """Each is decoded at its own size."""
    file = avif_tiles(3, 3, 512, claimed=64, is_shared=is_shared)
    check_items(file, max_pixels=9 * 512 * 512 // 4)
    with pytest.raises(InvalidImage, match="its parts have 2359296 pixels in all"):
        check_items(file, max_pixels=9 * 512 * 512 // 4 - 1)


def test_turns() -> None:
    """A rotation, a mirror and a crop, and one more."""
    check_items(heic_turned(4), max_pixels=50_000_000)
    with pytest.raises(InvalidImage, match="it is turned 5 times"):
        check_items(heic_turned(5), max_pixels=50_000_000)


@pytest.mark.parametrize("kind", [b"meta", b"pitm", b"iinf", b"iprp", b"ipco", b"iloc"])
def test_a_box_that_is_missing(kind: bytes) -> None:
    """The file is damaged, whichever it is."""
    damaged = avif(64).replace(kind, b"none")
    with pytest.raises(InvalidImage, match="it is a damaged or truncated HEIC or AVIF file"):
        check_items(damaged, max_pixels=50_000_000)


@pytest.mark.parametrize("kind", [b"meta", b"pitm"])
def test_a_film_without_a_picture_is_called_so(kind: bytes) -> None:
    """Some programs for films write AVIF so, with an empty list of pictures or with none."""
    film = avif(64).replace(kind, b"none") + b"\0\0\0\x08moov"
    with pytest.raises(UnsupportedImageFormat) as refusal:
        check_items(film, max_pixels=50_000_000)
    assert str(refusal.value).startswith(
        "The image is a HEIC or AVIF film without a still picture, which is not supported. "
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: heic_with_two(b"iinf"), "it is a damaged or truncated HEIC or AVIF file"),
        (lambda: heic(64) + b"\0\0\0\x08free" * 100_000, "it has over 100000 boxes"),
        (avif_of_shared_data, "its parts share their data"),
        (lambda: avif_of_a_large_frame(2_100), "its frames are much larger than it says"),
        (lambda: heic(64)[:60], "it is a damaged or truncated HEIC or AVIF file"),
    ],
    ids=["two", "many", "shared", "large", "cut"],
)
def test_what_only_damaged_files_have(make: Callable[[], bytes], reason: str) -> None:
    """No encoder writes any of these."""
    with pytest.raises(InvalidImage, match=reason):
        check_items(make(), max_pixels=50_000_000)


def test_pictures_laid_over_one_another() -> None:
    """The format is known and that kind of it is not read."""
    with pytest.raises(UnsupportedImageFormat):
        check_items(heic_of_layers(64, 64), max_pixels=50_000_000)


def test_a_circle() -> None:
    """A picture that is a part of itself has no end."""
    with pytest.raises(InvalidImage, match="a picture is a part of itself"):
        check_items(heic_of_itself(), max_pixels=50_000_000)

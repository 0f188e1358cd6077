"""The formats' limits, and what must not depend on the clock."""

import io
import zipfile

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import InvalidOption
from cutout.image.compose import Cutout
from cutout.image.encode import encode
from cutout.image.place import Box
from cutout.options import Channels, Format, Options


def ribbon(width: int, height: int = 2, alpha: int = 255) -> Cutout:
    """Return a cutout of one colour."""
    pixels = np.full((height, width, 4), (10, 20, 30, alpha), np.uint8)
    return Cutout(pixels=pixels, subject=Box(width=width, height=height), coverage=alpha / 255)


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        (Format.JPG, 65_500),
        (Format.WEBP, 16_383),
        (Format.AVIF, 32_768),
        (Format.GIF, 65_535),
        (Format.ZIP, 65_500),
    ],
)
@pytest.mark.parametrize("is_upright", [False, True])
def test_the_longest_side_of_a_format(name: Format, longest: int, is_upright: bool) -> None:
    """It is written and read again; one pixel more is refused in words."""
    size = (2, longest) if is_upright else (longest, 2)
    file = encode(ribbon(*size), Options(format=name))
    assert (file.width, file.height) == size
    if name is not Format.ZIP:
        with Image.open(io.BytesIO(file.body)) as image:
            assert image.size == size
    size = (2, longest + 1) if is_upright else (longest + 1, 2)
    with pytest.raises(InvalidOption) as refusal:
        encode(ribbon(*size), Options(format=name))
    assert refusal.value.code == "invalid_format"
    assert str(refusal.value) == (
        f"format must be one that holds {size[0]}x{size[1]} px, such as png: {name} ends at "
        f"{longest} px a side."
    )


@pytest.mark.parametrize("name", [Format.PNG, Format.BMP, Format.TIFF])
def test_formats_without_a_limit_that_matters(name: Format) -> None:
    """A ribbon of 70,000 px."""
    file = encode(ribbon(70_000), Options(format=name))
    with Image.open(io.BytesIO(file.body)) as image:
        assert image.size == (70_000, 2)


def test_the_matte_is_a_png_of_any_side() -> None:
    """Whatever the format says."""
    file = encode(ribbon(70_000), Options(format=Format.WEBP, channels=Channels.ALPHA))
    assert (file.format, file.media_type, file.width) == (Format.PNG, "image/png", 70_000)


def test_a_zip_has_the_same_bytes_at_any_time() -> None:
    """Its files are of 1980-01-01, the first day that a zip can name, and hold what they say."""
    file = encode(ribbon(64, 48, alpha=128), Options(format=Format.ZIP))
    assert file.media_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(file.body)) as archive:
        assert [entry.filename for entry in archive.infolist()] == ["color.jpg", "alpha.png"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        color = np.asarray(Image.open(io.BytesIO(archive.read("color.jpg"))))
        alpha = np.asarray(Image.open(io.BytesIO(archive.read("alpha.png"))))
    assert np.abs(color.astype(int) - (10, 20, 30)).max() <= 2
    assert (alpha == 128).all()


@pytest.mark.parametrize(("alpha", "expected"), [(255, Format.JPG), (254, Format.PNG)])
def test_auto_is_jpg_only_where_every_pixel_is_opaque(alpha: int, expected: Format) -> None:
    """One level less is transparent."""
    assert encode(ribbon(8, 8, alpha), Options(format=Format.AUTO)).format is expected


@pytest.mark.parametrize("name", [Format.WEBP, Format.AVIF])
@pytest.mark.parametrize("hidden", [(0, 0, 0), (0, 255, 0)])
def test_what_is_hidden_does_not_spread_into_the_edge(
    name: Format, hidden: tuple[int, int, int]
) -> None:
    """The edge is almost as clean as in the whole photograph."""
    photo = skimage.data.astronaut()
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    alpha = np.clip((220 - np.hypot(x - 256, y - 256)) * 40, 0, 255).astype(np.uint8)
    edge = (alpha > 0) & (alpha < 255)

    def edge_error(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> float:
        cutout = Cutout(pixels=np.dstack([colours, alpha]), subject=Box(), coverage=0.5)
        body = encode(cutout, Options(format=name)).body
        with Image.open(io.BytesIO(body)) as image:
            shown = np.asarray(image.convert("RGB"))
        return float(np.square(shown[edge].astype(int) - photo[edge]).mean())

    colours = np.where((alpha > 0)[..., None], photo, hidden).astype(np.uint8)
    assert edge_error(colours, alpha) < 1.3 * edge_error(photo, np.full_like(alpha, 255))


@pytest.mark.parametrize("name", [Format.PNG, Format.WEBP, Format.AVIF, Format.TIFF])
@pytest.mark.parametrize("quality", [1, 50, 90, 100])
def test_quality_is_that_of_the_colours_and_alpha_is_exact(name: Format, quality: int) -> None:
    """Nothing of the background becomes visible, and no opaque pixel of the subject translucent."""
    photo = skimage.data.astronaut()[:181, :203]
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    soft = np.clip((70 - np.hypot(x - 90, y - 80)) * 20, 0, 255).astype(np.uint8)
    noisy = np.random.default_rng(5).integers(0, 256, soft.shape, dtype=np.uint8)
    for alpha in (soft, noisy, soft[80:81, 20:21]):
        colours = np.where((alpha > 0)[..., None], photo[: len(alpha), : alpha.shape[1]], 0)
        pixels = np.dstack([colours.astype(np.uint8), alpha])
        cutout = Cutout(pixels=pixels, subject=Box(), coverage=0.5)
        body = encode(cutout, Options(format=name, quality=quality)).body
        with Image.open(io.BytesIO(body)) as image:
            assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], alpha)


@pytest.mark.parametrize("name", Format)
def test_a_cutout_stays_as_it_is(name: Format) -> None:
    """It may be encoded again, smaller, and what is hidden in it stays black."""
    alpha = np.zeros((40, 60), np.uint8)
    alpha[7:30, 9:50] = 255
    alpha[30:33, 9:50] = 100
    colours = np.where((alpha > 0)[..., None], skimage.data.astronaut()[:40, :60], 0)
    pixels = np.dstack([colours, alpha]).astype(np.uint8)
    if name in {Format.JPG, Format.BMP, Format.GIF}:
        pixels[..., 3] = 255  # what they cannot show is put on a colour before
    before = pixels.copy()
    encode(Cutout(pixels=pixels, subject=Box(), coverage=0.5), Options(format=name))
    assert (pixels == before).all()
